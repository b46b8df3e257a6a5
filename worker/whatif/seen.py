"""Which events came before: a table of 16-byte digests, 31 to 63 bytes for each distinct event however long its id."""

from array import array
from collections.abc import Sequence
from hashlib import blake2b

_DIGEST = 16
_NUMBER = 6
_CELL = _DIGEST + _NUMBER
_FREE, _NONE = bytes(_CELL), bytes(_DIGEST)
_FULL = 0.7


class Seen:
    """Numbers distinct (source, id) from 0 on, in open addressing; it doubles when 70 % are taken."""

    def __init__(self, bits: int = 12) -> None:
        """Begin with 2 to the power of `bits` cells."""
        self._cells = bytearray(_CELL << bits)
        self._mask = (1 << bits) - 1
        self._limit = _FULL * (self._mask + 1)
        self._count = 0

    def __len__(self) -> int:
        """Return how many distinct ones there are."""
        return self._count

    def first(self, source: str, event_id: str) -> tuple[int, bool]:
        """Return the number of an event and whether it came for the first time."""
        digest = _digest(source, event_id)
        at, taken = self._cell(digest)
        if taken:
            return int.from_bytes(self._cells[at + _DIGEST : at + _CELL], "little") - 1, False
        self._count += 1
        self._cells[at : at + _CELL] = digest + self._count.to_bytes(_NUMBER, "little")
        if self._count > self._limit:
            self._double()
        return self._count - 1, True

    def prefixes(self) -> Sequence[int]:
        """Return eight bytes of each digest as a number, in order."""
        cells = self._cells
        # By their highest byte first: to sort all at once would make a Python number of each, four times as large.
        parts = [array("Q") for _ in range(256)]
        for at in range(0, len(cells), _CELL):
            cell = cells[at : at + _CELL]
            if cell != _FREE:
                parts[cell[7]].append(int.from_bytes(cell[:8], "little"))
        found = array("Q")
        for part in parts:
            found.extend(sorted(part))
        return found

    def _cell(self, digest: bytes) -> tuple[int, bool]:
        """Return where a digest is, or where it would go, and which of the two."""
        cells, mask = self._cells, self._mask
        slot = int.from_bytes(digest[:8], "little") & mask
        while True:
            at = slot * _CELL
            found = cells[at : at + _DIGEST]
            if found == digest:
                return at, True
            # A number is never 0, so that a cell is free if and only if all of it is.
            if found == _NONE and cells[at : at + _CELL] == _FREE:
                return at, False
            slot = (slot + 1) & mask

    def _double(self) -> None:
        old = self._cells
        self._cells = bytearray(2 * len(old))
        self._mask = 2 * self._mask + 1
        self._limit = _FULL * (self._mask + 1)
        for at in range(0, len(old), _CELL):
            cell = old[at : at + _CELL]
            if cell != _FREE:
                place, _ = self._cell(bytes(cell[:_DIGEST]))
                self._cells[place : place + _CELL] = cell


def _digest(source: str, event_id: str) -> bytes:
    return blake2b(f"{source}\n{event_id}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
