"""The report of a test: one HTML file that needs nothing else, readable in light and in dark; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.abtest import plot
from worker.abtest.words import chance, compared_words, forecast_words, guard_state, state_words
from worker.steps.report.plot import intervals
from worker.steps.report.style import STYLE
from worker.steps.report.words import interval, number, text

_MORE = (
    "svg .left{text-anchor:end;font-size:12px;fill:var(--soft)}svg .note{text-anchor:end;font-size:12px;"
    "fill:var(--soft)}.zero{stroke:var(--soft)}.band{fill:var(--bar);opacity:.35}.line{fill:none;stroke:var(--win);"
    "stroke-width:2;stroke-linejoin:round}.line.arm0{stroke:var(--bar)}.line.arm2{stroke:var(--soft)}"
    ".line.arm3{stroke:var(--bad)}.verdict.bad{border-color:var(--bad)}"
)
_BAD = {"stopped_srm", "stopped_guard"}


def rendered(shown: Mapping[str, Any]) -> str:
    """Return the report of a test, as `shown_test` gives it, as one HTML document."""
    title = f"A/B test of {shown['beeId']}: {compared_words(shown)}"
    results = shown.get("results")
    parts = [_head(shown), _expected(shown)]
    if results:
        parts += [_arms(shown, results), *_effects(shown, results), *_exposure(shown, results)]
        parts += [*_guards(results), *_slices(shown, results)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}{_MORE}</style></head><body><main><h1>{text(title)}</h1>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _head(shown: Mapping[str, Any]) -> str:
    plan, results = shown["plan"], shown.get("results") or {}
    split = ", ".join(f"version {name} {share} %" for name, share in shown["plannedSplit"].items())
    facts = [
        ("Test", shown.get("testId") or "not started"),
        ("Metric", f"{_metric(shown)}; a difference of {plan['minimumEffect']:g} matters"),
        ("Split", f"{split}; the first is the control"),
        ("Time", f"{shown.get('startedAt') or 'not started'} to {shown.get('endedAt') or shown.get('endsBy') or '…'}"),
        ("Exposure", _EXPOSURE[plan.get("exposure", "logged")]),
        *([("Evidence as of", results["asOf"])] if results else []),
        *([("Forced past the gate", _forced(shown["forced"]))] if shown.get("forced") else []),
    ]
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts)
    fault = f'<p class="note">{text(shown["fault"])}</p>' if shown.get("fault") else ""
    mark = " bad" if shown["state"] in _BAD else ""
    return f'<p class="verdict{mark}"><b>{text(state_words(shown))}</b></p><dl>{rows}</dl>{fault}'


def _metric(shown: Mapping[str, Any]) -> str:
    told = [part.get("metric") for part in (shown.get("results"), shown.get("forecast"), shown["plan"]) if part]
    return str(next((one for one in told if one), "the bee's own"))


_EXPOSURE = {
    "logged": "as the prediction log tells it",
    "assigned": "not logged: each entity that has rows, by the hash of the split",
}


def _forced(forced: Mapping[str, str]) -> str:
    return "; ".join(f"version {name}: {reason}" for name, reason in forced.items())


def _expected(shown: Mapping[str, Any]) -> str:
    forecast = shown.get("forecast")
    if not forecast:
        return ""
    found = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in forecast_words(forecast, shown))
    return _section("Expected before it started", f"<dl>{found}</dl>")


def _arms(shown: Mapping[str, Any], results: Mapping[str, Any]) -> str:
    head = ["version", "share", "exposed", "with an outcome", results["metric"], "difference", _level(shown)]
    effects = {one["version"]: one for one in results["effects"]}
    rows = []
    for place, name in enumerate(shown["versions"]):
        one = effects.get(name)
        cells = [
            f"{shown['plannedSplit'][name]} %", f"{results['exposed'][place]:,}", f"{results['counted'][place]:,}",
            number(results["means"][place]), "control" if one is None else _signed(one["difference"]),
            interval(one, signed=True),
        ]  # fmt: skip
        mark = ' class="win"' if name == shown.get("winner") else ""
        rows.append(f"<tr{mark}><th>{text(name)}</th>{_cells(cells)}</tr>")
    lower = " (lower is better)" if results["lowerIsBetter"] else ""
    adjusted = ((shown.get("forecast") or {}).get("adjustment") or {}).get("kind", "none")
    note = f"Differences are against the control, positive is better{lower}. {_ADJUSTED[adjusted]}{_left_out(results)}"
    return _section("Result", f'{_grid(head, rows)}<p class="note">{text(note)}</p>')


_ADJUSTED = {
    "none": "",
    "cuped": "Values are adjusted by each entity's own metric before the test (CUPED). ",
    "stratified": "Values are adjusted by their stratum's mean before the test. ",
}


def _left_out(results: Mapping[str, Any]) -> str:
    told = {"early": "were true before the exposure", "unanswered": "belong to no answer"}
    return "".join(
        f"{results[name]:,} outcomes do not count: they {words}. " for name, words in told.items() if results[name]
    )


def _effects(shown: Mapping[str, Any], results: Mapping[str, Any]) -> Iterable[str]:
    note = "The line is the difference seen so far; the band holds the true one at all moments together."
    for place, one in enumerate(results["effects"]):
        drawn = plot.effect(results["history"], place, shown["plan"]["minimumEffect"], _whole(shown))
        pair = f"version {one['version']} against {shown['control']}"
        title = f"{results['metric']}: {pair} over time, {_level(shown)}"
        yield _section(title, f'{drawn}<p class="note">{note}</p>')


def _exposure(shown: Mapping[str, Any], results: Mapping[str, Any]) -> Iterable[str]:
    ratio = results["ratio"]
    least = min(value for value in (ratio["p"], ratio["served"]))
    said = f"Against the split: p {chance(least)}, always valid; at 0.001 or less the test stops."
    crossed = f" {ratio['crossed']:,} were first answered by another version than theirs." if ratio["crossed"] else ""
    drawn = plot.counts(results["history"], shown["versions"], _whole(shown), "exposed")
    yield _section("Entities exposed", f'{drawn}<p class="note">{text(said + crossed)}</p>')
    drawn = plot.counts(results["history"], shown["versions"], _whole(shown), "counted")
    yield _section("Entities with an outcome", drawn)


def _guards(results: Mapping[str, Any]) -> Iterable[str]:
    if not results["guards"]:
        return
    rows = []
    for one in results["guards"]:
        cells = [
            one["version"], number(one["value"]), number(one["control"]), _signed(one["difference"]),
            interval(one, signed=True), number(one["margin"]), guard_state(one),
        ]  # fmt: skip
        mark = ' class="bad"' if one["verdict"] == "worse" else ""
        rows.append(f"<tr{mark}><th>{text(one['metric'])}</th>{_cells(cells)}</tr>")
    head = ["guard", "version", "value", "control", "difference", "interval", "margin", "verdict"]
    drawn = "".join(
        _guard_plot(one) for one in results["guards"] if one["lower"] is not None and one["upper"] is not None
    )
    yield _section("Guards", _grid(head, rows) + drawn)


def _guard_plot(one: Mapping[str, Any]) -> str:
    item = {**one, "name": f"{one['metric']}, {one['version']}", "value": one["difference"]}
    limit = {"kind": "margin", "version": None, "value": -one["margin"]}
    return intervals([item], limit, "")


def _slices(shown: Mapping[str, Any], results: Mapping[str, Any]) -> Iterable[str]:
    found = results["slices"]
    if not found:
        return
    head = ["slice", "version", f"entities of {shown['control']}", "of the version", "difference", "interval", "p"]
    note = (
        f"Exploratory: nothing is concluded from slices. Intervals and p are corrected for all {len(found)} of them, "
        "so that they hold together."
    )
    items = [
        {**one, "name": f"{one['feature']} = {one['value']}", "value": one["difference"]}
        for one in found
        if one["lower"] is not None and one["upper"] is not None
    ]
    nothing = {"kind": "no difference", "version": None, "value": 0.0}
    drawn = intervals(items, nothing, "") if items else ""
    content = f'{_grid(head, [_slice(one) for one in found])}<p class="note">{note}</p>{drawn}'
    yield _section("Slices (exploratory)", content)


def _slice(one: Mapping[str, Any]) -> str:
    counts = [f"{count:,}" for count in one["counted"]]
    told = [_signed(one["difference"]), interval(one, signed=True), chance(one["adjustedP"])]
    return f"<tr><th>{text(one['feature'])} = {text(one['value'])}</th>{_cells([one['version'], *counts, *told])}</tr>"


def _whole(shown: Mapping[str, Any]) -> tuple[str, str]:
    return shown["startedAt"], shown.get("endedAt") or shown["results"]["asOf"]


def _level(shown: Mapping[str, Any]) -> str:
    return f"{shown['plan'].get('confidence', 0.95):.0%} interval"


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.4f}"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{text(title)}</h2>{content}</section>"


def _grid(head: Sequence[Any], rows: Sequence[str]) -> str:
    names = "".join(f"<th>{text(name)}</th>" for name in head)
    return f'<div class="wide"><table><thead><tr>{names}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _cells(values: Iterable[Any]) -> str:
    return "".join(f"<td>{text(value)}</td>" for value in values)
