"""What a policy would have done, counted: per bee, and in sum."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from worker.decide.course import AskPerson, Effect, RollBack
from worker.decide.decision import Action
from worker.decide.rules import Outcome
from worker.incidents.machine import Incident, State
from worker.whatif.periods import Periods
from worker.whatif.simulation import Judged
from worker.whatif.stream import Item

DEAD_LETTER = "dead letter"


@dataclass(slots=True)
class BeeSums:
    """What is counted of one bee.

    Attributes:
        actions: how many evaluations had each conclusion.
        held_by: guard -> how many of the evaluations that were held back it held.
        runs: all that began, by an evaluation or by time (another attempt, a bar that lifted), at `cost`.
        asked: how often a person would have been asked.
    """

    actions: Counter[str] = field(default_factory=Counter)
    held_by: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    cost: Decimal = Decimal(0)
    incidents: int = 0
    escalated: int = 0
    closed: int = 0
    rolled_back: int = 0
    asked: int = 0
    periods: Periods = field(default_factory=Periods)

    @property
    def events(self) -> int:
        """Return how many evaluations came, repeats included."""
        return sum(self.actions.values())


class Sums:
    """Counts what happens in one simulation."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.bees: dict[str, BeeSums] = {}
        self.dead_letters = 0
        self.in_flight = 0

    def dead_letter(self) -> None:
        """Count a message that was turned away."""
        self.dead_letters += 1

    def repeated(self, bee: str) -> None:
        """Count a duplicate."""
        self.of(bee).actions[Action.DUPLICATE] += 1

    def judged(self, item: Item, found: Judged) -> None:
        """Count a conclusion."""
        evaluation, decision = item.evaluation, found.decision
        if evaluation is None:
            return
        sums = self.of(evaluation.bee)
        action = decision.action
        sums.actions[action] += 1
        if action is Action.HELD:
            sums.held_by.update(rule.name for rule in decision.rules if rule.outcome is Outcome.HELD)
        if decision.moves_watermark:
            memory = found.course.memory
            sums.periods.saw(evaluation.version, evaluation.evaluated_at, bad=memory.bad, fired=decision.bad)

    def began(self, bee: str, run: str, cost: Decimal, now: datetime) -> None:  # noqa: ARG002 - a watcher's signature
        """Count a run."""
        sums = self.of(bee)
        sums.runs += 1
        sums.cost += cost
        sums.periods.began(now)

    def changed(
        self,
        bee: str,
        before: Incident | None,
        after: Incident,
        effects: Sequence[Effect],
        now: datetime,  # noqa: ARG002 - a watcher's signature
    ) -> None:
        """Count what becomes of incidents."""
        sums = self.of(bee)
        sums.asked += sum(isinstance(effect, AskPerson) for effect in effects)
        if before is None or before.id != after.id:
            sums.incidents += 1
        was = before.state if before is not None and before.id == after.id else None
        sums.escalated += after.state is State.ESCALATED and was is not State.ESCALATED
        sums.closed += after.state is State.CLOSED
        sums.rolled_back += any(isinstance(effect, RollBack) for effect in effects)

    def ended(self) -> None:
        """The recording has ended."""
        for sums in self.bees.values():
            sums.periods.ended()

    def of(self, bee: str) -> BeeSums:
        """Return a bee's sums."""
        found = self.bees.get(bee)
        if found is None:
            found = self.bees[bee] = BeeSums()
        return found

    def all(self) -> BeeSums:
        """Return the sums over all bees; the longest period is the longest of any."""
        total = BeeSums()
        for sums in self.bees.values():
            total.actions.update(sums.actions)
            total.held_by.update(sums.held_by)
            for name in ("runs", "cost", "incidents", "escalated", "closed", "rolled_back", "asked"):
                setattr(total, name, getattr(total, name) + getattr(sums, name))
            total.periods.count += sums.periods.count
            total.periods.total += sums.periods.total
            total.periods.longest = max(total.periods.longest, sums.periods.longest)
        return total


def hours(duration: timedelta) -> float:
    """Return a duration in hours, rounded to what a person compares."""
    return round(duration.total_seconds() / 3600, 2)


def as_json(sums: BeeSums) -> Mapping[str, object]:
    """Return the sums as JSON values: camelCase, hours, and the periods one by one."""
    return {
        "events": sums.events,
        "actions": {action.value: sums.actions[action] for action in Action},
        "heldBy": dict(sorted(sums.held_by.items())),
        "runs": sums.runs,
        "cost": float(round(sums.cost, 6)),
        "incidents": sums.incidents,
        "escalated": sums.escalated,
        "closed": sums.closed,
        "rolledBack": sums.rolled_back,
        "approvalsAsked": sums.asked,
        "badPeriods": sums.periods.count,
        "badHours": hours(sums.periods.total),
        "longestBadHours": hours(sums.periods.longest),
    }
