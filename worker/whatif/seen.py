"""Which events came before: a table of 16-byte digests, so that a million ids take 48 MB and not their own length."""

import hashlib

_DIGEST = 16
_NUMBER = 6
_CELL = _DIGEST + _NUMBER
_FREE = bytes(_CELL)
_FULL = 0.7


class Seen:
    """Numbers distinct (source, id) from 0 on, in open addressing; it doubles when 70 % are taken."""

    def __init__(self, bits: int = 12) -> None:
        """Begin with 2 to the power of `bits` cells."""
        self._cells = bytearray(_CELL << bits)
        self._mask = (1 << bits) - 1
        self._count = 0

    def __len__(self) -> int:
        """Return how many distinct ones there are."""
        return self._count

    def first(self, source: str, event_id: str) -> tuple[int, bool]:
        """Return the number of an event, and whether it came for the first time."""
        digest = hashlib.blake2b(f"{source}\n{event_id}".encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest()
        at = self._cell(digest)
        found = self._cells[at : at + _CELL]
        if found != _FREE:
            return int.from_bytes(found[_DIGEST:], "little") - 1, False
        self._cells[at : at + _CELL] = digest + (self._count + 1).to_bytes(_NUMBER, "little")
        self._count += 1
        if self._count > _FULL * (self._mask + 1):
            self._double()
        return self._count - 1, True

    def _cell(self, digest: bytes) -> int:
        """Return where a digest is, or where it would go."""
        cells, mask = self._cells, self._mask
        slot = int.from_bytes(digest[:8], "little") & mask
        while True:
            at = slot * _CELL
            found = cells[at : at + _DIGEST]
            # A number is never 0, so that a cell is free if and only if all of it is.
            if found == digest or cells[at : at + _CELL] == _FREE:
                return at
            slot = (slot + 1) & mask

    def _double(self) -> None:
        old = self._cells
        self._cells = bytearray(2 * len(old))
        self._mask = 2 * self._mask + 1
        for at in range(0, len(old), _CELL):
            cell = old[at : at + _CELL]
            if cell != _FREE:
                place = self._cell(bytes(cell[:_DIGEST]))
                self._cells[place : place + _CELL] = cell
