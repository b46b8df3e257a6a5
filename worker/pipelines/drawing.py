"""A template's graph as text: boxes and lines of Unicode, layer below layer; pure."""

from collections.abc import Mapping, Sequence

from worker.pipelines.layout import Layout

_GAP = 3
_N, _E, _S, _W = 1, 2, 4, 8
_LINES = {
    _N: "│", _S: "│", _N | _S: "│", _E: "─", _W: "─", _E | _W: "─",
    _S | _E: "┌", _S | _W: "┐", _N | _E: "└", _N | _W: "┘",
    _N | _S | _E: "├", _N | _S | _W: "┤", _E | _W | _S: "┬", _E | _W | _N: "┴", _N | _E | _S | _W: "┼",
}  # fmt: skip


def draw(layout: Layout, labels: Mapping[str, Sequence[str]]) -> str:
    """Return the drawing.

    Args:
        layout: of the graph.
        labels: step -> the lines in its box.
    """
    canvas = _Canvas()
    # Odd widths have a middle, at which lines come and go.
    width = max((len(line) for lines in labels.values() for line in lines), default=1) // 2 * 2 + 5
    middles = _middles(layout, width)
    row = 0
    for number, layer in enumerate(layout.layers):
        height = max((len(labels[node]) for node in layer if node in labels), default=1) + 2
        for node in layer:
            if node in layout.passing:
                canvas.vertical(middles[node], row, row + height - 1)
            else:
                canvas.box(middles[node] - width // 2, row, width, height, labels[node])
        row += height
        if number + 1 < len(layout.layers):
            row = _channel(canvas, layout, layer, middles, row)
    return canvas.text()


def _middles(layout: Layout, width: int) -> dict[str, int]:
    """Return each node's middle column; every layer is centred."""
    spans = []
    for layer in layout.layers:
        widths = [1 if node in layout.passing else width for node in layer]
        spans.append((widths, sum(widths) + _GAP * (len(layer) - 1)))
    whole = max((span for _, span in spans), default=0)
    middles = {}
    for layer, (widths, span) in zip(layout.layers, spans, strict=True):
        column = (whole - span) // 2
        for node, own in zip(layer, widths, strict=True):
            middles[node] = column + own // 2
            column += own + _GAP
    return middles


def _channel(canvas: "_Canvas", layout: Layout, layer: Sequence[str], middles: Mapping[str, int], row: int) -> int:
    """Draw the lines from one layer to the next, each bent source on a row of its own; return the row below."""
    targets = {node: [lower for upper, lower in layout.segments if upper == node] for node in layer}
    bent = [node for node in layer if any(middles[lower] != middles[node] for lower in targets[node])]
    tracks = {node: row + 1 + place for place, node in enumerate(_tracks(bent, targets, middles))}
    end = row + len(bent) + 1
    for node, lowers in targets.items():
        for lower in lowers:
            start, stop = middles[node], middles[lower]
            track = tracks.get(node, row)
            if start == stop:
                canvas.vertical(start, row, end - 1)
            else:
                canvas.vertical(start, row, track, down=False)
                canvas.horizontal(track, start, stop)
                canvas.vertical(stop, track, end - 1, up=False)
            canvas.put(end, stop, "│" if lower in layout.passing else "▼")
    return end + 1


def _tracks(bent: Sequence[str], targets: Mapping[str, Sequence[str]], middles: Mapping[str, int]) -> list[str]:
    """Order the rows so that a line which goes down never runs into another that comes down in the same column."""
    left, ordered = list(bent), []
    while left:
        first = next((node for node in left if not _blocked(node, left, targets, middles)), left[0])
        left.remove(first)
        ordered.append(first)
    return ordered


def _blocked(node: str, left: Sequence[str], targets: Mapping[str, Sequence[str]], middles: Mapping[str, int]) -> bool:
    ends = {middles[lower] for lower in targets[node]} - {middles[node]}
    return any(middles[other] in ends for other in left if other != node)


class _Canvas:
    """Characters by row and column; lines that meet join."""

    def __init__(self) -> None:
        self._lines: dict[tuple[int, int], int] = {}
        self._signs: dict[tuple[int, int], str] = {}

    def put(self, row: int, column: int, sign: str) -> None:
        """Write one character."""
        self._signs[row, column] = sign

    def vertical(self, column: int, first: int, last: int, *, up: bool = True, down: bool = True) -> None:
        """Draw a line down; `up` and `down` say whether it goes on beyond its ends."""
        for row in range(first, last + 1):
            self._join(row, column, (_N if up or row > first else 0) | (_S if down or row < last else 0))

    def horizontal(self, row: int, start: int, stop: int) -> None:
        """Draw a line across."""
        left, right = min(start, stop), max(start, stop)
        for column in range(left, right + 1):
            self._join(row, column, (_W if column > left else 0) | (_E if column < right else 0))

    def box(self, left: int, top: int, width: int, height: int, lines: Sequence[str]) -> None:
        """Draw a box around lines of text, each in its middle."""
        rows = ["┌" + "─" * (width - 2) + "┐"]
        rows += ["│" + line.center(width - 2) + "│" for line in [*lines, *[""] * (height - 2 - len(lines))]]
        rows.append("└" + "─" * (width - 2) + "┘")
        for place, text in enumerate(rows):
            for offset, sign in enumerate(text):
                self.put(top + place, left + offset, sign)

    def text(self) -> str:
        """Return what was drawn."""
        signs = {place: _LINES[mask] for place, mask in self._lines.items()} | self._signs
        rows: dict[int, dict[int, str]] = {}
        for (row, column), sign in signs.items():
            rows.setdefault(row, {})[column] = sign
        return "\n".join(
            "".join(rows[row].get(column, " ") for column in range(max(rows[row]) + 1)).rstrip() for row in sorted(rows)
        )

    def _join(self, row: int, column: int, mask: int) -> None:
        self._lines[row, column] = self._lines.get((row, column), 0) | mask
