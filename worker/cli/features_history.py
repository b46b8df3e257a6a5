"""What a feature was like in the windows that were kept: a table, and lines that show its course."""

from collections.abc import Mapping, Sequence

import click

from worker.cli.common import print_table
from worker.clock import to_text
from worker.errors import Rejected
from worker.monitor.profile import Profile

_BARS = "▁▂▃▄▅▆▇█"
_SHARES = {"p05": 0.05, "median": 0.5, "p95": 0.95}
_MOST = 3


def shown_profile(profile: Profile) -> Mapping[str, object]:
    """Return a profile as JSON values; what a damaged sketch would tell is null."""
    return {
        "feature": profile.feature,
        "window": {"id": profile.period, "start": to_text(profile.start), "end": to_text(profile.end)},
        "values": profile.known,
        "entities": profile.entities,
        "missing": _missing(profile),
        "distinct": _distinct(profile),
        "quantiles": {name: _quantile(profile, share) for name, share in _SHARES.items()} if profile.numeric else None,
        "top": dict(list(profile.top.items())[:_MOST]),
        "newestEvent": None if profile.newest is None else to_text(profile.newest),
    }


def print_history(feature: str, profiles: Sequence[Profile]) -> None:
    """Print one line per window, oldest first, then each number's course as a line of bars."""
    shown = [shown_profile(profile) for profile in profiles]
    rows = [
        (
            profile.period,
            f"{profile.known:,}",
            _percent(one["missing"]),
            _number(one["distinct"]),
            *(_number(value) for value in _quantiles(one).values()),
            ", ".join(
                f"{name} {count / max(profile.known, 1):.0%}" for name, count in list(profile.top.items())[:_MOST]
            ),
        )
        for profile, one in zip(profiles, shown, strict=True)
    ]
    empty = f"nothing is kept of {feature} yet; `monitor:` in config/features or --publish keeps each window"
    print_table(("window", "values", "missing", "distinct", *_SHARES, "most frequent"), rows, empty=empty)
    if len(profiles) > 1:
        courses: dict[str, list[object]] = {
            "values": [profile.known for profile in profiles],
            "missing": [one["missing"] for one in shown],
            "median": [_quantiles(one)["median"] for one in shown],
        }
        for name, values in courses.items():
            line = sparkline(values)
            if line.strip():
                click.echo(f"{name:<8} {line}")


def sparkline(values: Sequence[object]) -> str:
    """Return numbers as bars between their lowest and their highest; a space where there is none."""
    known = [value for value in values if isinstance(value, int | float)]
    if not known:
        return " " * len(values)
    low, span = min(known), max(known) - min(known)
    tallest = len(_BARS) - 1
    return "".join(
        _BARS[round((value - low) / span * tallest) if span else 0] if isinstance(value, int | float) else " "
        for value in values
    )


def _quantiles(shown: Mapping[str, object]) -> Mapping[str, object]:
    found = shown["quantiles"]
    return found if isinstance(found, Mapping) else dict.fromkeys(_SHARES)


def _missing(profile: Profile) -> float | None:
    return 1 - profile.entities / profile.seen if profile.seen else None


def _distinct(profile: Profile) -> int | None:
    from worker.monitor.sketch import count_distinct

    try:
        return round(count_distinct(profile))
    except Rejected:
        return None


def _quantile(profile: Profile, share: float) -> float | None:
    from worker.monitor.sketch import quantile

    try:
        return quantile(profile, share)
    except Rejected:
        return None


def _number(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else ""


def _percent(value: object) -> str:
    return f"{value:.1%}" if isinstance(value, float) else ""
