"""Lengths of time as people write them: `30d`, `12h`, `86400s`."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer

_DURATION = re.compile(r"(\d+)(us|ms|s|m|h|d|w)")
_UNIT_US = {
    "us": 1,
    "ms": 10**3,
    "s": 10**6,
    "m": 60 * 10**6,
    "h": 3600 * 10**6,
    "d": 86400 * 10**6,
    "w": 604800 * 10**6,
}


def parse_duration(value: Any) -> Any:
    """Return the timedelta of `30d`, `12h`, `86400s`; other values pass through for the caller's own check.

    Raises:
        ValueError: text in another form.
    """
    if not isinstance(value, str):
        return value
    found = _DURATION.fullmatch(value.strip())
    if not found:
        raise ValueError(f"{value!r} is not a duration; write it as 30d, 12h or 86400s")
    try:
        return timedelta(microseconds=int(found[1]) * _UNIT_US[found[2]])
    except OverflowError as error:
        raise ValueError(f"{value!r} is too long; leave it out for ever") from error


def duration_text(value: timedelta) -> str:
    """Return the shortest exact text of a duration, as `parse_duration` reads it."""
    microseconds = value // timedelta(microseconds=1)
    for unit in ("d", "h", "m", "s", "ms"):
        if microseconds % _UNIT_US[unit] == 0:
            return f"{microseconds // _UNIT_US[unit]}{unit}"
    return f"{microseconds}us"


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, return_type=str)]
