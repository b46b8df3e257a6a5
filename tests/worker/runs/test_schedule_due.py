from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runs.schedule_due import newest_due

BERLIN = "Europe/Berlin"


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _all(cron: str, zone: str, start: str, end: str) -> list[str]:
    """Return every occurrence in (start, end], as a worker that looks each minute finds them."""
    found: list[str] = []
    last, now, stop = _utc(start), _utc(start), _utc(end)
    while now <= stop:
        due = newest_due(cron, zone, after=last, now=now)
        if due is not None:
            found.append(f"{due:%m-%d %H:%M}")
            last = due
        now += timedelta(minutes=1)
    return found


@pytest.mark.parametrize(
    ("cron", "zone", "start", "end", "expected"),
    [
        ("0 3 * * 1", "UTC", "2026-11-22T00:00", "2026-11-24T00:00", ["11-23 03:00"]),
        ("0 3 * * 1", BERLIN, "2026-11-22T12:00", "2026-11-23T12:00", ["11-23 02:00"]),
        ("0 3 * * *", BERLIN, "2026-07-01T00:00", "2026-07-02T00:00", ["07-01 01:00"]),
        ("30 23 31 12 *", "Asia/Tokyo", "2026-12-31T00:00", "2027-01-01T00:00", ["12-31 14:30"]),
        # 29 March 2026: 02:00 becomes 03:00 at 01:00 UTC.
        ("30 2 * * *", BERLIN, "2026-03-28T12:00", "2026-03-30T12:00", ["03-29 01:30", "03-30 00:30"]),
        ("0 3 * * *", BERLIN, "2026-03-28T12:00", "2026-03-29T12:00", ["03-29 01:00"]),
        (
            "*/30 * * * *", BERLIN, "2026-03-28T23:59", "2026-03-29T02:00",
            ["03-29 00:00", "03-29 00:30", "03-29 01:00", "03-29 01:30", "03-29 02:00"],
        ),
        # 25 October 2026: 03:00 becomes 02:00 at 01:00 UTC.
        ("30 2 * * *", BERLIN, "2026-10-24T12:00", "2026-10-26T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("0 3 * * *", BERLIN, "2026-10-24T12:00", "2026-10-25T12:00", ["10-25 02:00"]),
        (
            "*/30 * * * *", BERLIN, "2026-10-24T23:59", "2026-10-25T02:00",
            ["10-25 00:00", "10-25 00:30", "10-25 01:00", "10-25 01:30", "10-25 02:00"],
        ),
    ],
)  # fmt: skip
def test_occurrences(cron: str, zone: str, start: str, end: str, expected: list[str]) -> None:
    """Each occurrence comes once, at its time on the zone's clock, on the days that change the clock, too."""
    assert _all(cron, zone, start, end) == expected


def test_missed() -> None:
    """Of what was missed only the newest occurrence is due, and an occurrence is due at its very moment."""
    week = newest_due("0 3 * * *", "UTC", after=_utc("2026-11-01T03:00"), now=_utc("2026-11-08T02:59"))
    sharp = newest_due("0 3 * * *", "UTC", after=_utc("2026-11-01T03:00"), now=_utc("2026-11-02T03:00"))

    assert (week, sharp) == (_utc("2026-11-07T03:00"), _utc("2026-11-02T03:00"))
    assert newest_due("0 3 * * *", "UTC", after=_utc("2026-11-02T03:00"), now=_utc("2026-11-02T23:00")) is None


def test_rare() -> None:
    """A leap day is found over years."""
    due = newest_due("0 0 29 2 *", "UTC", after=_utc("2024-01-01T00:00"), now=_utc("2027-06-01T00:00"))

    assert due == _utc("2024-02-29T00:00")


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(ZoneInfo("UTC"))),  # noqa: DTZ001
    st.integers(1, 60 * 24 * 40),
    st.sampled_from(["0 3 * * 1", "30 2 * * *", "15 */4 * * *", "*/20 * * * *", "0 0 1 * *"]),
    st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_invariants(after: datetime, minutes: int, cron: str, zone: str) -> None:
    """What is due lies in (after, now], and after it was taken care of nothing is due at the same time."""
    now = after + timedelta(minutes=minutes)
    due = newest_due(cron, zone, after=after, now=now)
    if due is None:
        return

    assert after < due <= now
    assert newest_due(cron, zone, after=due, now=now) is None
    assert newest_due(cron, zone, after=after, now=due) == due
