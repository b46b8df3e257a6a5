"""CSV a block of lines at a time: blocks without quotes are split at once, all others by Python's own reader.

Both give the same records. A block is plain if nothing in it means anything but itself: no quote, no carriage return,
no NUL, and on each line as many commas as in the header.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import Any

from worker.features.rows import Cell, Reject

#: A record of more is none to Python's reader.
_LONGEST = 131_072


class CsvBlocks:
    """Yields the records of blocks of whole lines as columns."""

    def __init__(self, blocks: Iterator[str], width: int, positions: Sequence[int]) -> None:
        """Take blocks (each ends with a line's end, but the last may not), the header's width, and what is wanted."""
        self._blocks = blocks
        self._width = width
        self._positions = positions
        self._line = 0
        self._lines: list[str] = []
        self._at = 0

    def __iter__(self) -> Iterator[tuple[Sequence[int], list[Any]] | Reject]:
        """Yield line numbers with the columns wanted; the header goes first, and is left out."""
        first = next(self._blocks, "")
        header, line_end, rest = first.partition("\n")
        if '"' in header or "\r" in header[:-1]:
            yield from self._read(first, header=True)
        elif line_end:
            self._line = 1
            yield from self._block(rest)
        for block in self._blocks:
            yield from self._block(block)

    def _block(self, block: str) -> Iterator[tuple[Sequence[int], list[Any]] | Reject]:
        unix = block.replace("\r\n", "\n") if "\r" in block and '"' not in block else block
        if self._is_plain(unix):
            yield self._split(unix)
        elif block:
            yield from self._read(block, header=False)

    def _is_plain(self, block: str) -> bool:
        if '"' in block or "\r" in block or "\0" in block or not block.endswith("\n"):
            return False
        self._lines = block.split("\n")
        self._lines.pop()
        commas = {line.count(",") for line in self._lines}
        blank = self._width == 1 and "" in self._lines  # an empty line is no record
        return commas == {self._width - 1} and not blank and max(map(len, self._lines)) <= _LONGEST

    def _split(self, block: str) -> tuple[Sequence[int], list[Any]]:
        cells = block[:-1].replace("\n", ",").split(",")
        columns = [_absent(tuple(cells[at :: self._width])) for at in self._positions]
        first, self._line = self._line + 1, self._line + len(self._lines)
        return range(first, self._line + 1), columns

    def _more(self) -> Iterator[str]:
        """Yield the lines of this block, and of the next ones if a record reaches into them."""
        while True:
            while self._at < len(self._lines):
                self._at += 1
                yield self._lines[self._at - 1]
            block = next(self._blocks, None)
            if block is None:
                return
            self._lines, self._at = _lines_of(block), 0

    def _read(self, block: str, *, header: bool) -> Iterator[tuple[Sequence[int], list[Any]] | Reject]:
        self._lines, self._at = _lines_of(block), 0
        reader, before = csv.reader(self._more()), self._line
        lines: list[int] = []
        records: list[list[str]] = []
        if header:
            next(reader, None)
        while self._at < len(self._lines):
            try:
                cells = next(reader)
            except StopIteration:
                break
            except csv.Error as error:
                yield Reject(before + reader.line_num, f"not CSV: {error}")
                continue
            if len(cells) == self._width:
                lines.append(before + reader.line_num)
                records.append(cells)
            elif cells:
                reason = f"{len(cells)} cells, and the first line names {self._width} columns"
                yield Reject(before + reader.line_num, reason)
        self._line = before + reader.line_num
        if lines:
            every = list(zip(*records, strict=True))
            yield lines, [_absent(every[at]) for at in self._positions]


def _lines_of(block: str) -> list[str]:
    lines = block.split("\n")
    last = lines.pop()
    held = [f"{line}\n" for line in lines]
    return [*held, last] if last else held


def _absent(cells: tuple[str, ...]) -> Sequence[Any]:
    return [cell or Cell.ABSENT for cell in cells] if "" in cells else cells
