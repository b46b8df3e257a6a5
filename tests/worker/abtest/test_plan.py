"""What a plan says, and what it refuses."""

from datetime import timedelta
from typing import Any

import pytest

from tests.worker.abtest.world import plan
from worker.abtest.plan import AbPlan


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"versions": ["1"]}, "two to 10"),
        ({"versions": ["1", "1"]}, "different"),
        ({"versions": [str(n) for n in range(11)]}, "two to 10"),
        ({"split": [50]}, "each of the 2 versions"),
        ({"split": [60, 50]}, "100 in all"),
        ({"split": [100, 0]}, "100 in all"),
        ({"minimumEffect": 0}, "greater than 0"),
        ({"minimumEffect": float("inf")}, "finite"),
        ({"maxDuration": "30s"}, "at least a minute"),
        ({"minDuration": "11d"}, "not be longer than maxDuration"),
        ({"every": "11d"}, "not be longer than maxDuration"),
        ({"horizon": "10d"}, "shorter than maxDuration"),
        ({"metric": "accuracy", "guards": {"accuracy": {}}}, "guard as well"),
        ({"guards": {"recall": {"margin": -1}}}, "greater than or equal"),
        ({"loops": 3}, "Extra inputs"),
    ],
)
def test_what_is_no_plan(changes: dict[str, Any], words: str) -> None:
    """A plan that cannot be followed is refused with what is wrong."""
    with pytest.raises(ValueError, match=words):
        plan(**changes)


def test_what_is_left_out() -> None:
    """Nulls are what nobody gave: shares as even as whole percents allow, forty looks."""
    found = plan(versions=["1", "2", "3"], split=None, every=None, horizon=None, maxDuration="20d")

    assert found.shares == (34, 33, 33)
    assert found.look_every == timedelta(hours=12)
    assert found.traffic("id").shares == {"1": 34, "2": 33, "3": 33}


def test_versions_as_numbers() -> None:
    """Versions may be written as numbers; a boolean is none."""
    assert plan(versions=[1, 2]).versions == ("1", "2")
    with pytest.raises(ValueError, match="versions"):
        plan(versions=[True, 2])


def test_there_and_back() -> None:
    """A plan is read back as it was told."""
    found = plan(split=[10, 90], guards={"recall": {"margin": 0.1, "bounds": [0, 1]}}, horizon="3d", stratify="country")

    assert AbPlan.of(found.as_json()) == found


def test_the_level_is_shared() -> None:
    """Each comparison with the control has its share of the chance of a false finding."""
    assert plan(versions=["1", "2", "3"], confidence=0.9).alpha == pytest.approx(0.05)
