"""The page: what was compared, who won and why, the plots, and every number."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from worker.clock import parse_time
from worker.steps.report import plot
from worker.steps.report.style import STYLE
from worker.steps.report.words import difference, interval, number, seconds, settings, size, text, usd

_MAX_ANSWERS = 20


def rendered(comparison: Mapping[str, Any]) -> str:
    """Return the report of a comparison (as `standings` makes it) as one HTML document."""
    title = f"Experiment {comparison.get('run') or ''}"
    parts = [_head(comparison), *_plots(comparison), _table(comparison), *_slices(comparison), *_answers(comparison)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{STYLE}</style></head><body><main><h1>{text(title)}</h1>"
        f"{''.join(parts)}</main></body></html>\n"
    )


def _head(comparison: Mapping[str, Any]) -> str:
    reference = comparison["reference"]
    compared = [item for item in comparison["variants"] if item["status"] == "compared"]
    positives = f", {comparison['positives']} of them positive" if comparison["positives"] is not None else ""
    unit = "prompts" if comparison["task"] == "generation" else "rows"
    span = "" if unit == "prompts" else f", {comparison['holdoutStart']} to {comparison['holdoutEnd']}"
    better = "lower is better" if comparison["lowerIsBetter"] else "higher is better"
    facts = [
        ("Bee", comparison["bee"]),
        ("As of", comparison.get("asOf") or "–"),
        ("Metric", f"{comparison['metric']} ({better})"),
        ("Judged on", f"{comparison['rows']} {unit}{positives}{span}"),
        ("Compared", f"{len(compared)} of {len(comparison['variants'])} variants"),
        ("Against", f"{plot.reference_name(reference)}, {comparison['metric']} {number(reference['value'])}"),
    ]
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts)
    seen = '<p class="note">The champion learned from some of these rows, which flatters it.</p>'
    verdict = f'<p class="verdict"><b>{text(comparison["winner"])}</b> wins. {text(comparison["words"])}.</p>'
    return f"{verdict}<dl>{rows}</dl>{seen if reference['seen'] else ''}"


def _plots(comparison: Mapping[str, Any]) -> Iterable[str]:
    winner, variants = comparison["winner"], comparison["variants"]
    compared = [item for item in variants if item["status"] == "compared"]
    level = f"{comparison['confidence']:.0%} bootstrap interval"
    yield _section(
        f"{comparison['metric']} with its {level}", plot.intervals(compared, comparison["reference"], winner)
    )
    if any(item.get("usd") is not None for item in compared):
        yield _section("Cost of its answers", plot.bars(compared, "usd", usd, winner))
    elif comparison["task"] != "generation":
        yield _section("CPU seconds to train and score", plot.bars(compared, "cpuSeconds", seconds, winner))
    if all(item.get("startedAt") and item.get("endedAt") for item in variants):
        times = [[parse_time(item[key]) for key in ("startedAt", "endedAt")] for item in variants]
        first = min(start for start, _ in times)
        starts, ends = ([(moment[k] - first).total_seconds() for moment in times] for k in (0, 1))
        yield _section("When each one ran", plot.lanes(variants, starts, ends, winner))


def _table(comparison: Mapping[str, Any]) -> str:
    metric, level = comparison["metric"], f"{comparison['confidence']:.0%}"
    prompts = comparison["task"] == "generation"
    against = f"against {plot.reference_name(comparison['reference'])}"
    last = ["cost", "tokens out"] if prompts else ["CPU", "model"]
    head = ["variant", metric, f"{level} interval", "against the best", against, "verdict", "time", *last]
    rows = []
    for item in comparison["variants"]:
        name = text(item["name"]) + (" ★" if item["name"] == comparison["winner"] else "")
        if item["status"] != "compared":
            rows.append(f'<tr class="bad"><th>{name}</th><td colspan="8">failed: {text(item["error"])}</td></tr>')
            continue
        best = item["againstBest"]
        tail = [usd(item.get("usd")), number(item.get("outputTokens"), 0)] if prompts else [
            seconds(item["cpuSeconds"]), size(item["modelBytes"]),
        ]  # fmt: skip
        cells = [
            number(item["value"]), interval(item), difference(best), difference(item["againstReference"]),
            "best" if best is None else best["word"], seconds(item["trainSeconds"] + item["scoreSeconds"]), *tail,
        ]  # fmt: skip
        mark = ' class="win"' if item["name"] == comparison["winner"] else ""
        rows.append(f"<tr{mark}><th>{name}</th>{_cells(cells)}</tr>")
    note = "Differences are paired: both models on the same resampled rows; positive is better. ★ wins."
    table = _section("Side by side", f'{_wide(head, rows)}<p class="note">{note}</p>')
    return table + _section(
        "Settings", _wide(["variant", "settings"], [_settings(item) for item in comparison["variants"]])
    )


def _settings(item: Mapping[str, Any]) -> str:
    return f'<tr><th>{text(item["name"])}</th><td class="said">{text(settings(item))}</td></tr>'


def _slices(comparison: Mapping[str, Any]) -> Iterable[str]:
    compared = [item for item in comparison["variants"] if item["status"] == "compared"]
    reference = comparison["reference"]
    if not reference["slices"]:
        return
    rows = []
    for place, part in enumerate(reference["slices"]):
        cells = [part["rows"], number(part["metric"]), *(number(item["slices"][place]["metric"]) for item in compared)]
        rows.append(f"<tr><th>{text(part['column'])} = {text(part['value'])}</th>{_cells(cells)}</tr>")
    head = ["slice", "rows", plot.reference_name(reference), *(item["name"] for item in compared)]
    yield _section(f"{comparison['metric']} by slice", _wide(head, rows))


def _answers(comparison: Mapping[str, Any]) -> Iterable[str]:
    compared = [item for item in comparison["variants"] if item.get("answers")]
    if not compared:
        return
    blocks = []
    for place, first in enumerate(compared[0]["answers"][:_MAX_ANSWERS]):
        said = [(item["name"], item["answers"][place]) for item in compared]
        rows = [_answer(name, one) for name, one in said]
        table = _grid(["variant", "score", "answer"], rows)
        blocks.append(f"<details><summary>{text(first['prompt'])}</summary>{table}</details>")
    more = len(compared[0]["answers"]) - len(blocks)
    note = f'<p class="note">{more} more prompts are in the comparison\'s JSON.</p>' if more > 0 else ""
    yield _section("Answers", "".join(blocks) + note)


def _answer(name: str, one: Mapping[str, Any]) -> str:
    score, said = number(one["score"], 3), text(one["answer"])
    return f'<tr><th>{text(name)}</th><td>{score}</td><td class="said">{said}</td></tr>'


def _section(title: str, content: str) -> str:
    return f"<section><h2>{text(title)}</h2>{content}</section>"


def _grid(head: Sequence[Any], rows: Sequence[str]) -> str:
    names = "".join(f"<th>{text(name)}</th>" for name in head)
    return f"<table><thead><tr>{names}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _wide(head: Sequence[Any], rows: Sequence[str]) -> str:
    return f'<div class="wide">{_grid(head, rows)}</div>'


def _cells(values: Iterable[Any]) -> str:
    return "".join(f"<td>{text(value)}</td>" for value in values)
