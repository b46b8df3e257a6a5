"""The plots of a report as inline SVG: values with their intervals, and bars."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from worker.steps.report.words import number, text

_LEFT, _WIDTH, _RIGHT, _ROW, _TOP = 230, 560, 110, 30, 14
_MAX_LABEL = 24
#: How many marks an axis has at most, and the steps that people count in.
_MOST_TICKS, _STEPS = 6, (1, 2, 2.5, 5, 10)


def intervals(items: Sequence[Mapping[str, Any]], reference: Mapping[str, Any], winner: str) -> str:
    """Return a plot of each item's value with its interval, and the reference as a dashed line."""
    shown = [*items, {"name": reference_name(reference), **reference}]
    ends = [item[key] for item in shown for key in ("lower", "value", "upper") if item.get(key) is not None]
    low, high = min(ends), max(ends)
    pad = (high - low) * 0.06 or 0.05
    low, high = low - pad, high + pad

    def at(value: Any) -> float:
        return float(_LEFT + (value - low) / (high - low) * _WIDTH)

    height = _TOP + len(shown) * _ROW
    marks = [_line(reference, at, height)] if reference.get("value") is not None else []
    for place, item in enumerate(shown):
        marks += _interval(item, _TOP + place * _ROW + _ROW / 2, at, "win" if item["name"] == winner else "")
    grid = []
    for value, said in ticks(low, high):
        x = f"{at(value):.1f}"
        grid.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP}" y2="{height}"/>')
        grid.append(f'<text class="tick" x="{x}" y="{height + 18}">{said}</text>')
    return _svg([*grid, *marks], height + 28)


def ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Return round values between both ends, and how they are written."""
    rough = (high - low) / _MOST_TICKS
    exponent = math.floor(math.log10(rough))
    step = next(step for step in _STEPS if step * 10.0**exponent >= rough) * 10.0**exponent
    digits = max(0, -math.floor(math.log10(step)) + (1 if math.isclose(step / 10.0**exponent, 2.5) else 0))
    values = [place * step for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [(value, f"{value:.{digits}f}") for value in values]


def _line(reference: Mapping[str, Any], at: Any, height: float) -> str:
    x = f"{at(reference['value']):.1f}"
    return f'<line class="ref" x1="{x}" x2="{x}" y1="{_TOP}" y2="{height}"/>'


def _interval(item: Mapping[str, Any], y: float, at: Any, mark: str) -> list[str]:
    found = [_label(item["name"], y, mark)]
    if item.get("lower") is not None and item.get("upper") is not None:
        ends = f'x1="{at(item["lower"]):.1f}" x2="{at(item["upper"]):.1f}"'
        found.append(f'<line class="span {mark}" {ends} y1="{y}" y2="{y}"/>')
    if item.get("value") is not None:
        found.append(f'<circle class="dot {mark}" cx="{at(item["value"]):.1f}" cy="{y}" r="5.5"/>')
    said = number(item.get("value"), 3)
    return [*found, f'<text class="num" x="{_LEFT + _WIDTH + 12}" y="{y + 4}">{said}</text>']


def bars(items: Sequence[Mapping[str, Any]], key: str, said: Any, winner: str) -> str:
    """Return a bar per item; `said` makes the text behind each."""
    top = max((item[key] for item in items if item.get(key) is not None), default=0) or 1
    marks = []
    for place, item in enumerate(items):
        y, mark = _TOP + place * _ROW + _ROW / 2, "win" if item["name"] == winner else ""
        width = (item.get(key) or 0) / top * _WIDTH
        marks.append(_label(item["name"], y, mark))
        marks.append(f'<rect class="bar {mark}" x="{_LEFT}" y="{y - 8}" width="{width:.1f}" height="16" rx="3"/>')
        marks.append(f'<text class="num" x="{_LEFT + width + 8:.1f}" y="{y + 4}">{text(said(item.get(key)))}</text>')
    return _svg(marks, _TOP + len(items) * _ROW + 6)


def lanes(items: Sequence[Mapping[str, Any]], starts: Sequence[float], ends: Sequence[float], winner: str) -> str:
    """Return a bar from start to end per item (seconds since the first), so that overlap is seen."""
    top = max(ends, default=0) or 1
    marks = []
    for place, (item, start, end) in enumerate(zip(items, starts, ends, strict=True)):
        y = _TOP + place * _ROW + _ROW / 2
        mark = "bad" if item["status"] == "failed" else "win" if item["name"] == winner else ""
        x, width = _LEFT + start / top * _WIDTH, max((end - start) / top * _WIDTH, 2)
        marks.append(_label(item["name"], y, mark))
        marks.append(f'<rect class="bar {mark}" x="{x:.1f}" y="{y - 8}" width="{width:.1f}" height="16" rx="3"/>')
        marks.append(f'<text class="num" x="{_LEFT + _WIDTH + 12}" y="{y + 4}">{end - start:.2f} s</text>')
    return _svg(marks, _TOP + len(items) * _ROW + 6)


def reference_name(reference: Mapping[str, Any]) -> str:
    """Return what the reference is called."""
    version = f" {reference['version']}" if reference.get("version") else ""
    return f"{reference['kind']}{version}"


def _label(name: str, y: float, mark: str) -> str:
    shown, whole = name, ""
    if len(name) > _MAX_LABEL:
        shown, whole = f"{name[: _MAX_LABEL - 1]}…", f"<title>{text(name)}</title>"
    return f'<text class="label {mark}" x="{_LEFT - 14}" y="{y + 4}">{text(shown)}{whole}</text>'


def _svg(marks: Sequence[str], height: float) -> str:
    width = _LEFT + _WIDTH + _RIGHT
    drawing = f'<svg viewBox="0 0 {width} {height:.0f}" role="img" width="{width}">{"".join(marks)}</svg>'
    return f'<div class="wide">{drawing}</div>'
