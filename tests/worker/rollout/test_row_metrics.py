"""Metrics of single rows."""

import numpy as np
import pytest

from worker.bee import BeeSpec
from worker.rollout.row_metrics import primary_metric, row_metric
from worker.steps.metrics import Scores, measure

GENERATOR = np.random.default_rng(7)
TRUTH = GENERATOR.random(200) < 0.3
SCORE = np.clip(GENERATOR.random(200) * 0.6 + TRUTH * 0.3, 0, 1)
ROWS = {
    "binary": Scores(TRUTH, SCORE >= 0.5, SCORE),
    "multiclass": Scores(GENERATOR.integers(0, 3, 200), GENERATOR.integers(0, 3, 200)),
    "regression": Scores(GENERATOR.normal(size=200), GENERATOR.normal(size=200)),
}
KNOWN = [
    ("binary", "accuracy"),
    ("binary", "error_rate"),
    ("binary", "brier"),
    ("binary", "log_loss"),
    ("multiclass", "accuracy"),
    ("multiclass", "f1_micro"),
    ("regression", "mae"),
    ("regression", "mse"),
]


@pytest.mark.parametrize(("task", "name"), KNOWN)
def test_their_mean_is_the_metric_itself(task: str, name: str) -> None:
    """What is tested row by row has the metric's own value as its mean, and keeps within its bounds."""
    metric = row_metric(name, task)
    assert metric is not None
    values = metric.of(ROWS[task])
    assert values is not None
    assert float(np.mean(values)) == pytest.approx(measure(name, task, ROWS[task]))
    if metric.bounds:
        assert metric.bounds[0] <= values.min() <= values.max() <= metric.bounds[1]


def test_what_is_no_mean_over_rows_is_none() -> None:
    """F1 and the area under the ROC curve cannot be told row by row, nor a probability's loss without one."""
    assert row_metric("f1", "binary") is None
    assert row_metric("roc_auc", "binary") is None
    assert row_metric("rmse", "regression") is None
    brier = row_metric("brier", "binary")
    assert brier is not None
    assert brier.of(Scores(TRUTH, TRUTH)) is None


@pytest.mark.parametrize(
    ("task", "own", "asked", "chosen"),
    [
        ("binary", "f1", "", "accuracy"),
        ("binary", "brier", "", "brier"),
        ("binary", "f1", "log_loss", "log_loss"),
        ("binary", "accuracy", "f1", None),
        ("regression", "rmse", "", "mae"),
        ("regression", "mse", "", "mse"),
    ],
)
def test_the_primary_metric(task: str, own: str, asked: str, chosen: str | None) -> None:
    """It is the plan's, else the bee's own where that is a mean over rows, else accuracy or the absolute error."""
    spec = {"bee": "b", "task": task, "entity": "e", "label": "l", "features": ["f"], "metric": own}
    found = primary_metric(BeeSpec.model_validate(spec), asked)
    assert (found.name if found else None) == chosen
