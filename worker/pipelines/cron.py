"""Cron expressions and time zones as templates may have them, checked."""

import re
from datetime import datetime
from zoneinfo import ZoneInfo

_FIELD = re.compile(r"[0-9A-Za-z*/,\-]+")
_START = datetime(2001, 1, 1)  # noqa: DTZ001 - wall-clock time, its zone plays no part here


def checked_cron(text: str) -> str:
    """Return a cron expression of five fields with single spaces. Raises ValueError with the mend."""
    fields = text.split()
    mend = 'write minute, hour, day of month, month, day of week, as in "0 3 * * 1"'
    if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
        raise ValueError(f"{text!r} is not a cron expression of five fields; {mend}")
    from croniter import croniter

    expression = " ".join(fields)
    # `H` and `R` would give every process another time.
    if re.search(r"(?<![A-Za-z])[HRhr](?![A-Za-z])", expression) or not croniter.is_valid(expression):
        raise ValueError(f"{text!r} is not a cron expression; {mend}")
    if not _comes(expression):
        raise ValueError(f"{text!r} names a date that never comes; {mend}")
    return expression


def _comes(expression: str) -> bool:
    from croniter import croniter

    try:
        croniter(expression, _START, max_years_between_matches=30).get_next(datetime)
    except ValueError:
        return False
    return True


def checked_zone(name: str) -> str:
    """Return the name of a time zone. Raises ValueError with the mend."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone; write it as Europe/Berlin or UTC") from error
    return name
