"""One pass over a recording under one policy or many: each message is opened once, and judged by every one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from worker.decide.course import Effect
from worker.decide.journal import printed, recorded
from worker.decide.policy import Policy
from worker.incidents.machine import Incident
from worker.whatif.assumptions import Assumptions
from worker.whatif.comparison import Differences
from worker.whatif.drawing import Drawing
from worker.whatif.parts import Part
from worker.whatif.simulation import Judged, Simulation
from worker.whatif.stream import Item
from worker.whatif.sums import Sums


class Case:
    """One policy with all that is noted of it."""

    def __init__(self, name: str, policy: Policy, assumptions: Assumptions, *, draw: bool = False) -> None:
        """Begin before the recording; with `draw` what a plot needs is kept as well."""
        self.name = name
        self.policy = policy
        self.sums = Sums()
        self.drawing = Drawing(policy) if draw else None
        self._simulation = Simulation(policy, assumptions, _Both(self.sums, self.drawing) if draw else self.sums)

    def take(self, item: Item) -> Judged | None:
        """Take the next item; return what follows from an evaluation that came for the first time."""
        self._simulation.reach(item.now)
        if item.evaluation is None:
            self.sums.dead_letter()
        elif item.repeated:
            self.sums.repeated(item.evaluation.bee)
        else:
            return self._judge(item)
        return None

    def _judge(self, item: Item) -> Judged:
        found = self._simulation.judge(item)
        self.sums.judged(item, found)
        if self.drawing is not None:
            self.drawing.judged(item, found)
        return found

    def end(self, now: datetime) -> None:
        """End the recording at its newest time."""
        self._simulation.reach(now, whole=True)
        self.sums.in_flight = self._simulation.in_flight
        self.sums.ended()
        if self.drawing is not None:
            self.drawing.ended()


@dataclass(frozen=True)
class _Both:
    """Tells two watchers."""

    sums: Sums
    drawing: Drawing | None

    def began(self, bee: str, run: str, cost: Decimal, now: datetime) -> None:
        """Tell both of a run."""
        self.sums.began(bee, run, cost, now)
        if self.drawing is not None:
            self.drawing.began(bee, run, cost, now)

    def changed(
        self, bee: str, before: Incident | None, after: Incident, effects: Sequence[Effect], now: datetime
    ) -> None:
        """Tell both of an incident."""
        self.sums.changed(bee, before, after, effects, now)
        if self.drawing is not None:
            self.drawing.changed(bee, before, after, effects, now)


@dataclass
class WhatIf:
    """The cases of one pass; of the first of them decisions are told, and compared with those of the second.

    Attributes:
        begin, end: the oldest and the newest event time that was judged.
    """

    cases: Sequence[Case]
    differences: Differences | None = None
    begin: datetime | None = None
    end: datetime | None = None
    messages: int = 0
    _now: datetime | None = field(default=None, repr=False)

    def take(self, item: Item) -> tuple[Judged | None, Judged | None]:
        """Take an item in every case; return what the first says, and the second where they are compared."""
        self.messages += 1
        self._now = item.now
        if item.evaluation is not None:
            at = item.evaluation.evaluated_at
            if self.begin is None or at < self.begin:
                self.begin = at
            if self.end is None or at > self.end:
                self.end = at
        if len(self.cases) == 1:
            return self.cases[0].take(item), None
        found = [case.take(item) for case in self.cases]
        first = found[0]
        if self.differences is None or first is None:
            return first, None
        second = found[1]
        if second is not None:
            self.differences.compare(item, first, second, self.messages)
        return first, second

    def finish(self, now: datetime | None = None) -> None:
        """End the recording, at its newest time or at the one that is told."""
        now = now or self._now
        if now is not None:
            for case in self.cases:
                case.end(now)

    def skip(self) -> None:
        """Count a message of another share."""
        self.messages += 1

    def part(self, ids: Sequence[int], found: Mapping[str, str]) -> Part:
        """Return what was found in this share, with the ids of its events and the bees that they told of."""
        cases = self.cases
        sums, drawings = [case.sums for case in cases], [case.drawing for case in cases]
        return Part(self.messages, ids, sums, drawings, self.differences, self.begin, self.end, dict(found))

    def take_over(self, part: Part) -> None:
        """Go on with what all shares have found."""
        for case, sums, drawing in zip(self.cases, part.sums, part.drawings, strict=True):
            case.sums, case.drawing = sums, drawing
        self.messages, self.differences = part.messages, part.differences
        self.begin, self.end = part.begin, part.end


def decided(item: Item, found: Judged, policy_version: str) -> Mapping[str, Any]:
    """Return a decision as `colony decisions --json` prints it."""
    if item.evaluation is None:
        raise ValueError("a dead letter has no decision")
    incident = found.incident.id if found.incident else None
    entry = recorded(
        item.source,
        item.event_id,
        item.evaluation,
        found.decision,
        policy_version,
        item.now,
        run_id=found.run_id,
        incident_id=incident,
    )
    return printed(entry)


def repeated(first: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of a duplicate, from what was said of the first."""
    return {**first, "action": "duplicate", "reason": f"delivered before; then: {first.get('reason', 'unknown')}"}
