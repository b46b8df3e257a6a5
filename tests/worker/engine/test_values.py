from typing import Any

import pytest

from worker.engine.values import cast, from_text, to_text
from worker.errors import Rejected


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        ("a", "STRING", "a"),
        (3, "NUMBER_INTEGER", 3),
        (3.0, "NUMBER_INTEGER", 3),
        (3, "NUMBER_DOUBLE", 3.0),
        (True, "BOOLEAN", True),
        ([1], "LIST", [1]),
        ({"a": 1}, "STRUCT", {"a": 1}),
    ],
)
def test_cast(value: Any, declared: Any, expected: Any) -> None:
    """A value of the declared type is kept, and a number becomes the declared kind of number."""
    result = cast(value, declared, "p")

    assert (expected, type(expected)) == (result, type(result))


@pytest.mark.parametrize(
    ("value", "declared"),
    [
        (3.5, "NUMBER_INTEGER"),
        ("3", "NUMBER_INTEGER"),
        (True, "NUMBER_INTEGER"),
        (float("nan"), "NUMBER_DOUBLE"),
        (10**400, "NUMBER_DOUBLE"),
        (1, "BOOLEAN"),
        (1, "STRING"),
        ({}, "LIST"),
        (None, "STRING"),
    ],
)
def test_cast_refuses(value: Any, declared: Any) -> None:
    """A value of another type is refused with the name of its parameter."""
    with pytest.raises(Rejected) as caught:
        cast(value, declared, "the.path")

    assert caught.value.field == "the.path"


@pytest.mark.parametrize(
    ("text", "declared", "expected"),
    [
        (" two\n", "STRING", " two\n"),
        ("7\n", "NUMBER_INTEGER", 7),
        ("7", "NUMBER_DOUBLE", 7.0),
        ("True", "BOOLEAN", True),
        ("f", "BOOLEAN", False),
        ('["é"]', "LIST", ["é"]),
        ('{"a": null}', "STRUCT", {"a": None}),
    ],
)
def test_from_text(text: str, declared: Any, expected: Any) -> None:
    """What a step wrote is read as the declared type, a string to the last byte."""
    assert from_text(text, declared, "p") == expected


@pytest.mark.parametrize(
    ("text", "declared"), [("x", "NUMBER_INTEGER"), ("NaN", "NUMBER_DOUBLE"), ("yes", "BOOLEAN"), ("[1e999]", "LIST")]
)
def test_from_text_refuses(text: str, declared: Any) -> None:
    """Text that does not spell a value of the type is refused."""
    with pytest.raises(Rejected):
        from_text(text, declared, "p")


def test_to_text() -> None:
    """In a command line a string stands as it is, and everything else as JSON."""
    assert [to_text(value) for value in ("a b", 1, 1.5, True, {"k": ["é"]})] == [
        "a b",
        "1",
        "1.5",
        "true",
        '{"k": ["é"]}',
    ]
