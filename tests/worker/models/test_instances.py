from typing import Any

import pytest

from worker.errors import Rejected
from worker.models.instances import Share, shared_out

KINDS = {"n": "number", "b": "boolean", "c": "category", "t": "text", "v": "vector:2"}


def _one(body: Any, limit: int = 10) -> Any:
    """Share out among one version."""
    return shared_out(body, {"1": KINDS}, lambda _entity: "1", limit).get("1")


def test_columns_in_order() -> None:
    """Each feature is a column with one value per instance; what an instance leaves out, or says null for, is None."""
    body = {"instances": [{"n": 1, "b": True, "c": "x", "t": "y", "v": [1, 2.5]}, {"n": None}, {"t": ""}]}

    columns = {"n": [1, None, None], "b": [True, None, None], "c": ["x", None, None], "t": ["y", None, ""]}
    assert _one(body) == Share((0, 1, 2), {**columns, "v": [[1, 2.5], None, None]})


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
        _one({"instances": [{}, {name: value}]})

    assert caught.value.field == f"instances[1].{name}"


def test_the_limit() -> None:
    """As many as the limit are taken, one more is not; `parameters` may be empty or null."""
    assert len(_one({"instances": [{}] * 3, "parameters": None}, limit=3).positions) == 3
    with pytest.raises(Rejected, match="at most 3"):
        _one({"instances": [{}] * 4}, limit=3)


def test_each_version_gets_its_instances() -> None:
    """Each instance goes where its entity belongs, one without to the champion, with the columns of that version."""
    kinds = {"1": {"n": "number"}, "2": {"n": "number", "t": "text"}}
    body = {"instances": [{"entityId": "b", "n": 1}, {"n": 2, "t": "x"}, {"entityId": "a", "n": 3}]}

    found = shared_out(body, kinds, lambda entity: "2" if entity == "b" else "1")

    assert found == {"2": Share((0,), {"n": [1], "t": [None]}), "1": Share((1, 2), {"n": [2, 3]})}


@pytest.mark.parametrize("entity", [7, True, ["a"], "x" * 513])
def test_an_entity_is_a_text(entity: Any) -> None:
    """An entity that is none is refused by its place."""
    with pytest.raises(Rejected) as caught:
        _one({"instances": [{"entityId": entity}]})

    assert caught.value.field == "instances[0].entityId"


def test_a_feature_of_that_name_is_a_feature() -> None:
    """A model that has a feature `entityId` is asked with it, and nothing is taken for whom it is about."""
    kinds = {"1": {"entityId": "number"}}

    found = shared_out({"instances": [{"entityId": 3}]}, kinds, lambda entity: "1" if entity is None else "2")

    assert found == {"1": Share((0,), {"entityId": [3]})}
