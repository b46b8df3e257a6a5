"""The comparison of an experiment on a terminal: one line per variant, the best first, and who won why."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from worker.cli.common import print_table

_DASH = "–"


def print_comparison(comparison: Mapping[str, Any], artifacts: Sequence[Mapping[str, Any]]) -> None:
    """Print an outcome's `comparison`, and where its report is."""
    reference, metric = comparison["reference"], comparison["metric"]
    prompts = comparison["task"] == "generation"
    unit = "prompts" if prompts else "unseen rows"
    version = f" (version {reference['version']})" if reference["version"] else ""
    against = f"{reference['kind']}{version} {_number(reference['value'])}"
    seen = "; it learned from some of these rows, which flatters it" if reference["seen"] else ""
    click.echo(f"\n      {metric} on {comparison['rows']} {unit}; {against}{seen}")
    level = f"{comparison['confidence']:.0%} interval"
    cost = ("cost", "tokens") if prompts else ("CPU s", "model kB")
    columns = ("", "variant", metric, level, "against the best", f"against {reference['kind']}", *cost, "seconds")
    print_table(columns, [_row(item, comparison, prompts=prompts) for item in comparison["variants"]], empty="")
    click.echo(f"      {comparison['words']}")
    for artifact in artifacts:
        if artifact.get("name") == "report":
            click.echo(f"      report: {artifact['uri']}")


def _row(item: Mapping[str, Any], comparison: Mapping[str, Any], *, prompts: bool) -> tuple[Any, ...]:
    mark = "★" if item["name"] == comparison["winner"] else ""
    if item["status"] != "compared":
        return ("✗", item["name"], "failed", "", str(item["error"])[:120], "", "", "", "")
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
