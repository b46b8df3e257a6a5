from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.bee import GateSpec
from worker.models.gate import judge

SPEC = GateSpec(slices=("lang",))
GOOD: dict[str, Any] = {
    "rows": 300,
    "positives": 40,
    "challenger": 0.93,
    "champion": 0.34,
    "difference": 0.59,
    "lower": 0.48,
    "upper": 0.68,
    "confidence": 0.95,
    "margin": 0.0,
    "holdoutStart": "2002-09-25T00:00:01Z",
    "holdoutEnd": "2002-09-30T00:00:00Z",
    "challengerTrainedUntil": "2002-09-25T00:00:00Z",
    "championTrainedUntil": "2002-07-29T00:00:00Z",
    "newRows": 3000,
    "slices": [{"column": "lang", "value": "en", "rows": 40, "challenger": 0.9, "champion": 0.8, "loss": -0.1}],
    "baseline": False,
}
BROKEN = [None, float("nan"), float("inf"), float("-inf"), True, "0.9", [], {}]


def test_good_numbers_pass() -> None:
    """A challenger that is surely better on enough unseen rows passes, and each check says what it found."""
    verdict = judge(GOOD, SPEC, task="binary")

    assert verdict.passed
    assert verdict.reasons == ()
    assert len(verdict.checks) == 9


@given(st.sampled_from(sorted(GOOD)))
def test_removing_any_number_never_passes(name: str) -> None:
    """Whatever number is missing, the answer is a refusal with a reason."""
    verdict = judge({key: value for key, value in GOOD.items() if key != name}, SPEC, task="binary")

    assert not verdict.passed
    assert verdict.reason


@given(st.sampled_from(sorted(GOOD)), st.sampled_from(BROKEN))
def test_a_broken_number_never_passes(name: str, value: Any) -> None:
    """Whatever number is null, NaN, infinite or of another type, the answer is a refusal."""
    if name == "slices" and value == []:
        return
    if name == "baseline" and value is True:
        return
    assert not judge(GOOD | {name: value}, SPEC, task="binary").passed


@given(st.sampled_from(BROKEN))
def test_a_slice_without_its_loss_never_passes(value: Any) -> None:
    """A slice whose loss is undefined is a refusal."""
    assert not judge(GOOD | {"slices": [{"column": "lang", "value": "en", "loss": value}]}, SPEC, task="binary").passed


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_passing_is_monotone_in_the_lower_bound(one: float, other: float) -> None:
    """If a lower bound passes, so does every higher one."""
    low, high = sorted((one, other))
    passed = [judge(GOOD | {"lower": bound, "upper": 1.0}, SPEC, task="binary").passed for bound in (low, high)]

    assert passed[0] <= passed[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rows": 99}, "99 rows"),
        ({"positives": 19}, "19 positives"),
        ({"newRows": 49}, "49 labels"),
        ({"lower": 0.0}, "interval"),
        ({"lower": 0.9}, "interval"),
        ({"confidence": 0.9}, "interval"),
        ({"margin": 0.5}, "above 0.5"),
        ({"challengerTrainedUntil": "2002-09-25T00:00:01Z"}, "challengerTrainedUntil"),
        ({"championTrainedUntil": "2002-09-26T00:00:00Z"}, "championTrainedUntil"),
        ({"championMissing": ["age"]}, "without its features age"),
        ({"slices": [{"column": "lang", "value": "de", "loss": 0.051}]}, "slice lang=de"),
        ({"slices": ["lang"]}, "malformed"),
    ],
)
def test_each_check_refuses_with_its_reason(change: dict[str, Any], words: str) -> None:
    """Each single fault is named in the reason."""
    verdict = judge(GOOD | change, SPEC, task="binary")

    assert not verdict.passed
    assert words in verdict.reason


def test_margin_of_the_spec_is_strict() -> None:
    """A lower bound exactly at the margin is not above it."""
    spec = GateSpec(min_improvement=0.48)

    assert not judge(GOOD, spec, task="binary").passed
    assert judge(GOOD | {"lower": 0.4801}, spec, task="binary").passed


def test_without_a_champion_only_the_baseline_counts() -> None:
    """A first model needs neither new rows nor a champion's time, but the same interval."""
    first = GOOD | {"baseline": True, "championTrainedUntil": None, "newRows": None}

    assert judge(first, SPEC, task="binary").passed
    assert not judge(first | {"lower": -0.01}, SPEC, task="binary").passed


def test_positives_count_only_for_binary_tasks() -> None:
    """A regression has no positives, and none are asked for."""
    assert judge(GOOD | {"positives": None}, SPEC, task="regression").passed
