"""The form of a logged prediction."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from worker.bee import BeeSpec
from worker.features.definition import MAX_STRING_BYTES, check_definition, value_check
from worker.features.port import Value
from worker.serving.served import Answer, Names, Served, class_text, definitions_of, is_log, names_of, writes_of

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def _bee(**changes: Any) -> BeeSpec:
    spec = {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "accuracy"}
    return BeeSpec.model_validate({**spec, **changes})


def _written(served: Served, **changes: Any) -> dict[str, Value]:
    return {one.feature: one.value for one in writes_of(_bee(**changes), "c1", NOW, served)}


@pytest.mark.parametrize("name", ["spam-guard", "a", "3d-model", "b" * 63])
@pytest.mark.parametrize("task", ["binary", "regression"])
def test_any_bee_has_features_that_a_store_takes(name: str, task: str) -> None:
    """The names of every bee are names of features, its own alone, with its entity and the ttl that is asked for."""
    spec = _bee(bee=name, task=task, metric="mae" if task == "regression" else "f1")
    found = definitions_of(spec, timedelta(days=90))
    for definition in found:
        check_definition(definition)
    assert [one.name for one in found] == list(names_of(name))
    assert {(one.entity, one.ttl, is_log(one)) for one in found} == {("content", timedelta(days=90), True)}


def test_the_names_are_told_in_the_readme() -> None:
    """Names are the bee's, with `_`; one that begins with a digit has a letter before it."""
    assert names_of("spam-guard") == Names(
        "spam_guard_version", "spam_guard_prediction", "spam_guard_score", "spam_guard_served"
    )
    assert names_of("3d-model").score == "n3d_model_score"


def test_what_is_written_of_a_class() -> None:
    """A class is text beside its score; the JSON has it as it is, with every version's answer and the features."""
    answers = {"3": Answer(1.0, 0.75), "4": Answer(0.0, 0.25)}
    values = _written(Served("3", answers, {"size": 2.5, "colour": None}, latency_ms=0.9))

    assert json.loads(str(values.pop("spam_guard_served"))) == {
        "version": "3",
        "answers": {"3": [1.0, 0.75], "4": [0.0, 0.25]},
        "features": {"size": 2.5, "colour": None},
        "latency_ms": 0.9,
    }
    assert values == {"spam_guard_version": "3", "spam_guard_prediction": "1", "spam_guard_score": 0.75}


def test_what_is_written_of_a_number() -> None:
    """A number is a number, and has no score."""
    values = _written(Served("3", {"3": Answer(12.5)}), task="regression", metric="mae")

    assert values["spam_guard_prediction"] == 12.5
    assert "spam_guard_score" not in values


def test_what_is_not_a_number_is_left_out() -> None:
    """A model that says NaN is logged with what can be said of it: no value of a number is NaN."""
    nan = float("nan")
    assert "spam_guard_score" not in _written(Served("3", {"3": Answer("spam", nan)}))
    values = _written(Served("3", {"3": Answer(nan)}), task="regression", metric="mae")
    assert "spam_guard_prediction" not in values
    assert json.loads(str(values["spam_guard_served"]))["answers"] == {"3": [None, None]}


def test_a_snapshot_that_is_too_long_is_left_out() -> None:
    """The answers are kept where the features would not fit into a value."""
    served = Served("3", {"3": Answer("spam", 0.5)}, {"text": "x" * MAX_STRING_BYTES})
    text = str(_written(served)["spam_guard_served"])

    value_check("string")(text)
    assert json.loads(text) == {"version": "3", "answers": {"3": ["spam", 0.5]}}
    assert served.features


@pytest.mark.parametrize(
    ("value", "text"),
    [("spam", "spam"), (1.0, "1"), (0, "0"), (2.5, "2.5"), (True, "true"), (None, None), (1e300, str(int(1e300)))],
)
def test_a_class_as_text(value: Any, text: str | None) -> None:
    """A class has one text, whether it came as a whole number or as a float."""
    assert class_text(value) == text
