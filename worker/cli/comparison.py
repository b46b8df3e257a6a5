"""The comparison of an experiment on a terminal: one line per variant, the best first, and who won why."""

from collections.abc import Mapping
from typing import Any

import click

from worker.cli.common import print_table

_DASH = "–"
_WIDTH = 50


def print_outcome(outcome: Mapping[str, Any]) -> None:
    """Print the comparison in a run's outcome, or the plan of a test, and where its report is; else nothing."""
    if outcome.get("abTest"):
        from worker.cli.ab_table import print_forecast

        print_forecast(outcome["abTest"])
        _report(outcome)
    comparison = outcome.get("comparison")
    if not comparison:
        return
    _head(comparison)
    prompts = comparison["task"] == "generation"
    level = f"{comparison['confidence']:.0%} interval"
    cost = ("cost", "tokens") if prompts else ("CPU s", "model kB")
    reference = comparison["reference"]["kind"]
    columns = ("", "variant", comparison["metric"], level, "against the best", f"against {reference}", *cost, "seconds")
    print_table(columns, [_row(item, comparison, prompts=prompts) for item in comparison["variants"]], empty="")
    _plot(comparison)
    _slices(comparison)
    click.echo(f"\n      {comparison['words']}")
    _report(outcome)


def _report(outcome: Mapping[str, Any]) -> None:
    for artifact in outcome.get("artifacts") or []:
        if artifact.get("name") == "report":
            click.echo(f"      report: {artifact['uri']}")


def _plot(comparison: Mapping[str, Any]) -> None:
    """Print each value with its interval on one scale."""
    reference = comparison["reference"]
    items = [item for item in comparison["variants"] if item["status"] == "compared"]
    items.append({"name": reference["kind"], **reference})
    ends = [item[key] for item in items for key in ("lower", "value", "upper") if item.get(key) is not None]
    low, high = min(ends), max(ends)
    rows = [(item["name"], _bar(item, low, high), _number(item.get("value"))) for item in items]
    scale = f"{_number(low)}{_number(high).rjust(_WIDTH - len(_number(low)))}"
    click.echo("")
    print_table(("", scale, ""), rows, empty="")


def _bar(item: Mapping[str, Any], low: float, high: float) -> str:
    """Return `──●──` at its place between the scale's ends."""

    def at(value: float) -> int:
        return round((value - low) / ((high - low) or 1.0) * (_WIDTH - 1))

    cells = [" "] * _WIDTH
    if item.get("lower") is not None and item.get("upper") is not None:
        for place in range(at(item["lower"]), at(item["upper"]) + 1):
            cells[place] = "─"
    if item.get("value") is not None:
        cells[at(item["value"])] = "●"
    return "".join(cells).rstrip()


def _slices(comparison: Mapping[str, Any]) -> None:
    reference = comparison["reference"]
    items = [item for item in comparison["variants"] if item["status"] == "compared"]
    if not reference["slices"]:
        return
    click.echo("")
    columns = ("slice", "rows", reference["kind"], *(item["name"] for item in items))
    rows = [
        (
            f"{part['column']} = {part['value']}", part["rows"], _number(part["metric"]),
            *(_number(item["slices"][place]["metric"]) for item in items),
        )
        for place, part in enumerate(reference["slices"])
    ]  # fmt: skip
    print_table(columns, rows, empty="")


def _head(comparison: Mapping[str, Any]) -> None:
    reference, metric = comparison["reference"], comparison["metric"]
    prompts = comparison["task"] == "generation"
    unit = "prompts" if prompts else "unseen rows"
    version = f" (version {reference['version']})" if reference["version"] else ""
    against = f"{reference['kind']}{version} {_number(reference['value'])}"
    seen = "; it learned from some of these rows, which flatters it" if reference["seen"] else ""
    click.echo(f"\n      {metric} on {comparison['rows']} {unit}; {against}{seen}")


def _row(item: Mapping[str, Any], comparison: Mapping[str, Any], *, prompts: bool) -> tuple[Any, ...]:
    mark = "★" if item["name"] == comparison["winner"] else ""
    if item["status"] != "compared":
        return ("✗", item["name"], "failed", "", item["error"], "", "", "", "")
    interval = f"{_number(item['lower'])} to {_number(item['upper'])}"
    taken = (_usd(item.get("usd")), _number(item.get("outputTokens"), 0)) if prompts else (
        _number(item["cpuSeconds"], 2), _number(item["modelBytes"] / 1000, 1),
    )  # fmt: skip
    seconds = _number(item["trainSeconds"] + item["scoreSeconds"], 2)
    best = "best" if item["againstBest"] is None else _difference(item["againstBest"])
    against = _difference(item["againstReference"])
    return (mark, item["name"], _number(item["value"]), interval, best, against, *taken, seconds)


def _difference(item: Mapping[str, Any]) -> str:
    if item["difference"] is None:
        return "undefined"
    ends = " to ".join("undefined" if item[name] is None else f"{item[name]:+.3f}" for name in ("lower", "upper"))
    return f"{item['difference']:+.3f} ({ends}) {item['word']}"


def _number(value: Any, digits: int = 3) -> str:
    return _DASH if not isinstance(value, int | float) else f"{value:.{digits}f}"


def _usd(value: Any) -> str:
    return _DASH if not isinstance(value, int | float) else f"${value:.6f}"
