"""Checks of definitions and values."""

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.features.definition import (
    check_definition,
    check_entity_id,
    check_not_ahead,
    checks_of,
    normal,
    time_us,
    unknown_feature,
    value_check,
)
from worker.features.port import Definition

GOOD = Definition("spam_probability", "content", "number")


def with_(**changes: object) -> Definition:
    """Return the good definition with some fields changed."""
    return Definition(**{**vars(GOOD), **changes})


@pytest.mark.parametrize("name", ["a", "a" + "b" * 127, "score_2"])
def test_a_good_name_is_accepted(name: str) -> None:
    """A name is a lower-case letter and up to 127 more letters, digits and underscores."""
    check_definition(with_(name=name))


@pytest.mark.parametrize("name", ["", "2nd", "_x", "Score", "a b", "a" * 129, "naïve", "a\n", "a-b"])
@pytest.mark.parametrize("field", ["name", "entity"])
def test_a_bad_name_is_refused_by_its_field(name: str, field: str) -> None:
    """A bad name or entity is refused, and the error names which."""
    with pytest.raises(Rejected) as caught:
        check_definition(with_(**{field: name}))
    assert caught.value.field == field
    assert caught.value.mend


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"type": "text"}, "type"),
        ({"source": "guessed"}, "source"),
        ({"source": "computed"}, "computation"),
        ({"source": "computed", "computation": " "}, "computation"),
        ({"source": "computed", "computation": "sum(x"}, "computation"),
        ({"source": "computed", "computation": "if(s == '\ud800', 1, 2)"}, "computation"),
        ({"computation": "sum(x)"}, "computation"),
        ({"ttl": timedelta(seconds=-1)}, "ttl"),
    ],
)
def test_a_definition_that_cannot_be_kept_is_refused(changes: dict[str, object], field: str) -> None:
    """Unknown types and sources, computations and a negative ttl are refused by their field."""
    with pytest.raises(Rejected) as caught:
        check_definition(with_(**changes))
    assert caught.value.field == field


def test_a_computation_is_checked_for_its_form() -> None:
    """One that is in the language passes here; what it reads is for the store to check, which knows the others."""
    check_definition(with_(source="computed", computation="sum(engagement) / account_age"))


def test_a_ttl_of_nothing_means_for_ever() -> None:
    """`0s` is stored as no ttl."""
    assert normal(with_(ttl=timedelta(0))).ttl is None
    assert normal(with_(ttl=timedelta(1))).ttl == timedelta(1)


def test_an_unknown_feature_is_told_with_what_there_is() -> None:
    """The error lists features that are defined."""
    assert "'nope'" in str(unknown_feature("nope", ["b", "a"]))
    assert "a, b" in str(unknown_feature("nope", ["b", "a"]))


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("number", 1, 1.0),
        ("number", 0.1, 0.1),
        ("number", 2**53, 2.0**53),
        ("number", None, None),
        ("string", "", ""),
        ("string", "ÿ💡\0", "ÿ💡\0"),
        ("string", "x" * 65536, "x" * 65536),
        ("boolean", False, False),
        ("vector", [1, 2.5], [1.0, 2.5]),
        ("vector", None, None),
    ],
)
def test_a_value_of_the_type_is_taken_in_its_stored_form(kind: str, value: object, stored: object) -> None:
    """Values of the type pass, whole numbers as floats."""
    checked = value_check(kind)(value)  # type: ignore[arg-type]
    assert checked == stored
    assert type(checked) is type(stored)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("number", True),
        ("number", "1"),
        ("number", math.nan),
        ("number", math.inf),
        ("number", -math.inf),
        ("number", 2**53 + 1),
        ("number", 10**400),
        ("number", [1.0]),
        ("string", 1),
        ("string", "é" * 32769),
        ("string", "\ud800"),
        ("string", b"bytes"),
        ("boolean", 1),
        ("boolean", "true"),
        ("vector", []),
        ("vector", [1.0, None]),
        ("vector", [1.0, math.nan]),
        ("vector", [True]),
        ("vector", "12"),
        ("vector", [0.0] * 8193),
        ("vector", {1.0}),
    ],
)
def test_a_value_of_another_type_is_refused(kind: str, value: object) -> None:
    """A wrong type, a number that is not finite or not exact, and what is too long are refused as `value`."""
    with pytest.raises(Rejected) as caught:
        value_check(kind)(value)  # type: ignore[arg-type]
    assert caught.value.field == "value"


def test_there_is_one_zero() -> None:
    """Minus zero is stored as zero, so that equal values are the same value."""
    assert math.copysign(1, value_check("number")(-0.0)) == 1  # type: ignore[arg-type]


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=200))
def test_any_unicode_is_an_entity_id(entity_id: str) -> None:
    """Any text of 1 to 1024 bytes of UTF-8 without NUL is an entity id."""
    check_entity_id(entity_id)


@pytest.mark.parametrize("entity_id", ["", "a\0b", "x" * 1025, "é" * 513, "\udfff", 7, None])
def test_what_is_no_entity_id_is_refused(entity_id: object) -> None:
    """Empty, too long, NUL, half a surrogate pair and what is no text are refused as `entityId`."""
    with pytest.raises(Rejected) as caught:
        check_entity_id(entity_id)  # type: ignore[arg-type]
    assert caught.value.field == "entityId"


def test_a_time_without_a_zone_is_refused() -> None:
    """A time needs a zone, and one with a zone is stored in UTC."""
    with pytest.raises(Rejected, match="zone"):
        time_us(datetime(2002, 9, 28), "timestamp")  # noqa: DTZ001
    plus_two = timezone(timedelta(hours=2))
    assert time_us(datetime(2002, 9, 28, 2, tzinfo=plus_two), "") == time_us(datetime(2002, 9, 28, tzinfo=UTC), "")


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_a_time_that_leaves_the_calendar_in_utc_is_refused(moment: datetime) -> None:
    """What is no year 1 to 9999 in UTC could be stored and never be shown, and is refused."""
    hours = 5 if moment.year == 1 else -5
    with pytest.raises(Rejected, match="outside"):
        time_us(moment.replace(tzinfo=timezone(timedelta(hours=hours))), "timestamp")
    time_us(moment, "timestamp")


def test_a_time_may_be_five_minutes_ahead_and_no_more() -> None:
    """Exactly five minutes ahead of the clock is accepted, a microsecond more is not."""
    check_not_ahead(300_000_000, 0, "timestamp")
    with pytest.raises(Rejected, match="5 minutes"):
        check_not_ahead(300_000_001, 0, "timestamp")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minimum": 2, "maximum": 1}, "minimum"),
        ({"minimum": math.nan}, "minimum"),
        ({"maximum": math.inf}, "maximum"),
        ({"maximum": 10**400}, "maximum"),
        ({"minimum": True}, "minimum"),
        ({"type": "string", "minimum": 0}, "minimum"),
        ({"type": "boolean", "maximum": 1}, "maximum"),
        ({"type": "vector", "maximum": 1}, "maximum"),
        ({"unit": 5}, "unit"),
        ({"owner": "\ud800"}, "owner"),
        ({"description": "x" * (16 * 1024 + 1)}, "description"),
        ({"tags": ("",)}, "tags"),
        ({"tags": (" ",)}, "tags"),
        ({"tags": tuple(str(number) for number in range(65))}, "tags"),
    ],
)
def test_a_range_or_a_word_that_cannot_be_kept_is_refused(changes: dict[str, object], field: str) -> None:
    """A range is of a number and not empty; words are text of a bearable length."""
    with pytest.raises(Rejected) as caught:
        check_definition(with_(**changes))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("minimum", "maximum", "inside", "outside", "words"),
    [
        (0, 1, [0, 0.5, 1, None], [-1, 1.0000001], "0 to 1"),
        (None, 1, [-1e308, 1, None], [2], "at most 1"),
        (0, None, [0, 1e308, None], [-1e-9], "at least 0"),
        (1, 1, [1], [0, 2], "1 to 1"),
    ],
)
def test_a_declared_range_is_checked(
    minimum: float | None, maximum: float | None, inside: list[float | None], outside: list[float], words: str
) -> None:
    """Both bounds are inclusive and either may be left open; what lies outside is refused with the range."""
    check = checks_of(with_(minimum=minimum, maximum=maximum))
    assert [check(value) for value in inside] == inside
    for value in outside:
        with pytest.raises(Rejected, match=words):
            check(value)
