from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.steps.values import dotted, empty, misfits, parse_type, type_of

_JSON = st.recursive(
    st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
)
SHAPE = {"items": {"fields": {"name": "string", "tags": "list[string]"}}}


@given(_JSON)
def test_a_value_is_of_its_own_type(value: Any) -> None:
    """The type that is read off a value is one that the value has."""
    assert list(misfits(value, type_of(value))) == []


@pytest.mark.parametrize(
    ("written", "type_", "value", "faults"),
    [
        ("boolean", "boolean", 1, ["1 is not a boolean"]),
        ("number", "number", True, ["True is not a number"]),
        ("number", "number", float("nan"), ["nan is not a number"]),
        ("integer", "integer", 3.0, []),
        ("integer", "integer", 3.5, ["3.5 is not an integer"]),
        ("list", "list", [1, "a"], []),
        ("list[string]", "list[string]", ["a", 1], ["[1]: 1 is not a string"]),
        ("list[list[integer]]", "list[list[integer]]", [[1], [2, "x"]], ["[1][1]: 'x' is not an integer"]),
        ({"type": "list", "items": "number"}, "list[number]", [1, 2.5], []),
        (SHAPE, "list[object]", [{"name": "a", "tags": [], "more": 1}], []),
        (
            SHAPE,
            "list[object]",
            [{"name": "a", "tags": ["b", 3]}, {"name": 1}],
            [
                "[0].tags[1]: 3 is not a string",
                "[1].name: 1 is not a string",
                "[1].tags: is missing, a list of strings",
            ],
        ),
    ],
)
def test_what_does_not_fit(written: Any, type_: str, value: Any, faults: list[str]) -> None:
    """A type's parts are checked, each fault with its place; what an object has besides is free."""
    parsed, wrong = parse_type(written, ())

    assert (str(parsed), wrong) == (type_, [])
    assert [f"{dotted(path)}: {text}".removeprefix(": ") for path, text in misfits(value, parsed)] == faults


@pytest.mark.parametrize("word", ["string", "integer", "number", "boolean", "list", "object", "list[object]"])
def test_the_empty_value(word: str) -> None:
    """What stands for nothing is of the type itself."""
    type_ = parse_type(word, ())[0]

    assert list(misfits(empty(type_), type_)) == []
