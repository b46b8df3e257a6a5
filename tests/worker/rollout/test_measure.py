"""What is compared: a mean over rows, the plan's or the bee's own, else what stands for it."""

from typing import Any

import pytest

from tests.worker.rollout.rolled import bee
from worker.errors import Rejected
from worker.rollout.measure import ROW_WISE, Measure, measure_of
from worker.rollout.row_metrics import primary_metric, row_metric
from worker.rollout_plan import RolloutSpec

CANARY = RolloutSpec(strategy="canary")


@pytest.mark.parametrize(
    ("task", "metric", "asked", "found"),
    [
        ("binary", "accuracy", "", Measure("accuracy", bounds=(0.0, 1.0))),
        ("binary", "f1", "", Measure("accuracy", bounds=(0.0, 1.0))),
        ("multiclass", "f1_macro", "", Measure("accuracy", bounds=(0.0, 1.0))),
        ("binary", "f1", "error_rate", Measure("error_rate", lower_is_better=True, bounds=(0.0, 1.0))),
        ("binary", "log_loss", "", Measure("log_loss", lower_is_better=True)),
        ("regression", "rmse", "", Measure("mae", lower_is_better=True)),
        ("binary", "f1", "f1", Measure("f1")),
    ],
)
def test_what_is_compared(task: str, metric: str, asked: str, found: Measure) -> None:
    """F1 and AUC are no mean over rows; accuracy and the absolute error stand for them unless the plan says more."""
    plan = CANARY.model_copy(update={"metric": asked})

    assert measure_of(bee(task=task, metric=metric), plan) == found


def test_a_metric_of_no_direction_is_refused() -> None:
    """Nobody knows whether more of it is better."""
    with pytest.raises(Rejected, match="the direction of the metric 'happiness' is not known"):
        measure_of(bee(), CANARY.model_copy(update={"metric": "happiness"}))


def test_rows_can_tell_all_that_is_said_to_be_of_rows() -> None:
    """What is chosen here is what is computed from rows."""
    for task, known in ROW_WISE.items():
        for name, bounds in known.items():
            found = row_metric(name, task)
            assert found is not None
            assert found.bounds == bounds
            assert found.lower_is_better == measure_of(bee(task=task, metric=name), CANARY).lower_is_better
    for task, metric in (("binary", "f1"), ("multiclass", "f1_macro"), ("regression", "r2")):
        spec: Any = bee(task=task, metric=metric)
        stands_for = primary_metric(spec)
        assert stands_for is not None
        assert stands_for.name == measure_of(spec, CANARY).metric
