"""One bee as an SVG picture: its metric over time, the levels that fire, what was decided, and how long it was bad."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from worker.decide.decision import Action
from worker.whatif.drawing import ESCALATED, RUN, VERSION
from worker.whatif.periods import Period
from worker.whatif.series import Point, Series

WIDTH, HEIGHT = 960, 330
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 62, 66
_BLUE, _RED, _AMBER, _GREY, _GREEN, _INK = "#1f5fa8", "#c62828", "#c77700", "#7a7f87", "#2e7d32", "#22262b"
_COLOURS = {Action.TRIGGER: _RED, Action.HELD: _AMBER, Action.ATTACHED: _GREY}
_STEPS = [timedelta(minutes=m) for m in (1, 5, 15, 60, 180, 360, 720)] + [
    timedelta(days=d) for d in (1, 2, 7, 14, 30, 61, 91, 182, 365, 730, 1826, 3652)
]
_MAX_TICKS = 9


@dataclass(frozen=True)
class _Scale:
    """From times and values to places in the picture."""

    begin: datetime
    end: datetime
    low: float
    high: float

    def x(self, at: datetime) -> float:
        whole = (self.end - self.begin).total_seconds()
        share = (at - self.begin).total_seconds() / whole if whole else 0.5
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(share, 0.0), 1.0)

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def plot(bee: str, title: str, series: Series, periods: Sequence[Period]) -> str:
    """Return the picture as the text of an SVG file."""
    points = sorted(series.points, key=lambda point: point.at)
    body = list(_picture(series, points, periods)) if points else [_text(WIDTH / 2, HEIGHT / 2, "nothing was judged")]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}" role="img">'
    )
    name = f"<title>{escape(bee)}: {escape(title)}</title>"
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    words = f'<text x="{LEFT}" y="20" font-size="15" font-weight="600">{escape(bee)}</text>'
    said = f'<text x="{WIDTH - RIGHT}" y="20" text-anchor="end" fill="{_GREY}">{escape(title)}</text>'
    return "\n".join([head, name, ground, words, said, *body, "</svg>"]) + "\n"


def _picture(series: Series, points: Sequence[Point], periods: Sequence[Period]) -> Iterator[str]:
    scale = _scale(series, points)
    bottom = HEIGHT - BOTTOM
    for period in periods:
        x, end = scale.x(period.begin), scale.x(period.end or period.last)
        yield f'<rect x="{x:.1f}" y="{TOP}" width="{max(end - x, 2):.1f}" height="{bottom - TOP}" fill="#fbe3e1"/>'
    yield from _axes(scale)
    for at in series.marks.get(VERSION, ()):
        yield _line(scale.x(at), TOP, scale.x(at), bottom, _GREY, "2 3")
    yield from _levels(series, points, scale)
    yield from _metric(points, scale)
    for name, colour in ((RUN, _RED), (ESCALATED, _INK), ("closed", _GREEN)):
        for at in series.marks.get(name, ()):
            yield _flag(name, scale.x(at), bottom + 34, colour)
    yield from _legend(series)


def _scale(series: Series, points: Sequence[Point]) -> _Scale:
    values = [v for p in points for v in (p.low, p.high, p.baseline, p.limit) if v is not None]
    values += [] if series.floor is None else [series.floor]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return _Scale(points[0].at, points[-1].at, low - margin, high + margin)


def _axes(scale: _Scale) -> Iterator[str]:
    bottom = HEIGHT - BOTTOM
    for value in _levels_of(scale.low, scale.high):
        yield _line(LEFT, scale.y(value), WIDTH - RIGHT, scale.y(value), "#e6e8eb")
        yield _text(LEFT - 8, scale.y(value) + 4, f"{value:.6g}", anchor="end")
    for at, words in _ticks(scale):
        yield _line(scale.x(at), bottom, scale.x(at), bottom + 4, _GREY)
        yield _text(scale.x(at), bottom + 17, words)
    yield _line(LEFT, bottom, WIDTH - RIGHT, bottom, _GREY)


def _levels_of(low: float, high: float) -> Iterator[float]:
    """Yield round values between two others, some five of them."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough)) if 0 < rough < math.inf else 1.0
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough or factor == 10)
    first = math.ceil(low / step)
    for number in range(first, first + 12):
        if number * step <= high:
            yield round(number * step, 12)


def _ticks(scale: _Scale) -> Iterator[tuple[datetime, str]]:
    span = scale.end - scale.begin
    step = next((one for one in _STEPS if span <= one * _MAX_TICKS), _STEPS[-1])
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    day = scale.begin.replace(hour=0, minute=0, second=0, microsecond=0)
    first = day + step * max(0, -((day - scale.begin) // step))
    for number in range(_MAX_TICKS + 2):
        try:
            at = first + number * step
        except OverflowError:
            return
        if at > scale.end:
            return
        if LEFT + 24 <= scale.x(at) <= WIDTH - RIGHT - 24:
            yield at, f"{at:{form}}"


def _levels(series: Series, points: Sequence[Point], scale: _Scale) -> Iterator[str]:
    for colour, dash, values in (
        (_GREY, "6 4", [(p.at, p.baseline) for p in points]),
        (_RED, "4 3", [(p.at, p.limit) for p in points]),
    ):
        yield from _stairs(values, scale, colour, dash)
    if series.floor is not None:
        yield _line(LEFT, scale.y(series.floor), WIDTH - RIGHT, scale.y(series.floor), _AMBER, "8 3")


def _stairs(values: Sequence[tuple[datetime, float | None]], scale: _Scale, colour: str, dash: str) -> Iterator[str]:
    """Yield a line that keeps a level until another is told."""
    path, last = [], None
    for at, value in values:
        if value is None:
            continue
        x, y = scale.x(at), scale.y(value)
        path.append(f"M{x:.1f} {y:.1f}" if last is None else f"H{x:.1f}" if value == last else f"H{x:.1f}V{y:.1f}")
        last = value
    if path:
        drawn = "".join([*path, f"H{WIDTH - RIGHT}"])
        yield f'<path d="{drawn}" fill="none" stroke="{colour}" stroke-dasharray="{dash}"/>'


def _metric(points: Sequence[Point], scale: _Scale) -> Iterator[str]:
    """Yield the metric's line, its range where points stand for several, and a dot for each conclusion that counts."""
    path, band, pen = [], [], "M"
    for point in points:
        if point.low is None or point.high is None:
            pen = "M"
            continue
        x = scale.x(point.at)
        path.append(f"{pen}{x:.1f} {scale.y((point.low + point.high) / 2):.1f}")
        pen = "L"
        if point.high > point.low:
            band.append(f"M{x:.1f} {scale.y(point.low):.1f}V{scale.y(point.high):.1f}")
    if band:
        yield f'<path d="{"".join(band)}" stroke="{_BLUE}" stroke-opacity="0.25" fill="none"/>'
    if path:
        yield f'<path d="{"".join(path)}" stroke="{_BLUE}" stroke-width="1.6" fill="none" stroke-linejoin="round"/>'
    few = len(points) <= 400
    for point in sorted(points, key=lambda one: one.action is Action.TRIGGER):
        colour = _COLOURS.get(point.action)
        if colour is None and not few:
            continue
        shown = [v for v in (point.low, point.high) if v is not None]
        y = scale.y(sum(shown) / len(shown)) if shown else HEIGHT - BOTTOM - 4
        radius = 5 if point.action is Action.TRIGGER else 3.4 if colour else 2
        said = escape(f"{point.at:%Y-%m-%d %H:%M} {point.action.value}")
        dot = f'<circle cx="{scale.x(point.at):.1f}" cy="{y:.1f}" r="{radius}" fill="{colour or _BLUE}"'
        yield f"{dot}><title>{said}</title></circle>"


def _flag(name: str, x: float, y: float, colour: str) -> str:
    if name == RUN:
        return f'<path d="M{x:.1f} {y - 7}l5 9h-10z" fill="{colour}"><title>a run begins</title></path>'
    if name == ESCALATED:
        return f'<rect x="{x - 4:.1f}" y="{y - 6}" width="8" height="8" fill="{colour}"><title>escalated</title></rect>'
    return f'<circle cx="{x:.1f}" cy="{y - 2}" r="4" fill="{colour}"><title>incident closed</title></circle>'


def _legend(series: Series) -> Iterator[str]:
    entries = [
        (f'<path d="M0 -4h18" stroke="{_BLUE}" stroke-width="2"/>', series.metric or "metric"),
        (f'<path d="M0 -4h18" stroke="{_GREY}" stroke-dasharray="6 4"/>', "baseline"),
        (f'<path d="M0 -4h18" stroke="{_RED}" stroke-dasharray="4 3"/>', "fires beyond"),
    ]
    if series.floor is not None:
        entries.append((f'<path d="M0 -4h18" stroke="{_AMBER}" stroke-dasharray="8 3"/>', "floor"))
    entries += [
        (f'<circle cx="9" cy="-4" r="{radius}" fill="{colour}"/>', word)
        for radius, colour, word in (
            (5, _RED, "trigger"),
            (3.4, _AMBER, "held back"),
            (3.4, _GREY, "joins an incident"),
        )
    ]
    entries.append(('<rect y="-10" width="18" height="12" fill="#fbe3e1"/>', "bad"))
    x = float(LEFT)
    for mark, word in entries:
        yield f'<g transform="translate({x:.0f} 46)">{mark}<text x="24">{escape(word)}</text></g>'
        x += 38 + 6.6 * len(word)
    below = [
        (f'<path d="M5 -10l5 9h-10z" fill="{_RED}"/>', "run begins"),
        (f'<rect y="-9" width="8" height="8" fill="{_INK}"/>', "escalated"),
        (f'<circle cx="4" cy="-5" r="4" fill="{_GREEN}"/>', "incident closed"),
        (f'<path d="M4 -12v12" stroke="{_GREY}" stroke-dasharray="2 3"/>', "another version"),
    ]
    x = float(LEFT)
    for mark, word in below:
        yield f'<g transform="translate({x:.0f} {HEIGHT - 8})">{mark}<text x="16">{escape(word)}</text></g>'
        x += 34 + 6.6 * len(word)


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, dash: str = "") -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"{dashed}/>'


def _text(x: float, y: float, words: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_GREY}">{escape(words)}</text>'
