from typing import Any

import pytest

from worker.errors import Rejected
from worker.models.instances import Instances, instances_of, predictions
from worker.models.port import Scored

KINDS = {"n": "number", "b": "boolean", "c": "category", "t": "text", "v": "vector:2"}


def test_columns_in_order() -> None:
    """Each feature is a column with one value per instance; what an instance leaves out, or says null for, is None."""
    body = {"instances": [{"n": 1, "b": True, "c": "x", "t": "y", "v": [1, 2.5]}, {"n": None}, {"t": ""}]}

    columns = {"n": [1, None, None], "b": [True, None, None], "c": ["x", None, None], "t": ["y", None, ""]}
    assert instances_of(body, KINDS) == Instances(3, {**columns, "v": [[1, 2.5], None, None]})


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("n", True, "a finite number"),
        ("n", "1", "a finite number"),
        ("n", float("inf"), "a finite number"),
        ("n", 10**400, "a finite number"),
        ("n", [1], "a finite number"),
        ("b", 1, "true or false"),
        ("c", 1, "a text"),
        ("t", {}, "a text"),
        ("v", [1], "a list of 2 finite numbers"),
        ("v", [1, None], "a list of 2 finite numbers"),
        ("v", 1, "a list of 2 finite numbers"),
    ],
)
def test_each_kind_is_checked(name: str, value: Any, words: str) -> None:
    """A value that is not of its feature's kind is refused by instance and name."""
    with pytest.raises(Rejected, match=words) as caught:
        instances_of({"instances": [{}, {name: value}]}, KINDS)

    assert caught.value.field == f"instances[1].{name}"


def test_the_limit() -> None:
    """As many as the limit are taken, one more is not; `parameters` may be empty or null."""
    assert instances_of({"instances": [{}] * 3, "parameters": None}, KINDS, limit=3).count == 3
    with pytest.raises(Rejected, match="at most 3"):
        instances_of({"instances": [{}] * 4}, KINDS, limit=3)


def test_the_answer() -> None:
    """Predictions stand in the order of their instances."""
    answer = predictions([Scored("spam", 0.9), Scored(3.5, None)])

    assert answer == {"predictions": [{"prediction": "spam", "score": 0.9}, {"prediction": 3.5, "score": None}]}
