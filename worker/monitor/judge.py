"""A version judged on a window: its metrics on the labels that are in, and what has moved since the reference."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from worker.bee import BeeSpec, MonitorSpec
from worker.errors import Rejected
from worker.features.columns import Column
from worker.features.port import FeatureStore
from worker.models.port import ArtifactStore, ModelFormat, ModelVersion, Predictor
from worker.monitor.column import Summary, summed_up
from worker.monitor.drift import Drift, compare_column, judge
from worker.monitor.measured import Results, results
from worker.monitor.period import PREVIOUS, Period, enough, labelled_share, window_at
from worker.monitor.rows import Reading, Rows, Seen
from worker.monitor.scoring import scores, served
from worker.publish.events import event_id

#: So many predictions on each side tell how they are distributed.
_MOST_PREDICTED = 20_000
TYPE = "model.evaluated"


@dataclass(frozen=True)
class Asked:
    """What is to be judged.

    Attributes:
        window, reference: instead of the spec's.
    """

    bee: BeeSpec
    version: ModelVersion
    as_of: datetime
    window: Period
    reference: Literal["previous", "training"] | timedelta

    @classmethod
    def at(
        cls,
        bee: BeeSpec,
        version: ModelVersion,
        as_of: datetime,
        window: timedelta | None = None,
        reference: Literal["previous", "training"] | timedelta | None = None,
    ) -> "Asked":
        """Return what a bee's spec asks for as of a time, unless told otherwise."""
        spec: MonitorSpec = bee.monitor
        return cls(bee, version, as_of, window_at(as_of, spec, window), reference or spec.reference)

    @property
    def event_id(self) -> str:
        """The id of its event: one per bee, version and window."""
        return event_id(TYPE, f"{self.bee.bee}/{self.version.version}/{self.window.id}", 0)

    @property
    def before(self) -> Period:
        """The period before the window that tells what is usual."""
        length = self.reference if isinstance(self.reference, timedelta) else PREVIOUS
        return Period(self.window.start - length, self.window.start)


@dataclass(frozen=True)
class Judgement:
    """What was found.

    Attributes:
        complete: whether enough labels are in; if not, nothing is measured, and drift is that of what was seen.
        labelled, usual: share of the entities seen that have a label, in the window and before; None: not known.
        drift: None if there was too little of everything.
        reference_rows: how many rows drift is measured from.
        logged: how many of the rows were judged by what was said when they were served; the others were scored now.
    """

    asked: Asked
    complete: bool
    labelled: float | None
    usual: float | None
    results: Results
    drift: Drift | None
    reference_rows: int
    baseline: Mapping[str, float | None] = field(default_factory=dict)
    logged: int = 0


@dataclass(frozen=True)
class Monitor:
    """Reads and scores through the ports; changes nothing."""

    features: Callable[[], FeatureStore]
    artifacts: ArtifactStore
    format: ModelFormat

    def judge(self, asked: Asked) -> Judgement:
        """Return what is known of a version as of a time.

        Raises:
            Rejected: a bee without rows of its own (it generates text), or rows that cannot be read.
            NotFound: the training snapshot is gone.
        """
        bee, spec = asked.bee, asked.bee.monitor
        if bee.task == "generation":
            reason = f"{bee.bee} generates text: it has no rows whose labels come in"
            raise Rejected(reason, field="task", mend="watch it by the evaluations of whoever reads its texts")
        reading = Reading(self.features(), bee, asked.as_of)
        seen = reading.seen(asked.before.start)
        now, usual = (_labelled(seen, period) for period in (asked.window, asked.before))
        rows = seen.labelled.of_period(asked.window)
        complete = bool(len(rows)) and enough(now, usual, spec.min_labelled)
        predictor = self.format.load(self.artifacts.fetch(asked.version.artifact), asked.version.artifact.sha256)
        said = served(reading.store, bee, asked.version.version, seen.labelled, asked.window, asked.as_of)
        measured = scores(predictor, rows, said, bee) if complete else None
        seed = int(asked.event_id[:8], 16)
        found = results(bee.metric, bee.task, measured, confidence=spec.confidence, seed=seed)
        sides = _sides(asked, reading, seen, complete=complete)
        drift = _drift(bee, reading, predictor, *sides)
        logged = sum(answer is not None for answer in said) if complete else 0
        return Judgement(asked, complete, now, usual, found, drift, len(sides[0]), dict(asked.version.metrics), logged)


def _labelled(seen: Seen, period: Period) -> float | None:
    # A label may have a later time than the row that it is about.
    labelled = seen.labelled.within(period.start).entities
    return labelled_share(seen.entities.of_period(period).entities, labelled)


def _sides(asked: Asked, reading: Reading, seen: Seen, *, complete: bool) -> tuple[Rows, Rows]:
    """Return reference and window, made alike: labelled rows, or where labels are awaited whatever was seen."""
    if asked.reference == "training":
        reference = reading.trained_on(_snapshot(asked.version))
        return reference, seen.labelled.of_period(asked.window)
    if complete:
        return seen.labelled.of_period(asked.before), seen.labelled.of_period(asked.window)
    before, window = (seen.entities.of_period(period) for period in (asked.before, asked.window))
    return reading.features_of(before), reading.features_of(window)


def _snapshot(version: ModelVersion) -> str:
    found = version.lineage.get("snapshotId")
    if not found:
        reason = f"version {version.version} of {version.bee} does not say which rows it was trained on"
        raise Rejected(reason, field="reference", mend="compare with `previous`, or a duration such as 30d")
    return str(found)


def _drift(bee: BeeSpec, reading: Reading, predictor: Predictor, reference: Rows, window: Rows) -> Drift | None:
    spec = bee.monitor.drift
    types = {item.name: item.type for item in reading.store.definitions()}
    columns = [
        compare_column(
            name,
            summed_up(reference.column(name, types.get(name, "string"))),
            summed_up(window.column(name, types.get(name, "string"))),
            spec,
        )
        for name in bee.features
    ]
    predicted = [_predicted(predictor, rows, bee) for rows in (reference, window)]
    predictions = compare_column("predictions", predicted[0], predicted[1], spec)
    found = judge(columns, predictions, spec)
    judged = any(one.judged or one.findings for one in (*found.features, predictions))
    return found if judged else None


def _predicted(predictor: Predictor, rows: Rows, bee: BeeSpec) -> Summary:
    """Return how a model's answers are distributed: probabilities or numbers, else classes."""
    if not len(rows):
        return Summary(0)
    answers = predictor.predict(rows.every(_MOST_PREDICTED).lists(bee.features))
    if bee.task == "regression" or all(answer.score is not None for answer in answers):
        numbers = [answer.prediction if answer.score is None else answer.score for answer in answers]
        return summed_up(Column.of("number", numbers))
    return summed_up(Column.of("string", [answer.prediction for answer in answers]))
