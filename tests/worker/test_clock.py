from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clock import EPOCH, VirtualClock, from_us, parse_time, to_text, to_us, wall_clock

MOMENTS = st.builds(
    lambda microseconds, zone: from_us(microseconds).astimezone(zone),
    st.integers(-(60 * 10**15), 250 * 10**15),
    st.timezones() | st.just(UTC),
)


@given(MOMENTS)
def test_microseconds_are_exact(moment: datetime) -> None:
    """A time as whole microseconds is the same time again, in UTC."""
    found = from_us(to_us(moment))

    assert found == moment.astimezone(UTC)
    assert found.tzinfo is UTC


@given(MOMENTS)
def test_text_is_exact(moment: datetime) -> None:
    """A time as text is the same time again, whatever its zone was."""
    text = to_text(moment)

    assert parse_time(text) == moment.astimezone(UTC)
    assert text.endswith("Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2002-09-28T00:00:00Z", datetime(2002, 9, 28, tzinfo=UTC)),
        ("2002-09-28T02:00:00+02:00", datetime(2002, 9, 28, tzinfo=UTC)),
        ("2002-09-28T00:00:00.000001Z", datetime(2002, 9, 28, 0, 0, 0, 1, tzinfo=UTC)),
        ("1969-12-31T23:59:59Z", EPOCH - timedelta(seconds=1)),
    ],
)
def test_parse(text: str, expected: datetime) -> None:
    """RFC 3339 is read into UTC, before 1970 too."""
    assert parse_time(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "soon", "2002-09-28", "2002-09-28T00:00:00", "2002-02-30T00:00:00Z", "2002-09-28T25:00:00Z",
     "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)  # fmt: skip
def test_what_is_no_time(text: str) -> None:
    """A text that is no time, has no zone or lies outside the years 1 to 9999 is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever the text, it is a time or a ValueError."""
    try:
        assert parse_time(text).tzinfo is UTC
    except ValueError:
        return


def test_a_time_without_a_zone_has_no_place() -> None:
    """A naive time is refused: nobody knows when it was."""
    with pytest.raises(ValueError, match="zone"):
        to_us(datetime(2002, 1, 1))  # noqa: DTZ001


@given(st.lists(MOMENTS))
def test_the_virtual_clock_never_goes_back(moments: list[datetime]) -> None:
    """It is the newest time seen."""
    clock = VirtualClock()
    for moment in moments:
        clock.advance(moment)

    assert clock() == max([EPOCH, *moments])


def test_the_wall_clock_is_utc() -> None:
    """Now is told in UTC."""
    assert wall_clock().utcoffset() == timedelta(0)
    assert to_text(datetime(2002, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == "2001-12-31T23:00:00Z"
