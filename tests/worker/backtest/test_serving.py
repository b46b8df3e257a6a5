"""Which version served which row."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from worker.backtest.serving import Serving
from worker.clock import to_us
from worker.models.port import Deployment
from worker.models.traffic import Traffic

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CANARY = Traffic((("2", 30), ("1", 70)), salt="r1")


def _deployment(epoch: int, day: int, version: str, divided: Traffic | None = None) -> Deployment:
    return Deployment("bee", epoch, version, None, START + day * DAY, "", None, divided)


SERVING = Serving.of([_deployment(1, 0, "1"), _deployment(2, 2, "1", CANARY), _deployment(3, 4, "2")])


def test_a_row_is_served_by_what_was_deployed_by_its_time() -> None:
    """From its very moment on a deployment holds; before, its predecessor."""
    times = [START, START + 2 * DAY - timedelta(microseconds=1), START + 4 * DAY, START + 9 * DAY]

    found = SERVING.versions(["a", "b", "c", "d"], np.array([to_us(time) for time in times]))

    assert found.tolist() == ["1", "1", "2", "2"]


def test_a_canary_serves_the_entities_that_the_split_gives_it() -> None:
    """During a rollout the entity decides, as it does where predictions are served."""
    entities = [f"e{number}" for number in range(200)]

    found = SERVING.versions(entities, np.full(200, to_us(START + 3 * DAY)))

    assert found.tolist() == [CANARY.version_for(entity) for entity in entities]
    assert 30 < found.tolist().count("2") < 90


def test_of_two_changes_at_one_time_the_later_holds() -> None:
    """A version that was replaced in the moment of its deployment served nobody."""
    serving = Serving.whole([(START, "1"), (START, "2")])

    assert serving.versions(["a"], np.array([to_us(START)])).tolist() == ["2"]


def test_rows_from_before_the_first_version_are_a_fault() -> None:
    """Nobody could have served them."""
    with pytest.raises(ValueError, match="before the first version"):
        SERVING.versions(["a"], np.array([to_us(START) - 1]))


@pytest.mark.parametrize(("begin", "end", "words"), [(0, 2, "1"), (0, 3, "1 → 2 30%/1 70%"), (2, 9, "2 30%/1 70% → 2")])
def test_a_period_says_in_words_what_served_in_it(begin: int, end: int, words: str) -> None:
    """What changed within the period is told in order."""
    assert SERVING.shown(START + begin * DAY, START + end * DAY) == words
