"""The curves of a backtest as one SVG picture: the metric of all rows so far, that of each period, and what happened.

White behind, so that it reads the same on a dark page.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from xml.sax.saxutils import escape

from worker.backtest.report import Arm, Kind, Policy, Report
from worker.clock import EPOCH

WIDTH = 960
_LEFT, _RIGHT, _TOP = 80, 150, 58
_MAIN, _SMALL, _GAP, _LANE, _BOTTOM = 230, 120, 30, 20, 46
_INK, _GREY, _GRID = "#22262b", "#5f656d", "#e6e8eb"
_COLOURS = {Policy.MANAGED: "#1f5fa8", Policy.NEVER: "#7a7f87", Policy.WEEKLY: "#c77700"}
_STEPS = [timedelta(hours=h) for h in (1, 6)] + [timedelta(days=d) for d in (1, 2, 7, 14, 28, 91, 182, 364, 728, 3640)]
_MOST_TICKS = 9
#: How far the dots of the policies stand aside of each other.
_APART = 6.0
#: How far apart the names at the ends of the curves stand.
_LINE = 30.0


@dataclass(frozen=True)
class _Panel:
    """From times and values to places in a part of the picture."""

    begin: datetime
    end: datetime
    low: float
    high: float
    top: float
    height: float

    def x(self, at: datetime) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * ((at - self.begin) / (self.end - self.begin))

    def y(self, value: float) -> float:
        return self.top + self.height * (self.high - value) / (self.high - self.low)


def plot(report: Report) -> str:
    """Return the picture of a report."""
    lanes = [arm for arm in report.arms if arm.changes]
    below = _TOP + _MAIN + _GAP + _SMALL
    height = below + _LANE * len(lanes) + _BOTTOM
    times = f"{report.periods[0].start:%Y-%m-%d} to {report.periods[-1].end:%Y-%m-%d}"
    title = f"{report.bee}: {report.metric} in production, {times}"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="12"><title>{escape(title)}</title>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    )
    return "\n".join([head, *_drawn(report, title, lanes, below), "</svg>", ""])


def _drawn(report: Report, title: str, lanes: Sequence[Arm], below: float) -> Iterator[str]:
    rows = sum(count for count, _ in report.counts)
    every = _span(timedelta(seconds=report.every_s))
    yield _text(_LEFT, 22, title, size=15, colour=_INK, anchor="start", weight=600)
    said = f"{rows:,} rows, each scored with the version that served it; a period is {every}"
    yield _text(_LEFT, 40, f"{said}; {'lower' if report.lower_is_better else 'higher'} is better", anchor="start")
    main = _panel(report, [point.cumulative for arm in report.arms for point in arm.points], _TOP, _MAIN)
    small = _panel(report, [point.value for arm in report.arms for point in arm.points], _TOP + _MAIN + _GAP, _SMALL)
    yield from _axes(main, "all rows so far")
    yield from _axes(small, "rows of the period")
    for place, arm in reversed(list(enumerate(report.arms))):
        yield from _curve(report, arm, main)
        yield from _dots(report, arm, small, _APART * (place - (len(report.arms) - 1) / 2))
    yield from _names(report, main)
    for place, arm in enumerate(lanes):
        yield from _lane(arm, main, below + _LANE * (place + 1) - 4)
    yield from _times(small, below + _LANE * len(lanes))
    kinds = {change.kind for arm in lanes for change in arm.changes}
    yield from _legend([kind for kind in _MARKS if kind in kinds], below + _LANE * len(lanes) + _BOTTOM - 6)


def _panel(report: Report, values: Sequence[float | None], top: float, height: float) -> _Panel:
    known = [value for value in values if value is not None]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return _Panel(report.periods[0].start, report.periods[-1].end, low - margin, high + margin, top, height)


def _axes(panel: _Panel, said: str) -> Iterator[str]:
    bottom = panel.top + panel.height
    for value in _levels(panel.low, panel.high):
        y = panel.y(value)
        yield _line(_LEFT, y, WIDTH - _RIGHT, y, _GRID)
        yield _text(_LEFT - 8, y + 4, f"{value:.6g}", anchor="end")
    yield _line(_LEFT, bottom, WIDTH - _RIGHT, bottom, _GREY)
    yield _text(_LEFT + 6, bottom - 7, said, anchor="start")


def _levels(low: float, high: float) -> Iterator[float]:
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough)) if 0 < rough < math.inf else 1.0
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough or factor == 10)
    first = math.ceil(low / step)
    yield from (round(number * step, 12) for number in range(first, first + 12) if number * step <= high)


def _times(panel: _Panel, y: float) -> Iterator[str]:
    span = panel.end - panel.begin
    step = next((one for one in _STEPS if span <= one * _MOST_TICKS), _STEPS[-1])
    form = "%Y-%m-%d" if step >= timedelta(days=1) else "%m-%d %H:%M"
    at = EPOCH - ((EPOCH - panel.begin) // step) * step
    while at <= panel.end:
        yield _line(panel.x(at), y, panel.x(at), y + 4, _GREY)
        if panel.x(at) <= WIDTH - _RIGHT - 20:
            yield _text(panel.x(at), y + 16, f"{at:{form}}")
        at += step


def _curve(report: Report, arm: Arm, panel: _Panel) -> Iterator[str]:
    """Yield a line through the ends of periods; where nothing is defined it has a gap."""
    path, pen = [], "M"
    for period, point in zip(report.periods, arm.points, strict=True):
        if point.cumulative is None:
            pen = "M"
            continue
        path.append(f"{pen}{panel.x(period.end):.1f} {panel.y(point.cumulative):.1f}")
        pen = "L"
    dash = ' stroke-dasharray="7 4"' if arm.policy is Policy.NEVER else ""
    if path:
        yield (
            f'<path d="{"".join(path)}" fill="none" stroke="{_COLOURS[arm.policy]}" stroke-width="2.2" '
            f'stroke-linejoin="round"{dash}/>'
        )


def _dots(report: Report, arm: Arm, panel: _Panel, aside: float) -> Iterator[str]:
    colour = _COLOURS[arm.policy]
    for period, point in zip(report.periods, arm.points, strict=True):
        if point.value is None:
            continue
        x = panel.x(period.start + (period.end - period.start) / 2) + aside
        said = escape(f"{arm.policy.value}, {period.id}: {point.value:.4g} with version {point.served}")
        yield (
            f'<circle cx="{x:.1f}" cy="{panel.y(point.value):.1f}" r="3.2" fill="{colour}" fill-opacity="0.75">'
            f"<title>{said}</title></circle>"
        )


def _names(report: Report, panel: _Panel) -> Iterator[str]:
    """Yield each policy's name and figure at the end of its curve, apart from each other."""
    placed = [(panel.y(arm.metric), arm) for arm in report.arms if arm.metric is not None]
    ends = sorted(placed, key=lambda end: end[0])
    y = -math.inf
    for wanted, arm in ends:
        y = max(wanted, y + _LINE)
        retrains = arm.counts[Kind.RETRAINED]
        words = "never retrained" if arm.policy is Policy.NEVER else f"{retrains} retrain{'' if retrains == 1 else 's'}"
        x, colour = WIDTH - _RIGHT + 10, _COLOURS[arm.policy]
        name = f"{arm.policy.value} {arm.metric:.3g}" if arm.metric is not None else arm.policy.value
        yield _text(x, y, name, colour=colour, anchor="start", size=13, weight=600)
        yield _text(x, y + 13, words, anchor="start", size=11)


_MARKS = {
    Kind.RETRAINED: '<path d="M0 -5l4.5 8h-9z" fill="none" stroke="{colour}"/>',
    Kind.DEPLOYED: '<path d="M0 -5l4.5 8h-9z" fill="{colour}"/>',
    Kind.ROLLED_BACK: '<path d="M-4 -4l8 8M4 -4l-8 8" stroke="#c62828" stroke-width="2"/>',
    Kind.BEGUN: '<circle r="3.4" fill="#fff" stroke="{colour}" stroke-width="1.6"/>',
    Kind.ESCALATED: '<rect x="-3.5" y="-3.5" width="7" height="7" fill="#22262b"/>',
}


_WORDS = {
    Kind.RETRAINED: "retrained, not deployed",
    Kind.DEPLOYED: "deployed",
    Kind.ROLLED_BACK: "rolled back",
    Kind.BEGUN: "rollout begun",
    Kind.ESCALATED: "a person was asked",
}


def _lane(arm: Arm, panel: _Panel, y: float) -> Iterator[str]:
    yield _text(_LEFT - 8, y + 3, arm.policy.value, anchor="end", colour=_COLOURS[arm.policy])
    order = list(_MARKS)
    shown = [change for change in arm.changes if change.kind in _MARKS]
    for change in sorted(shown, key=lambda one: (one.at, order.index(one.kind))):
        mark = _MARKS[change.kind].format(colour=_COLOURS[arm.policy])
        version = f" {change.version}" if change.version else ""
        said = escape(f"{change.at:%Y-%m-%d} {change.kind.value}{version}")
        # A person is asked when a run was refused: beside its mark.
        x = panel.x(change.at) + (9.5 if change.kind is Kind.ESCALATED else 0.0)
        yield f'<g transform="translate({x:.1f} {y})">{mark}<title>{said}</title></g>'


def _legend(kinds: Sequence[Kind], y: float) -> Iterator[str]:
    x = float(_LEFT)
    for kind in kinds:
        mark, word = _MARKS[kind].format(colour=_GREY), _WORDS[kind]
        yield f'<g transform="translate({x:.0f} {y - 4})">{mark}</g>{_text(x + 10, y, word, anchor="start")}'
        x += 36 + 6.4 * len(word)


def _span(every: timedelta) -> str:
    days = every / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"/>'


def _text(  # noqa: PLR0913 - how it looks, each by its name
    x: float, y: float, words: str, *, anchor: str = "middle", colour: str = _GREY, size: int = 12, weight: int = 400
) -> str:
    style = f'text-anchor="{anchor}" fill="{colour}"'
    style += f' font-size="{size}"' if size != 12 else ""
    style += f' font-weight="{weight}"' if weight != 400 else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'
