from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.bee import BeeSpec
from worker.steps import candidates
from worker.steps.fitting import Fitted, Plan, fit_best
from worker.steps.tables import Rows

START, COUNT = datetime(2026, 1, 1, tzinfo=UTC), 90


def _rows(columns: dict[str, Any]) -> Rows:
    times = [START + timedelta(hours=hour) for hour in range(COUNT)]
    return Rows([f"c{row}" for row in range(COUNT)], times, columns, {})


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("word", [None, "a word"])
def test_a_feature_without_any_value(task: str, word: str | None) -> None:
    """A feature that has no value yet, at all or in the oldest rows, keeps no algorithm from learning from the rest."""
    columns: dict[str, Any] = {
        "known": [float(row % 2) for row in range(COUNT)],
        "never": [None] * COUNT,
        "lately": [None] * (COUNT - 10) + [1.0] * 10,
        "y": [float(row % 2) for row in range(COUNT)],
    }
    features = ["known", "never", "lately"]
    if word:
        columns["said"] = [word] * COUNT
        features.append("said")
    metric = "f1" if task == "binary" else "mae"
    bee = BeeSpec.model_validate(
        {"bee": "b", "task": task, "entity": "e", "label": "y", "metric": metric, "features": features}
    )

    for algorithm in candidates.names(task, "auto"):
        fitted = fit_best(_rows(columns), bee, Plan(algorithm, {}, 3, 1))

        assert isinstance(fitted, Fitted)
        assert fitted.report["validation"][algorithm] is not None
