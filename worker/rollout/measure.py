"""What a rollout compares: a metric that is a mean over rows, so that each labelled row says something of it; pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.metric import lower_is_better
from worker.rollout_plan import RolloutSpec

Bounds = tuple[float, float] | None
_SHARE = (0.0, 1.0)
_CLASSES: dict[str, Bounds] = {"accuracy": _SHARE, "error_rate": _SHARE}
_LOSS: dict[str, Bounds] = dict.fromkeys(("log_loss", "logloss", "loss", "cross_entropy"))
#: Task -> metrics that are a mean over labelled rows -> between which values one row's share lies; None: unbounded.
ROW_WISE: dict[str, dict[str, Bounds]] = {
    "binary": {**_CLASSES, "brier": _SHARE, "brier_score": _SHARE, **_LOSS},
    "multiclass": {**_CLASSES, "f1_micro": _SHARE},
    "regression": {"mae": None, "mse": None, "loss": None},
}
#: Of these each row's share is 0 or 1: a window's mean and its samples tell as much as the rows themselves.
SHARES = frozenset({"accuracy", "error_rate", "exact_match", "success_rate", "hallucination_rate"})
_USUAL = {"binary": "accuracy", "multiclass": "accuracy", "regression": "mae"}


@dataclass(frozen=True)
class Measure:
    """A metric as it is compared.

    Attributes:
        bounds: of one row's share; None: unbounded, or not known.
    """

    metric: str
    lower_is_better: bool = False
    bounds: Bounds = None

    @property
    def share(self) -> bool:
        """Whether each row's share is 0 or 1."""
        return self.metric in SHARES

    def holds(self, values: Iterable[float]) -> bool:
        """Tell whether these are values that the metric can have."""
        lower, upper = self.bounds or (-math.inf, math.inf)
        return all(lower <= value <= upper for value in values)


def measure_of(bee: BeeSpec, plan: RolloutSpec) -> Measure:
    """Return what a bee's rollout compares: what the plan says, else the bee's own metric where it is a mean over rows.

    Where it is not (F1, AUC) it is accuracy for classes, the absolute error for numbers.

    Raises:
        Rejected: which way the metric of the plan is better is not known.
    """
    name = plan.metric or _own(bee)
    declared = bee.metric_direction if name == bee.metric else None
    try:
        lower = lower_is_better(name, declared)
    except Rejected as error:
        mend = "choose one whose direction is known, or the bee's own with its metricDirection"
        raise Rejected(str(error), field="rollout.metric", mend=mend) from error
    bounds = _SHARE if name in SHARES else ROW_WISE.get(bee.task, {}).get(name)
    return Measure(name, lower, bounds)


def _own(bee: BeeSpec) -> str:
    rows = ROW_WISE.get(bee.task, {})
    return bee.metric if bee.metric in rows or bee.task not in _USUAL else _USUAL[bee.task]
