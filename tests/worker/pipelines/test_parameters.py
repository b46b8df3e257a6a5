import math
from typing import Any

import pytest

from worker.errors import Rejected
from worker.pipelines.parameters import Parameter, declared, defaults, from_text, given

RAW: dict[str, Any] = {
    "depth": 3,
    "note": None,
    "rate": {"type": "number", "default": 0.5, "description": "How fast."},
    "names": {"type": "list"},
    "shape": {"a": 1},
}


def test_both_forms() -> None:
    """In short a parameter is its default, whose type it has; in full it may have none, and then must be given."""
    found, faults = declared(RAW)

    assert faults == []
    assert found == {
        "depth": Parameter("integer", 3),
        "note": Parameter("any", None),
        "rate": Parameter("number", 0.5, description="How fast."),
        "names": Parameter("list", None, required=True),
        "shape": Parameter("object", {"a": 1}),
    }
    assert defaults(found) == {"depth": 3, "note": None, "rate": 0.5, "names": None, "shape": {"a": 1}}


@pytest.mark.parametrize(
    ("raw", "path", "words"),
    [
        ({"type": "int", "default": 3}, ("parameters", "x", "type"), "use one of string, integer"),
        ({"type": "integer", "defualt": 3}, ("parameters", "x", "defualt"), "a parameter has type, default"),
        ({"type": "integer", "default": "3"}, ("parameters", "x", "default"), "'3' is not an integer"),
        ({"type": "boolean", "default": 1}, ("parameters", "x", "default"), "1 is not a boolean"),
    ],
)
def test_faults(raw: dict[str, Any], path: tuple[str, ...], words: str) -> None:
    """A declaration that says nothing true is told with its place."""
    _, ((place, text),) = declared({"x": raw})

    assert place == path
    assert words in text


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({"dept": 3, "names": []}, "parameters.dept", "known: depth, names, note, rate, shape"),
        ({"depth": "3", "names": []}, "parameters.depth", "'3' is not an integer"),
        ({"depth": True, "names": []}, "parameters.depth", "True is not an integer"),
        ({"depth": 3.5, "names": []}, "parameters.depth", "3.5 is not an integer"),
        ({"rate": math.nan, "names": []}, "parameters.rate", "nan is not a number"),
        ({"note": math.inf, "names": []}, "parameters.note", "inf is not a value"),
        ({"names": {}}, "parameters.names", "{} is not a list"),
        ({"names": None}, "parameters.names", "None is not a list"),
        ({"depth": None, "names": []}, "parameters.depth", "None is not an integer"),
        ({}, "parameters.names", "is missing. Give a list"),
    ],
)
def test_what_a_trigger_may_not_give(values: dict[str, Any], field: str, words: str) -> None:
    """An unknown name, another type, or a required one that is missing is refused, and named."""
    with pytest.raises(Rejected) as caught:
        given(declared(RAW)[0], values)

    assert caught.value.field == field
    assert words.lower() in str(caught.value).lower()


def test_what_a_trigger_may_give() -> None:
    """Values of the declared types pass, and the bee's name always does."""
    values = {"names": ["a"], "rate": 1, "depth": 4.0, "note": None, "shape": {}, "beeId": "b"}

    assert given(declared(RAW)[0], values) == values


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("string", "3", "3"), ("string", "null", "null"), ("integer", "3", 3), ("number", "0.5", 0.5),
        ("boolean", "true", True), ("list", '["a"]', ["a"]), ("any", "abc", "abc"), ("any", "7", 7),
        ("any", "NaN", "NaN"),
    ],
)  # fmt: skip
def test_typed_by_a_person(type_: str, text: str, value: object) -> None:
    """Text for a string is taken as it is, for everything else as JSON."""
    assert from_text({"x": Parameter(type_)}, "x", text) == value


def test_typed_wrong() -> None:
    """Text that is no JSON of the type is refused by its name."""
    with pytest.raises(Rejected, match=r"parameters.x: 'tru' is not a boolean"):
        from_text({"x": Parameter("boolean")}, "x", "tru")
