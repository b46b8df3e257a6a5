"""What a test, its forecast and its guards say in words; from JSON values, pure."""

from collections.abc import Iterator, Mapping
from typing import Any

_STATES = {
    "planned": "Not started",
    "running": "Running",
    "concluded": "Concluded",
    "expired": "Time is over",
    "stopped": "Stopped by a person",
    "superseded": "Superseded",
    "stopped_srm": "Stopped: the split was broken",
    "stopped_guard": "Stopped: a guard metric was worse",
}


def state_words(shown: Mapping[str, Any]) -> str:
    """Return where a test is, and why."""
    reason = f". {_capital(shown['reason'])}" if shown.get("reason") else ""
    by = f": {shown['stoppedBy']}" if shown.get("stoppedBy") else ""
    return f"{_STATES[shown['state']]}{by}{reason}."


def forecast_words(forecast: Mapping[str, Any], shown: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what was expected: (what, how much)."""
    plan, sample = shown["plan"], forecast["requiredSample"]
    history = f"{forecast['entities']:,} entities with an outcome, {forecast['perDay']:.4g} a day"
    yield "History", history
    if forecast["baseline"] is not None:
        yield (
            f"{forecast['metric']} so far",
            f"{forecast['baseline']:.4g}, standard deviation {forecast['deviation']:.4g}",
        )
    adjustment = forecast["adjustment"]
    if adjustment["kind"] != "none":
        reduction = adjustment["reduction"]
        worth = "nobody knows how much" if reduction is None else f"{reduction:.1%}"
        yield "Adjustment", f"{adjustment['kind']}, takes away {worth} of the variance"
    for name, words in (("sequential", "looked at any time"), ("fixed", "looked at once")):
        if sample[name]:
            arms = ", ".join(f"{size:,} of {one}" for one, size in zip(shown["versions"], sample[name], strict=True))
            yield f"Required sample, {words}", f"{sum(sample[name]):,} entities: {arms}"
    if not sample["sequential"]:
        yield "Required sample", "not known: there is no history of this metric"
    days = forecast["expectedDays"]
    aim = f"{plan.get('power', 0.8):.0%} power for a difference of {plan['minimumEffect']:g}"
    yield "Expected duration", f"{'not known' if days is None else f'{days:.3g} days'}, with {aim}"


def compared_words(shown: Mapping[str, Any]) -> str:
    """Return which versions are compared: `version 2 and 3 against 1`."""
    others = [name for name in shown["versions"] if name != shown["control"]]
    return f"version{'s' if len(others) > 1 else ''} {' and '.join(others)} against {shown['control']}"


def chance(p_value: float | None) -> str:
    """Return a p-value as people read it."""
    if p_value is None:
        return "–"
    return "< 0.0001" if p_value < 1e-4 else f"{p_value:.2g}"


def guard_state(one: Mapping[str, Any]) -> str:
    """Return a guard's verdict."""
    said = str(one["verdict"])
    return {"open": "not sure yet", "not_worse": "not worse"}.get(said, said)


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
