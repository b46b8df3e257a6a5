"""A bee's spec: the one file that everything which trains, evaluates or serves a bee reads."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from worker.duration import Duration as Duration  # noqa: PLC0414 - the name that all configuration imports it by
from worker.duration import duration_text as duration_text  # noqa: PLC0414
from worker.duration import parse_duration as parse_duration  # noqa: PLC0414
from worker.errors import Rejected
from worker.generation import Case, GenerationSpec, faults
from worker.metric import lower_is_better
from worker.rollout_plan import RolloutSpec
from worker.value import Value as Value  # noqa: PLC0414 - the name that all configuration values are imported by

BEE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


class Evidence(Value):
    """How much an evaluation must rest on before its metrics count."""

    min_samples: int = Field(default=0, ge=0)
    min_positives: int = Field(default=0, ge=0)


class GateSpec(Value):
    """What a challenger must show to be deployed; losses and margins are in the metric's own unit."""

    holdout: float = Field(default=0.2, gt=0, lt=1)
    min_rows: int = Field(default=100, ge=1)
    min_positives: int = Field(default=20, ge=0)
    min_new_rows: int = Field(default=50, ge=0)
    min_improvement: float = 0.0
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    resamples: int = Field(default=1000, ge=100, le=100_000)
    slices: tuple[str, ...] = ()
    max_slice_loss: float = Field(default=0.05, ge=0)
    min_slice_rows: int = Field(default=30, ge=1)


class Range(Value):
    """Numbers that a search may choose from, both ends included; whole ones if both ends are written without a point.

    Attributes:
        log: draw evenly over the orders of magnitude.
    """

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low must be less than high")
        if self.log and self.low <= 0:
            raise ValueError("low must be above 0 for a log range")
        return self


#: Setting -> what it may be: a range, or the values themselves.
Space = dict[str, Range | tuple[Any, ...]]


class TrainerSpec(GenerationSpec):
    """Which trainer makes the challenger, and with what; a generation trainer has the fields of `GenerationSpec`.

    Attributes:
        space: what a search may try; a tabular trainer has one of its own for each algorithm where none is given.
    """

    type: Literal["tabular", "generation"] = "tabular"
    algorithm: Literal["auto", "logistic_regression", "random_forest", "hist_gradient_boosting", "ridge"] = "auto"
    hyperparameters: dict[str, Any] | Literal["from_best_experiment"] = Field(default_factory=dict)
    refit: bool = False
    space: Space = Field(default_factory=dict)


class Severity(Value):
    """From which score on drift is of a severity; the score is the mean PSI of all features, quiet ones counted as 0.

    A finding that stays below `medium` is low; one feature, or the predictions, with a PSI of `high` alone is medium.
    """

    medium: float = Field(default=0.2, gt=0)
    high: float = Field(default=0.5, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.medium > self.high:
            raise ValueError("medium must not be above high")
        return self


class DriftSpec(Value):
    """When a column has drifted: it is both far enough and surely enough apart, or too much of it is missing or new.

    Attributes:
        min_rows: fewer rows with a value on either side are evidence of nothing.
        psi, jensen_shannon: both distances must be at least this.
        alpha: the corrected p-value (Kolmogorov–Smirnov, or chi-square for categories) must be below this.
        missing: by so much the share of missing values changes, as surely.
        new_categories: so large a share of the rows has a category that the reference does not know.
    """

    min_rows: int = Field(default=100, ge=2)
    psi: float = Field(default=0.1, ge=0)
    jensen_shannon: float = Field(default=0.1, ge=0, le=1)
    alpha: float = Field(default=0.01, gt=0, lt=1)
    correction: Literal["benjamini-hochberg", "holm"] = "benjamini-hochberg"
    missing: float = Field(default=0.05, gt=0, le=1)
    new_categories: float = Field(default=0.01, gt=0, le=1)
    severity: Severity = Severity()


class MonitorSpec(Value):
    """How the bee's model in production is watched.

    Attributes:
        every: judge it by itself so often, at whole multiples since 1970 in UTC; None: only when asked.
        window: the labels of so long are judged.
        label_delay: a window is looked at so long after its end.
        min_labelled: it is judged when the share of its entities that have a label is at least this share of what it
            was in the reference period.
        reference: what is normal: the 30 days before the window (`previous`), so long before it, or the rows that the
            model was trained on (`training`).
        confidence: of the metrics' intervals.
    """

    every: Duration | None = None
    window: Duration = timedelta(days=7)
    label_delay: Duration = timedelta(0)
    min_labelled: float = Field(default=0.8, ge=0, le=1)
    reference: Literal["previous", "training"] | Duration = "previous"
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    drift: DriftSpec = DriftSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        times = {"every": self.every, "window": self.window, "reference": self.reference}
        for name, time in times.items():
            if isinstance(time, timedelta) and time <= timedelta(0):
                raise ValueError(f"{name} must be longer than nothing")
        if self.label_delay < timedelta(0):
            raise ValueError("labelDelay must not be negative")
        return self


class BeeSpec(Value):
    """One bee: its task, its rows, its metric, its trainer and its gate."""

    bee: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    task: Literal["binary", "multiclass", "regression", "generation"] = "binary"
    entity: str = ""
    entities: dict[str, str] = Field(default_factory=dict)
    label: str = ""
    positive: str | float | bool = 1.0
    features: tuple[str, ...] = ()
    prompts: tuple[Case, ...] = ()
    metric: str
    metric_direction: Literal["lower", "higher"] | None = None
    window: Duration = timedelta(days=30)
    trainer: TrainerSpec = TrainerSpec()
    pipeline: str = "auto-retrain"
    mode: Literal["act", "observe"] = "act"
    expect_every: Duration | None = None
    evidence: Evidence = Evidence()
    respect_known_at: bool = True
    gate: GateSpec = GateSpec()
    monitor: MonitorSpec = MonitorSpec()
    rollout: RolloutSpec = RolloutSpec()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.window <= timedelta(0):
            raise ValueError("window must be longer than nothing")
        if len(set(self.features)) != len(self.features):
            raise ValueError("features lists a name twice")
        if (self.task == "generation") != (self.trainer.type == "generation"):
            raise ValueError(f"task {self.task} and trainer type {self.trainer.type} do not go together")
        lacking = faults(self.metric, self.trainer, self.prompts) if self.task == "generation" else self._lacking()
        if lacking:
            raise ValueError("; ".join(lacking))
        if self.label in self.features:
            raise ValueError(f"features holds the label {self.label!r}: the model would be told the answer")
        try:
            lower_is_better(self.metric, self.metric_direction)
            if self.rollout.metric not in {"", self.metric}:
                lower_is_better(self.rollout.metric)
        except Rejected as error:
            raise ValueError(str(error)) from error
        return self

    def _lacking(self) -> list[str]:
        given = {"entity": self.entity, "label": self.label, "features": self.features}
        return [f"{name} is missing; add it" for name, value in given.items() if not value]

    @property
    def reads(self) -> tuple[str, ...]:
        """Every feature whose definition the bee's rows depend on, its label among them."""
        names = (*self.features, self.label, *self.entities.values())
        return tuple(dict.fromkeys(name for name in names if name))

    @property
    def lower_is_better(self) -> bool:
        """Whether the bee's metric falls when its model improves."""
        return lower_is_better(self.metric, self.metric_direction)

    def frozen(self) -> dict[str, Any]:
        """Return the spec as JSON values, to be frozen into a run's parameters, which its monitor is none of."""
        return self.model_dump(mode="json", by_alias=True, exclude={"monitor"})


def exact(value: Any) -> Decimal:
    """Return the decimal that the text of a JSON number spells."""
    return Decimal(str(value))
