"""The plots of a test's report as inline SVG: an effect over time with its sequence, and exposure over time; pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from worker.clock import parse_time
from worker.steps.report.plot import ticks
from worker.steps.report.words import text

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 960, 300, 74, 34, 14, 34
_MOST_TICKS = 7
_SPANS = (
    *(timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 28, 91)),
)
Scale = Callable[[float], float]


def effect(history: Sequence[Mapping[str, Any]], place: int, minimum: float, whole: tuple[str, str]) -> str:
    """Return a version's effect over time: the line is what was seen, the band where it lies, valid at every moment.

    Args:
        history: points as `shown_results` gives them.
        place: of the version among the effects.
        minimum: the effect that would matter, drawn on both sides of nothing.
        whole: begin of the test, and when it ends or ended.
    """
    points = [(parse_time(one["at"]), one["effects"][place]) for one in history]
    low, high = _reach([one for _, one in points], minimum)
    x, y, marks = _frame((parse_time(whole[0]), parse_time(whole[1])), low, high)
    for value, kind in ((0.0, "zero"), (minimum, "ref"), (-minimum, "ref")):
        marks.append(_level(y(value), kind))
    marks.append(f'<text class="note" x="{_WIDTH - _RIGHT}" y="{y(minimum) - 5:.1f}">effect that matters</text>')
    known = [(at, one) for at, one in points if one["lower"] is not None and one["upper"] is not None]
    if known:
        top = [f"{x(at.timestamp()):.1f} {y(one['upper']):.1f}" for at, one in known]
        under = [f"{x(at.timestamp()):.1f} {y(one['lower']):.1f}" for at, one in reversed(known)]
        marks.append(f'<path class="band" d="M{"L".join([*top, *under])}Z"/>')
    seen = [
        f"{x(at.timestamp()):.1f} {y(one['difference']):.1f}" for at, one in points if one["difference"] is not None
    ]
    if seen:
        marks.append(f'<path class="line" d="M{"L".join(seen)}"/>')
    return _svg(marks)


def counts(history: Sequence[Mapping[str, Any]], names: Sequence[str], whole: tuple[str, str], key: str) -> str:
    """Return how many entities each version has over time, `exposed` or `counted`."""
    top = max((max(one[key]) for one in history), default=0) or 1
    x, y, marks = _frame((parse_time(whole[0]), parse_time(whole[1])), 0.0, top * 1.06)
    for place, name in enumerate(names):
        path = [(parse_time(one["at"]).timestamp(), one[key][place]) for one in history]
        start = f"{x(parse_time(whole[0]).timestamp()):.1f} {y(0):.1f}"
        drawn = "L".join([start, *(f"{x(at):.1f} {y(value):.1f}" for at, value in path)])
        marks.append(f'<path class="line arm{place % 4}" d="M{drawn}"/>')
        if path:
            # Arms of alike size end at alike heights: each name has a place of its own.
            at = _TOP + 16 + 18 * place
            marks.append(f'<path class="line arm{place % 4}" d="M{_LEFT + 14} {at - 4}h22"/>')
            marks.append(f'<text x="{_LEFT + 44}" y="{at}">{text(name)}: {path[-1][1]:,}</text>')
    return _svg(marks)


def _reach(effects: Sequence[Mapping[str, Any]], minimum: float) -> tuple[float, float]:
    """Return what to show of the effects: the first bands are so wide that the rest would be a line."""
    ends = [
        abs(one[name])
        for one in effects[-max(1, len(effects) // 2) :]
        for name in ("lower", "upper")
        if one[name] is not None
    ]
    last = [abs(one[name]) for one in effects[-1:] for name in ("lower", "upper") if one[name] is not None]
    most = max([minimum * 1.6, *(end * 1.25 for end in last), *(min(end, 3 * max(last, default=end)) for end in ends)])
    return -most, most


def _frame(span: tuple[datetime, datetime], low: float, high: float) -> tuple[Scale, Scale, list[str]]:
    begin, end = (moment.timestamp() for moment in span)
    wide, tall = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM

    def x(at: float) -> float:
        return _LEFT + min(max((at - begin) / ((end - begin) or 1.0), 0.0), 1.0) * wide

    def y(value: float) -> float:
        return _TOP + min(max((high - value) / (high - low), 0.0), 1.0) * tall

    marks = []
    for value, said in ticks(low, high):
        marks.append(_level(y(value), "grid"))
        marks.append(f'<text class="left" x="{_LEFT - 8}" y="{y(value) + 4:.1f}">{_short(value, said)}</text>')
    for moment, said in _times(*span):
        at = f"{x(moment.timestamp()):.1f}"
        marks.append(f'<line class="grid" x1="{at}" x2="{at}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>')
        marks.append(f'<text class="tick" x="{at}" y="{_HEIGHT - _BOTTOM + 20}">{said}</text>')
    return x, y, marks


def _short(value: float, said: str) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else said


def _times(begin: datetime, end: datetime) -> Iterator[tuple[datetime, str]]:
    span = end - begin
    step = next((one for one in _SPANS if span <= one * _MOST_TICKS), span / _MOST_TICKS)
    form = "%d %b" if step >= timedelta(days=1) else "%d %b %H:%M"
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight + step * math.ceil((begin - midnight) / step)
    for number in range(_MOST_TICKS + 1):
        if first + number * step <= end:
            yield first + number * step, f"{first + number * step:{form}}"


def _level(y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _svg(marks: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{"".join(marks)}</svg>'
