"""Which prediction belongs to which label."""

import numpy as np
import pytest

from worker.features.spine import Spine
from worker.serving.matching import AFTER, BEFORE, matched

S = 1_000_000
AFTER_S, BEFORE_S = (int(span.total_seconds()) for span in (AFTER, BEFORE))
Row = tuple[str, int]


def _match(rows: list[Row], predictions: list[Row]) -> list[int]:
    spine = Spine.of([one for one, _ in rows], [second * S for _, second in rows])
    ids = [one for one, _ in predictions]
    return matched(spine, ids, np.array([second * S for _, second in predictions])).tolist()


@pytest.mark.parametrize(
    ("rows", "predictions", "expected"),
    [
        pytest.param([("a", 100)], [("a", 50), ("a", 90), ("b", 99)], [1], id="the newest by then"),
        pytest.param([("a", 100)], [("a", 100), ("a", 101)], [0], id="at the very time"),
        pytest.param([("a", 100)], [("a", 103), ("a", 20)], [0], id="nearer, a moment after"),
        pytest.param([("a", 100)], [("a", 103), ("a", 98)], [1], id="nearer, before"),
        pytest.param([("a", 100)], [("a", 103), ("a", 97)], [1], id="as near, before"),
        pytest.param([("a", 100)], [("a", 100 + AFTER_S)], [0], id="the last moment after"),
        pytest.param([("a", 100)], [("a", 101 + AFTER_S)], [-1], id="too late"),
        pytest.param([("a", BEFORE_S)], [("a", 0)], [0], id="the longest ago"),
        pytest.param([("a", BEFORE_S)], [("a", -1)], [-1], id="too long ago"),
        pytest.param([("a", 100)], [("b", 100)], [-1], id="another's"),
        pytest.param([("a", 1000), ("a", 100)], [("a", 50)], [-1, 0], id="the label before had it"),
        pytest.param([("a", 100), ("a", 110)], [("a", 110)], [-1, 0], id="the label after has it"),
        pytest.param([("b", 5), ("a", 5)], [("a", 5), ("b", 5)], [1, 0], id="in any order"),
        pytest.param([], [("a", 5)], [], id="no rows"),
    ],
)
def test_which_belongs_to_which(rows: list[Row], predictions: list[Row], expected: list[int]) -> None:
    """A label has the prediction in force at its time, or one from just after it; never another label's."""
    assert _match(rows, predictions) == expected


def test_the_same_as_looking_at_each() -> None:
    """Many rows at once find what a plain search through all predictions finds for each."""
    random = np.random.default_rng(3)
    rows = list({(f"e{random.integers(20)}", int(random.integers(5000))) for _ in range(150)})
    predictions = list({(f"e{random.integers(20)}", int(random.integers(5000))) for _ in range(200)})

    assert _match(rows, predictions) == [_plainly(row, rows, predictions) for row in rows]


def _plainly(row: Row, rows: list[Row], predictions: list[Row]) -> int:
    entity, at = row
    labels = [time for one, time in rows if one == entity]
    last = max((time for time in labels if time < at), default=-(10**9))
    following = min((time for time in labels if time > at), default=10**9)
    fitting = [
        (abs(time - at), time > at, place)
        for place, (one, time) in enumerate(predictions)
        if one == entity and last < time < following and -BEFORE_S <= time - at <= AFTER_S
    ]
    return min(fitting)[2] if fitting else -1
