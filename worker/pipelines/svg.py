"""A template's graph as an SVG document: rounded boxes, curved lines, light and dark; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from worker.pipelines.layout import Layout

_CHARACTER, _LINE = 7.3, 17
_PADDING, _GAP, _CHANNEL, _MARGIN = 14, 34, 48, 24
_STYLE = """
svg { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: #ffffff; }
.box { fill: #f6f8fa; stroke: #8c959f; }
.id { fill: #1f2328; font-weight: 600; }
.more { fill: #59636e; }
.maybe { stroke-dasharray: 5 4; }
.line { fill: none; stroke: #8c959f; stroke-width: 1.4; }
.head { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
  svg { background: #0d1117; }
  .box { fill: #161b22; stroke: #6e7681; }
  .id { fill: #e6edf3; }
  .more { fill: #9198a1; }
  .line { stroke: #6e7681; }
  .head { fill: #6e7681; }
}
"""


@dataclass(frozen=True)
class Box:
    """A step.

    Attributes:
        lines: in its box, the first one its id.
        hint: is shown when the pointer rests on it.
        maybe: it does not always run; its border is dashed.
        many: it runs for each item of a list; it stands before others.
    """

    lines: Sequence[str]
    hint: str = ""
    maybe: bool = False
    many: bool = False


def svg(layout: Layout, boxes: Mapping[str, Box], *, title: str) -> str:
    """Return the document; the same graph gives the same text.

    Args:
        layout: of the graph.
        boxes: step -> what stands for it.
        title: of the picture, for screen readers.
    """
    labels = {node: box.lines for node, box in boxes.items()}
    width = max((len(line) for lines in labels.values() for line in lines), default=1) * _CHARACTER + 2 * _PADDING
    heights = [
        max((len(labels[node]) for node in layer if node in labels), default=1) * _LINE + 2 * _PADDING - 4
        for layer in layout.layers
    ]
    middles, whole = _middles(layout, width)
    tops = [_MARGIN + sum(heights[:number]) + number * _CHANNEL for number in range(len(heights))]
    row = {node: number for number, layer in enumerate(layout.layers) for node in layer}
    parts = [
        _line(
            middles[upper],
            tops[row[upper]] + heights[row[upper]],
            middles[lower],
            tops[row[lower]],
            head=lower in labels,
        )
        for upper, lower in layout.segments
    ]
    for node, middle in middles.items():
        top, height = tops[row[node]], heights[row[node]]
        if node in layout.passing:
            parts.append(f'<path class="line" d="M{middle:.1f} {top:.1f}V{top + height:.1f}"/>')
        else:
            parts.append(_box(middle, top, (width, height), boxes[node]))
    total = tops[-1] + heights[-1] + _MARGIN if tops else 2 * _MARGIN
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole:.0f} {total:.0f}" width="{whole:.0f}" '
    head += f'height="{total:.0f}" role="img">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n'
    return head + "\n".join(parts) + "\n</svg>\n"


def _middles(layout: Layout, width: float) -> tuple[dict[str, float], float]:
    """Return each node's middle and the whole width; every layer is centred."""
    spans = []
    for layer in layout.layers:
        widths = [0.0 if node in layout.passing else width for node in layer]
        spans.append((widths, sum(widths) + _GAP * (len(layer) - 1)))
    whole = max((span for _, span in spans), default=0.0) + 2 * _MARGIN
    middles = {}
    for layer, (widths, span) in zip(layout.layers, spans, strict=True):
        left = (whole - span) / 2
        for node, own in zip(layer, widths, strict=True):
            middles[node] = left + own / 2
            left += own + _GAP
    return middles, whole


def _line(x1: float, y1: float, x2: float, y2: float, *, head: bool) -> str:
    end = y2 - 7 if head else y2
    bend = (end - y1) / 2
    path = f"M{x1:.1f} {y1:.1f}C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {end - bend:.1f} {x2:.1f} {end:.1f}"
    arrow = f'<path class="head" d="M{x2:.1f} {y2:.1f}l-4.5 -8h9z"/>' if head else ""
    return f'<path class="line" d="{path}"/>{arrow}'


def _box(middle: float, top: float, size: tuple[float, float], box: Box) -> str:
    width, height = size
    left = middle - width / 2
    first = top + (height - len(box.lines) * _LINE) / 2 + 12.5
    style = "box maybe" if box.maybe else "box"
    texts = "".join(
        f'<text class="{"more" if place else "id"}" text-anchor="middle" x="{middle:.1f}" '
        f'y="{first + place * _LINE:.1f}">{escape(line)}</text>'
        for place, line in enumerate(box.lines)
    )
    frames = "".join(
        f'<rect class="{style}" rx="7" x="{left + shift:.1f}" y="{top + shift:.1f}" '
        f'width="{width:.1f}" height="{height:.1f}"/>'
        for shift in ((8, 4, 0) if box.many else (0,))
    )
    return f"<g><title>{escape(box.hint)}</title>{frames}{texts}</g>"
