"""Which occurrence of a schedule is due: cron by the clock on the wall of a zone, over its changes of the clock; pure.

A time that the clock skips in spring happens as if it had not been changed (02:30 at 03:30 summer time); one that it
shows twice in autumn happens the first time. A schedule for every hour (its hour field begins with `*`) goes on by
real time instead: it skips nothing that exists, and has both of the doubled hours.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

#: More than any change of a clock by a few hours; the date line's jumps by a day are not looked for.
_CHANGE = timedelta(hours=3)


def newest_due(cron: str, zone: str, *, after: datetime, now: datetime) -> datetime | None:
    """Return the newest occurrence in (after, now] in UTC; None if there is none.

    Args:
        cron: five fields, checked.
        zone: name of a time zone, checked.
        after: the last occurrence that was taken care of.
        now: the time now.
    """
    tz = ZoneInfo(zone)
    every_hour = cron.split()[1].startswith("*")
    oldest = _wall(after, tz) - _CHANGE
    best: datetime | None = None
    for wall in _back_from(cron, _wall(now, tz) + _CHANGE):
        if wall < oldest or (best is not None and wall < _wall(best, tz) - _CHANGE):
            break
        for moment in _moments(wall, tz, every_hour=every_hour):
            if after < moment <= now and (best is None or moment > best):
                best = moment
    return best


def _back_from(cron: str, start: datetime) -> Iterator[datetime]:
    """Yield the wall-clock times of an expression, newest first, not later than `start`."""
    from croniter import CroniterBadDateError, croniter

    times = croniter(cron, start + timedelta(microseconds=1), ret_type=datetime)
    while True:
        try:
            yield times.get_prev(datetime)
        except CroniterBadDateError:
            return


def _moments(wall: datetime, tz: ZoneInfo, *, every_hour: bool) -> list[datetime]:
    """Return when a clock on the wall shows a time: once, twice in autumn, never in spring."""
    both = [wall.replace(tzinfo=tz, fold=fold).astimezone(UTC) for fold in (0, 1)]
    shown = sorted({moment for moment in both if _wall(moment, tz) == wall})
    if not shown:
        return [] if every_hour else both[:1]
    return shown if every_hour else shown[:1]


def _wall(moment: datetime, tz: ZoneInfo) -> datetime:
    """Return what a clock on the wall shows."""
    return moment.astimezone(tz).replace(tzinfo=None, fold=0)
