"""What a test reads of the feature store: exposures, answers, outcomes, and what was so before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np

from worker.abtest.exposures import Answers, Exposures, exposures_of
from worker.abtest.measures import Measure, measure_of, primary_name
from worker.abtest.outcomes import Outcomes, Rows, latencies_of, outcomes_of, rows_of
from worker.abtest.plan import AbPlan
from worker.bee import BeeSpec
from worker.clock import to_us
from worker.duration import duration_text
from worker.errors import Rejected
from worker.features.observed import Observed
from worker.features.port import Definition, FeatureStore, Reader, TrainingRequest, Value
from worker.features.spine import Spine
from worker.models.port import Predictor, Scored
from worker.models.traffic import Traffic
from worker.monitor.rows import Rows as Table
from worker.serving.logged import Logged
from worker.serving.served import Served, decoder, names_of

#: A guard of this name is the time that answers took, as the prediction log tells it.
LATENCY = "latency_ms"
#: So many rows are scored at once, so that many more do not take more memory.
_AT_ONCE = 20_000
_NO_ANSWERS = Answers((), np.empty(0, np.int64), (), ())


@dataclass
class Source:
    """Reads one test's evidence; what it has scored once it keeps.

    Attributes:
        traffic: the test's, which assigns entities.
        since: when it began.
        predictor: loads a version's model; asked only where answers are not logged.
    """

    store: FeatureStore
    bee: BeeSpec
    plan: AbPlan
    traffic: Traffic
    since: datetime
    predictor: Callable[[str], Predictor]
    _scored: dict[tuple[str, int], Scored] = field(default_factory=dict, init=False)

    @cached_property
    def definitions(self) -> Mapping[str, Definition]:
        """Feature -> its definition."""
        return {one.name: one for one in self.store.definitions()}

    @cached_property
    def primary(self) -> Measure:
        """The metric that decides. Raises Rejected."""
        name, direction = primary_name(self.bee, self.plan.metric), self.plan.direction or ""
        return measure_of(name, self.bee, self.definitions, direction)

    @cached_property
    def guards(self) -> Mapping[str, Measure]:
        """Guard metric -> what it is. Raises Rejected."""
        return {name: self._guard(name) for name in self.plan.guards}

    def check(self) -> None:
        """Refuse what can never be answered.

        Raises:
            Rejected: a bee without an entity, a metric that is none, a feature that is not known, or a log too short.
        """
        if not self.bee.entity:
            mend = "say in its file whose outcomes count: entity: …"
            raise Rejected(f"{self.bee.bee} has no entity that traffic could be divided by", field="entity", mend=mend)
        _ = self.primary, self.guards
        log = self.definitions.get(names_of(self.bee.bee).served)
        kept = log.ttl if log is not None and self.plan.exposure == "logged" else None
        if kept is not None and kept < self.plan.max_duration:
            mend = "make it shorter, or keep the log longer (COLONY_PREDICTIONS_DAYS)"
            reason = (
                f"the prediction log is kept for {duration_text(kept)}; who was exposed before is not known any more"
            )
            raise Rejected(reason, field="maxDuration", mend=mend)
        for name in (*self.plan.slices, *([self.plan.stratify] if self.plan.stratify else [])):
            if name not in self.bee.features and name not in self.definitions:
                raise Rejected(f"{name!r} is not a feature", field="slices", mend="name features of the bee")

    def exposed(self, as_of: datetime) -> tuple[Exposures, Answers]:
        """Return who was exposed by a time, and the answers.

        Raises:
            Rejected: nothing is logged where it must be, or rows cannot be read.
        """
        if self.plan.exposure == "assigned":
            return self._assigned(as_of)
        answers = self._logged(as_of)
        return exposures_of(answers.entities, answers.times_us, self.traffic, answers.versions), answers

    def outcomes(self, measure: Measure, exposed: Exposures, answers: Answers, as_of: datetime) -> Outcomes:
        """Return what came of each exposed entity by a time. Raises Rejected."""
        horizon = self.plan.horizon
        horizon_us = None if horizon is None else to_us(self.since + horizon) - to_us(self.since)
        rows = self._rows(measure, exposed, answers, as_of)
        return outcomes_of(rows, exposed, to_us(as_of), horizon_us)

    def values_at(self, names: Sequence[str], exposed: Exposures) -> Mapping[str, list[Value]]:
        """Return features of the exposed entities as they were when first exposed. Raises Rejected."""
        wanted = list(dict.fromkeys(names))
        if not wanted or not len(exposed):
            return {name: [] for name in wanted}
        return self._read(wanted, Spine.of(list(exposed.entities), exposed.times_us)).lists(wanted)

    def observed(self, measure: Measure, start: datetime, end: datetime) -> Observed:
        """Return the labels, or the values of a feature that is the metric, of a period. Raises Rejected."""
        name = self.bee.label if measure.rows else measure.name
        known = self.bee.respect_known_at
        return self.store.observations(self.bee.entity, name, start=start, end=end, respect_known_at=known)

    def offline(self, rows: Observed, version_of: Callable[[str], str]) -> Answers:
        """Return what the versions say of rows, each scored once. Raises Rejected."""
        times = rows.times_us.tolist()
        versions = [version_of(entity) for entity in rows.ids]
        named = [f"{version}/{entity}" for version, entity in zip(versions, rows.ids, strict=True)]
        keys = list(zip(named, times, strict=True))
        for version in dict.fromkeys(versions):
            new = [row for row, key in enumerate(keys) if key not in self._scored and versions[row] == version]
            for first in range(0, len(new), _AT_ONCE):
                part = new[first : first + _AT_ONCE]
                said = self._score(version, [rows.ids[row] for row in part], rows.times_us[part])
                self._scored.update({keys[row]: one for row, one in zip(part, said, strict=True)})
        return Answers(rows.ids, rows.times_us, versions, [self._scored[key] for key in keys])

    def _guard(self, name: str) -> Measure:
        asked = self.plan.guards[name]
        if name == LATENCY and name not in self.definitions:
            return Measure(LATENCY, lower_is_better=True, bounds=asked.bounds)
        found = measure_of(name, self.bee, self.definitions, asked.direction or "")
        return found if asked.bounds is None else Measure(name, found.lower_is_better, asked.bounds, rows=found.rows)

    def _rows(self, measure: Measure, exposed: Exposures, answers: Answers, as_of: datetime) -> Rows:
        if measure.name == LATENCY and measure.rows is None and LATENCY not in self.definitions:
            return latencies_of(answers, exposed)
        return rows_of(measure, self.observed(measure, self.since, as_of), exposed, answers, self.bee)

    def _assigned(self, as_of: datetime) -> tuple[Exposures, Answers]:
        rows = self.observed(self.primary, self.since, as_of)
        scored = any(one.rows is not None for one in (self.primary, *self.guards.values()))
        answers = self.offline(rows, self.traffic.version_for) if scored else _NO_ANSWERS
        return exposures_of(rows.ids, rows.times_us, self.traffic), answers

    def _logged(self, as_of: datetime) -> Answers:
        logged = Logged(self.store, self.bee)
        if not logged.exists:
            reason = f"no prediction of {self.bee.bee} was ever logged, so that nobody knows who was exposed to what"
            mend = "serve it here with the log on, or say exposure: assigned, by the documented hash"
            raise Rejected(reason, field="exposure", mend=mend)
        found, read = logged.texts(self.since, as_of, as_of), decoder(Served)
        served: list[Served] = [read(text) for text in found.values.tolist()]
        scored = [one.answers[one.version].scored() for one in served]
        took = [one.latency_ms for one in served]
        return (
            Answers(found.ids, found.times_us, [one.version for one in served], scored, took) if served else _NO_ANSWERS
        )

    def _score(
        self, version: str, ids: list[str], times_us: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    ) -> list[Scored]:
        table = self._read(self.bee.features, Spine.of(ids, times_us))
        return self.predictor(version).predict(table.lists(self.bee.features))

    def _read(self, names: Sequence[str], spine: Spine) -> Table:
        bee = self.bee
        request = TrainingRequest(
            bee.entity, tuple(names), bee.entities, spine=spine, respect_known_at=bee.respect_known_at
        )
        return Table.of(self.store.values_at(request, reader=Reader(f"ab-test:{bee.bee}", "batch")))
