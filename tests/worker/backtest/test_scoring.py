"""Curves from what the versions that served answered."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from worker.backtest.scoring import curve, scores_of
from worker.backtest.serving import Serving
from worker.bee import BeeSpec
from worker.clock import to_us
from worker.features.columns import Column
from worker.features.spine import Spine
from worker.features.training import Table
from worker.models.port import Scored
from worker.monitor.rows import Rows

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SPEC: dict[str, Any] = {"bee": "b", "entity": "thing", "label": "label", "features": ["x"], "metric": "f1"}


class _Says:
    """Answers everything alike, or with the row's own `x`."""

    metadata: Mapping[str, Any] = {}

    def __init__(self, answer: Any = None) -> None:
        self._answer = answer

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        return [Scored(value if self._answer is None else self._answer, None) for value in columns["x"]]


def _rows(kind: str, x: Sequence[Any], label: Sequence[Any]) -> Rows:
    times = [to_us(START + day * DAY) for day in range(len(x))]
    columns = {"x": Column.of(kind, x), "label": Column.of(kind, label)}
    return Rows.of(Table(Spine.of([f"t{place}" for place in range(len(x))], times), columns, {}))


def test_f1_so_far_is_of_all_counts_not_a_mean_of_periods() -> None:
    """Ten rows of the one period and one of the other weigh by their counts; without positives nothing is defined."""
    rows = _rows("number", [0.0, 1.0, 1.0, 0.0, 1.0], [0.0, 1.0, 0.0, 0.0, 1.0])
    bee = BeeSpec.model_validate(SPEC)
    scores = scores_of(rows, Serving.whole([(START, "1")]), lambda _: _Says(), bee)

    found = curve(scores, [1, 3, 4, 5], "f1", "binary")

    assert found == [
        (None, None),
        (pytest.approx(2 / 3), pytest.approx(2 / 3)),
        (None, pytest.approx(2 / 3)),
        (1.0, pytest.approx(4 / 5)),
    ]


def test_each_row_is_answered_by_the_version_that_served_it() -> None:
    """What one version gets wrong before the other is deployed stays wrong."""
    rows = _rows("number", [1.0] * 4, [1.0] * 4)
    models = {"1": _Says(0.0), "2": _Says(1.0)}
    serving = Serving.whole([(START, "1"), (START + 2 * DAY, "2")])

    scores = scores_of(rows, serving, models.__getitem__, BeeSpec.model_validate(SPEC))

    assert scores.predicted.tolist() == [False, False, True, True]
    assert [so_far for _, so_far in curve(scores, [2, 4], "accuracy", "binary")] == [0.0, 0.5]


def test_classes_mean_the_same_in_every_period() -> None:
    """A class that appears late does not change what the others were."""
    rows = _rows("string", ["b", "c", "a", "a"], ["b", "b", "a", "c"])
    bee = BeeSpec.model_validate({**SPEC, "task": "multiclass", "metric": "accuracy"})
    scores = scores_of(rows, Serving.whole([(START, "1")]), lambda _: _Says(), bee)

    assert curve(scores, [2, 4], "accuracy", "multiclass") == [(0.5, 0.5), (0.5, 0.5)]
    assert [value for value, _ in curve(scores, [2, 4], "f1_macro", "multiclass")] == [
        pytest.approx(1 / 3),
        pytest.approx(1 / 3),
    ]


def test_a_regression_is_measured_on_all_errors_so_far() -> None:
    """The root of the mean square of all, where a mean of roots would be another number."""
    rows = _rows("number", [0.0, 0.0], [3.0, 4.0])
    bee = BeeSpec.model_validate({**SPEC, "task": "regression", "metric": "rmse"})
    scores = scores_of(rows, Serving.whole([(START, "1")]), lambda _: _Says(), bee)

    assert curve(scores, [1, 2], "rmse", "regression") == [(3.0, 3.0), (4.0, pytest.approx(np.sqrt(12.5)))]


def test_a_period_without_rows_changes_nothing() -> None:
    """Its own value is undefined, and what was known so far stays."""
    rows = _rows("number", [1.0], [1.0])
    scores = scores_of(rows, Serving.whole([(START, "1")]), lambda _: _Says(), BeeSpec.model_validate(SPEC))

    assert curve(scores, [1, 1], "f1", "binary") == [(1.0, 1.0), (None, 1.0)]
