from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.bee import BEE_ID, BeeSpec, duration_text, exact, parse_duration

SPEC: dict[str, Any] = {"bee": "b", "entity": "content", "label": "label", "features": ["a"], "metric": "f1"}


@given(st.timedeltas(min_value=timedelta(0)))
def test_durations_are_exact(value: timedelta) -> None:
    """A duration as text is the same duration again."""
    assert parse_duration(duration_text(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30d", timedelta(days=30)),
        ("12h", timedelta(hours=12)),
        ("86400s", timedelta(days=1)),
        ("1w", timedelta(weeks=1)),
        (" 5m ", timedelta(minutes=5)),
        ("0s", timedelta(0)),
    ],
)
def test_durations(text: str, value: timedelta) -> None:
    """Durations are written with a number and a unit."""
    assert parse_duration(text) == value


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "1.5h", "30 d", "1d2h", "30D", "9" * 30 + "d"])
def test_what_is_no_duration(text: str) -> None:
    """Other forms, and lengths that no calendar has, are refused."""
    with pytest.raises(ValueError, match=r"duration|too long"):
        parse_duration(text)


def test_what_is_no_text_is_left_to_the_caller() -> None:
    """A value of another type passes through."""
    assert parse_duration(timedelta(1)) == timedelta(1)
    assert parse_duration(None) is None


@given(st.sampled_from(["binary", "multiclass", "regression"]), st.integers(1, 90), st.floats(0.01, 0.99))
def test_a_frozen_spec_is_the_same_spec(task: str, days: int, holdout: float) -> None:
    """What is frozen into a run reads back as the very spec."""
    spec = BeeSpec.model_validate({**SPEC, "task": task, "window": f"{days}d", "gate": {"holdout": holdout}})

    assert BeeSpec.model_validate(spec.frozen()) == spec


def test_a_spec_is_written_in_camel_case() -> None:
    """Outside the code the names are those of the file."""
    assert BeeSpec.model_validate(SPEC).frozen()["gate"]["minNewRows"] == 50


def test_a_spec_cannot_be_changed() -> None:
    """A spec is a value."""
    spec = BeeSpec.model_validate(SPEC)

    with pytest.raises(ValidationError):
        spec.metric = "loss"  # type: ignore[misc]


def test_direction() -> None:
    """The direction is known by the metric's name, or declared."""
    assert BeeSpec.model_validate(SPEC).lower_is_better is False
    assert BeeSpec.model_validate({**SPEC, "metric": "rmse"}).lower_is_better is True
    assert BeeSpec.model_validate({**SPEC, "metric": "regret", "metricDirection": "lower"}).lower_is_better is True
    assert BeeSpec.model_validate({**SPEC, "metric": "loss", "metricDirection": "higher"}).lower_is_better is False


@pytest.mark.parametrize("name", ["", "-b", "B", "a_b", "a" * 64, "a\n", "bee/..", "ä"])
def test_names_that_are_refused(name: str) -> None:
    """A bee's name can be part of ids and paths."""
    assert not BEE_ID.fullmatch(name)
    with pytest.raises(ValidationError):
        BeeSpec.model_validate({**SPEC, "bee": name})


def test_exact() -> None:
    """A number is the decimal that its text spells."""
    assert exact(0.1) == Decimal("0.1")
