"""A test on a terminal: what was expected, each version against the control, guards and slices."""

from collections.abc import Mapping
from typing import Any

import click

from worker.abtest.words import chance, compared_words, forecast_words, guard_state, state_words
from worker.cli.common import print_table

_DASH, _WIDTH = "–", 41
_COLOURS = {"running": "cyan", "concluded": "green", "stopped_srm": "red", "stopped_guard": "red"}


def print_plan(shown: Mapping[str, Any]) -> None:
    """Print what a test would take."""
    click.echo(click.style(f"{shown['beeId']}: {compared_words(shown)}", bold=True))
    print_table(("", ""), list(forecast_words(shown["forecast"], shown)), empty="")


def print_forecast(told: Mapping[str, Any]) -> None:
    """Print what a planning run has found, as its outcome tells it."""
    shown = {"plan": told["plan"], "versions": told["plan"]["versions"]}
    rows = [(f"      {name}", words) for name, words in forecast_words(told["forecast"], shown)]
    print_table(("", ""), rows, empty="")


def print_test(shown: Mapping[str, Any]) -> None:
    """Print a test with all that was found."""
    head = f"{shown['testId']}, {shown['beeId']}: {compared_words(shown)}"
    click.echo(click.style(head, bold=True))
    click.echo(click.style(state_words(shown), fg=_COLOURS.get(shown["state"], "yellow")))
    click.echo(f"from {shown['startedAt']} to {shown['endedAt'] or shown['endsBy']}")
    for name, reason in shown["forced"].items():
        click.echo(f"version {name} is forced past its gate: {reason}")
    if shown["fault"]:
        click.echo(f"it could not be judged: {shown['fault']}")
    results = shown["results"]
    if not results:
        if shown["forecast"]:
            print_table(("", ""), list(forecast_words(shown["forecast"], shown)), empty="")
        return
    _arms(shown, results)
    _left_out(results)
    _guards(results)
    _slices(results)


def _arms(shown: Mapping[str, Any], results: Mapping[str, Any]) -> None:
    effects = {one["version"]: one for one in results["effects"]}
    ends = [abs(one[name]) for one in results["effects"] for name in ("lower", "upper") if one[name] is not None]
    reach = max([shown["plan"]["minimumEffect"], *ends])
    rows = []
    for place, name in enumerate(shown["versions"]):
        one = effects.get(name)
        mark = "★" if name == shown["winner"] else ""
        told = ("control", "", "") if one is None else (_signed(one["difference"]), _interval(one), _bar(one, reach))
        rows.append((mark, name, f"{shown['plannedSplit'][name]} %", results["exposed"][place],
                     results["counted"][place], _number(results["means"][place]), *told))  # fmt: skip
    lower = " (lower is better)" if results["lowerIsBetter"] else ""
    level = f"{shown['plan'].get('confidence', 0.95):.0%} interval"
    scale = f"{-reach:<+.3g}".ljust(_WIDTH // 2) + "0" + f"{reach:+.3g}".rjust(_WIDTH - _WIDTH // 2 - 1)
    columns = ("", "version", "share", "exposed", "outcomes", results["metric"], "difference", level, scale)
    click.echo(f"{results['metric']}{lower} as of {results['asOf']}; differences: positive is better")
    print_table(columns, rows, empty="")


def _bar(one: Mapping[str, Any], reach: float) -> str:
    """Return `──●──` at its place, with `│` where there is no difference."""

    def at(value: float) -> int:
        return round((min(max(value, -reach), reach) + reach) / (2 * reach) * (_WIDTH - 1))

    cells = [" "] * _WIDTH
    if one["lower"] is not None and one["upper"] is not None:
        for place in range(at(one["lower"]), at(one["upper"]) + 1):
            cells[place] = "─"
    cells[_WIDTH // 2] = "│"
    if one["difference"] is not None:
        cells[at(one["difference"])] = "●"
    return "".join(cells).rstrip()


def _left_out(results: Mapping[str, Any]) -> None:
    ratio = results["ratio"]
    least = min(ratio["p"], ratio["served"])
    crossed = f"; {ratio['crossed']} were first answered by another version than theirs" if ratio["crossed"] else ""
    click.echo(f"exposure against the split: p {chance(least)}{crossed}")
    for name, words in (("early", "true before the exposure"), ("unanswered", "without an answer")):
        if results[name]:
            click.echo(f"{results[name]} outcomes do not count: {words}")


def _guards(results: Mapping[str, Any]) -> None:
    rows = [
        (one["metric"], one["version"], _number(one["value"]), _number(one["control"]), _signed(one["difference"]),
         _interval(one), _number(one["margin"]), guard_state(one))
        for one in results["guards"]
    ]  # fmt: skip
    if rows:
        columns = ("guard", "version", "value", "control", "difference", "interval", "margin", "verdict")
        print_table(columns, rows, empty="")


def _slices(results: Mapping[str, Any]) -> None:
    rows = [
        (f"{one['feature']} = {one['value']}", one["version"], *one["counted"], _signed(one["difference"]),
         _interval(one), chance(one["adjustedP"]))
        for one in results["slices"]
    ]  # fmt: skip
    if rows:
        click.echo("slices: exploratory, corrected for all of them; nothing is concluded from one")
        columns = ("slice", "version", "of the control", "of the version", "difference", "interval", "p, corrected")
        print_table(columns, rows, empty="")


def _interval(one: Mapping[str, Any]) -> str:
    lower, upper = (_signed(one[name]) for name in ("lower", "upper"))
    return _DASH if lower == upper == _DASH else f"{lower} to {upper}"


def _signed(value: float | None) -> str:
    return _DASH if value is None else f"{value:+.4f}"


def _number(value: float | None) -> str:
    return _DASH if value is None else f"{value:.4f}"
