"""Records what is to be drawn of each bee while a simulation runs."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from worker.bee import BeeSpec
from worker.decide.course import Effect
from worker.decide.policy import Policy
from worker.incidents.machine import Incident, State
from worker.whatif.series import Point, Series, limit_of
from worker.whatif.simulation import Judged
from worker.whatif.stream import Item

RUN, ESCALATED, VERSION = "run", "escalated", "version"
_TOLD = {State.ESCALATED: ESCALATED, State.CLOSED: "closed"}


class Drawing:
    """The series of every bee under one policy."""

    def __init__(self, policy: Policy) -> None:
        """Begin with none."""
        self.bees: dict[str, Series] = {}
        self._policy = policy
        self._versions: dict[str, str] = {}

    def judged(self, item: Item, found: Judged) -> None:
        """Take an evaluation with its conclusion."""
        evaluation, bee = item.evaluation, item.bee
        if evaluation is None or bee is None or not found.decision.moves_watermark:
            return
        series = self._of(bee)
        value = evaluation.metrics.get(bee.metric)
        baseline = evaluation.baseline.get(bee.metric)
        if baseline is None:
            baseline = item.standing.recorded.get(bee.metric)
        shown = None if value is None else float(value)
        rule = self._policy.of(bee.bee).metric
        limit = limit_of(rule, baseline, lower_is_better=bee.lower_is_better)
        base = None if baseline is None else float(baseline)
        series.add(Point(evaluation.evaluated_at, shown, shown, base, limit, found.decision.action))
        if self._versions.setdefault(bee.bee, evaluation.version) != evaluation.version:
            self._versions[bee.bee] = evaluation.version
            series.mark(VERSION, evaluation.evaluated_at)

    def began(self, bee: str, run: str, cost: Decimal, now: datetime) -> None:  # noqa: ARG002 - a watcher's signature
        """Mark a run."""
        self._named(bee).mark(RUN, now)

    def changed(
        self,
        bee: str,
        before: Incident | None,
        after: Incident,
        effects: Sequence[Effect],  # noqa: ARG002 - a watcher's signature
        now: datetime,
    ) -> None:
        """Mark where an incident is handed to a person, and where it ends."""
        name = _TOLD.get(after.state)
        if name is not None and (before is None or before.state is not after.state):
            self._named(bee).mark(name, now)

    def ended(self) -> None:
        """The recording has ended."""
        for series in self.bees.values():
            series.finish()

    def _of(self, bee: BeeSpec) -> Series:
        found = self._named(bee.bee)
        if found.metric != bee.metric:
            floor = self._policy.of(bee.bee).metric.floor
            found.metric, found.floor = bee.metric, None if floor is None else float(floor)
        return found

    def _named(self, bee: str) -> Series:
        found = self.bees.get(bee)
        if found is None:
            found = self.bees[bee] = Series("")
        return found
