"""Time as a value: UTC datetimes at the surface, whole microseconds since 1970 in storage."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Clock = Callable[[], datetime]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def wall_clock() -> datetime:
    """Return the time now, in UTC."""
    return datetime.now(tz=UTC)


def to_us(moment: datetime) -> int:
    """Return whole microseconds since 1970-01-01 UTC; `moment` must carry a zone (ValueError otherwise)."""
    if moment.tzinfo is None:
        msg = "a time without a zone"
        raise ValueError(msg)
    since = moment - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def from_us(microseconds: int) -> datetime:
    """Return the UTC datetime of whole microseconds since 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def parse_time(text: str) -> datetime:
    """Return the UTC datetime of an RFC 3339 text.

    Raises:
        ValueError: not a time, a time without a zone, or one beyond the years 1 to 9999 in UTC.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        msg = f"{text!r} has no zone; write it as 2002-09-28T00:00:00Z"
        raise ValueError(msg)
    if moment.tzinfo is UTC:
        return moment
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = f"{text!r} lies outside the years 1 to 9999"
        raise ValueError(msg) from error


def to_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC with a `Z`, with microseconds only where there are any."""
    return _utc_text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


@lru_cache(4096)
def _utc_text(moment: datetime) -> str:
    # One event's times are written several times each.
    return moment.isoformat().replace("+00:00", "Z")


class VirtualClock:
    """The clock of a replay: the newest event time seen so far; it never goes back."""

    def __init__(self, start: datetime = EPOCH) -> None:
        """Begin at `start`."""
        self._now = start

    def __call__(self) -> datetime:
        """Return the newest time seen."""
        return self._now

    def advance(self, moment: datetime) -> None:
        """Move to `moment` unless that is in the past."""
        self._now = max(self._now, moment)
