"""A curve that a person can look at: the points as CSV, and as an SVG with one line for each measure."""

from collections.abc import Mapping, Sequence
from pathlib import Path

_WIDTH, _HEIGHT, _EDGE = 640, 240, 56
_COLORS = ("#1f6feb", "#d1242f", "#2da44e")


def write_curve(path: Path, title: str, at: Sequence[int], measures: Mapping[str, Sequence[float]]) -> None:
    """Write `path`.csv and `path`.svg.

    Args:
        path: without its ending.
        title: what was measured.
        at: where each point was measured, ascending.
        measures: name with unit -> its values, each from 0 to its own largest in the drawing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = zip(at, *measures.values(), strict=True)
    lines = [",".join(["events", *measures]), *(",".join(f"{value:g}" for value in row) for row in rows)]
    path.with_suffix(".csv").write_text("\n".join(lines) + "\n")
    path.with_suffix(".svg").write_text(_svg(title, at, measures))


def _svg(title: str, at: Sequence[int], measures: Mapping[str, Sequence[float]]) -> str:
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif">',
        f'<rect width="100%" height="100%" fill="#fff"/><text x="{_EDGE}" y="20" font-size="13">{title}</text>',
        f'<path d="M{_EDGE} 40V{_HEIGHT - 40}H{_WIDTH - 20}" fill="none" stroke="#888"/>',
        _text(_EDGE, _HEIGHT - 22, "0"),
        _text(_WIDTH - 90, _HEIGHT - 22, f"{at[-1]:,} events"),
    ]
    for number, (name, values) in enumerate(measures.items()):
        color, top = _COLORS[number % len(_COLORS)], max(values) or 1.0
        points = " ".join(
            f"{_x(place, at[-1]):.1f},{_y(value, top):.1f}" for place, value in zip(at, values, strict=True)
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        said = f"{name}: {values[0]:,.1f} … {values[-1]:,.1f}, at most {top:,.1f}"
        parts.append(_text(_EDGE + 8 + 250 * number, _HEIGHT - 6, said, color))
    return "\n".join([*parts, "</svg>\n"])


def _x(place: int, last: int) -> float:
    return _EDGE + (_WIDTH - 20 - _EDGE) * place / last


def _y(value: float, top: float) -> float:
    return _HEIGHT - 40 - (_HEIGHT - 90) * value / top


def _text(x: float, y: float, words: str, color: str = "#444") -> str:
    return f'<text x="{x}" y="{y}" font-size="11" fill="{color}">{words}</text>'
