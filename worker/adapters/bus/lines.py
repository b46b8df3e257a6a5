"""A stream of bytes cut into records, in constant memory: one per line, or one per element of a JSON array.

`gcloud pubsub subscriptions pull --format=json` writes an array over many lines; several such outputs may stand in one
file, and between plain lines. An array that breaks off is read on as lines: nothing is lost.
"""

import io
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

PIECE = 65_536
_BOM = b"\xef\xbb\xbf"
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')
_WHITE = b" \t\r\n"

#: Gives at most so many bytes, up to and with the next line end; b"" at the end; None while there is nothing yet.
Source = Callable[[int], bytes | None]


@dataclass(frozen=True)
class Record:
    """One record.

    Attributes:
        content: its bytes, at most the limit.
        size: the bytes that it really has.
        place: its line, `12`, or for an array's element the array's line and its number, `12.3`.
    """

    content: bytes
    size: int
    place: str


Records = Generator[Record | None, None, None]


class Lines:
    """Cuts what `source` gives into records of at most `limit` bytes."""

    def __init__(self, source: Source, limit: int) -> None:
        """Nothing is read before `records` is advanced."""
        self._source = source
        self._limit = limit
        self._rest = b""
        self._again = io.BytesIO()
        self._line = 0

    def records(self) -> Records:
        """Yield the records, and None each time that the source has nothing yet."""
        first = yield from self._piece()
        self._rest = first.removeprefix(_BOM)
        while piece := (yield from self._piece()):
            if piece[:1] == b"{" and piece[-1:] == b"\n" and len(piece) <= self._limit:
                # Nearly every line of a recording is one object that came in one piece.
                self._line += 1
                content = piece.rstrip(b"\r\n")
                yield Record(content, len(content), str(self._line))
            elif (yield from self._opens_array(piece)):
                yield from self._array()
            else:
                yield from self._one_line(piece)

    def _piece(self) -> Generator[None, None, bytes]:
        if self._rest:
            cut = self._rest.find(b"\n", 0, PIECE) + 1 or min(len(self._rest), PIECE)
            piece, self._rest = self._rest[:cut], self._rest[cut:]
            return piece
        if again := self._again.readline(PIECE):
            return again
        while (read := self._source(PIECE)) is None:
            yield None
        return read

    def _one_line(self, piece: bytes) -> Records:
        self._line += 1
        kept = _Kept(self._limit)
        while piece:
            kept.add(piece.rstrip(b"\r\n") if piece.endswith(b"\n") else piece)
            if piece.endswith(b"\n"):
                break
            piece = yield from self._piece()
        if kept.content.strip(_WHITE):
            yield Record(bytes(kept.content), kept.size, str(self._line))

    def _opens_array(self, piece: bytes) -> Generator[None, None, bool]:
        """Whether an array of objects begins here; if so, what follows its bracket is left to be read."""
        text = piece.lstrip(_WHITE)
        if not text.startswith(b"["):
            return False
        after = text[1:]
        while not after.strip(_WHITE) and after.count(b"\n") < 2 and len(after) < PIECE:
            following = yield from self._piece()
            if not following:
                break
            after += following
        opens = after.lstrip(_WHITE)[:1] in (b"{", b"]")
        self._rest = (after if opens else after.removeprefix(text[1:])) + self._rest
        return opens

    def _array(self) -> Records:
        """Yield an array's elements, up to and with its closing bracket."""
        start, number = self._line + 1, 0
        while piece := (yield from self._piece()):
            text = piece.lstrip(_WHITE + b",")
            if not text:
                self._line += piece.count(b"\n")
            elif text.startswith(b"{"):
                number += 1
                self._rest = text + self._rest
                yield from self._element(f"{start}.{number}")
            else:
                self._rest = text.removeprefix(b"]") + self._rest
                return

    def _element(self, place: str) -> Records:
        """Yield one object of an array: what stands between its braces, whatever the line ends in it."""
        kept, nesting, line = _Kept(self._limit), _Nesting(), self._line
        while piece := (yield from self._piece()):
            end = nesting.end_in(piece)
            kept.add(piece if end is None else piece[:end])
            if end is not None:
                self._rest = piece[end:] + self._rest
                break
            self._line += piece.count(b"\n")
        else:
            if kept.size <= self._limit:
                self._again, self._line = io.BytesIO(kept.content), line
                yield from self._broken_off()
                return
        yield Record(bytes(kept.content), kept.size, place)

    def _broken_off(self) -> Records:
        """Yield the lines of an element that never ended: whole records may stand among them."""
        while piece := (yield from self._piece()):
            yield from self._one_line(piece)


class _Kept:
    """The first bytes of a record, and how many there were."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.content = bytearray()
        self.size = 0

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        self.content += piece[: self._limit - len(self.content)]


class _Nesting:
    """Follows brackets and strings through the pieces of one JSON value."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = 0

    def end_in(self, piece: bytes) -> int | None:
        """Return where the value ends in this piece, or None if it goes on."""
        at = self._escaped
        while found := (_INSIDE if self._in_string else _OUTSIDE).search(piece, at):
            at = found.end()
            mark = found.group()
            if mark == b'"':
                self._in_string = not self._in_string
            elif mark == b"\\":
                at += 1
            else:
                self._depth += 1 if mark in b"{[" else -1
                if self._depth == 0:
                    return at
        self._escaped = max(0, at - len(piece))
        return None
