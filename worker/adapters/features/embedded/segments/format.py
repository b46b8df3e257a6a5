"""A file of named columns: contiguous arrays with checksums, written once, renamed into place, mapped for reading.

Layout: magic, the columns (each at a multiple of 64 bytes), a footer in MessagePack (facts, and of each column its
name, type, place and CRC-32), the footer's length and CRC-32, magic. Beside each column lies one of sums, one 64-bit
sum per 64 KiB: a reader checks with them, at the speed of memory, exactly the pages that it touches. The CRC-32 of
whole columns are for `verify` and for whoever writes a file anew out of this one.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from worker.errors import TryLater

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MAGIC = b"COLONY01"
PAGE_BYTES = 1 << 16
_ALIGN = 64
_TAIL = struct.Struct("<II8s")
_CHUNK = 1 << 24


class Damaged(TryLater):
    """A file's content is not what was written."""

    def __init__(self, path: Path, reason: str) -> None:
        """Say which file, what of it, and what to do."""
        self.path, self.reason = path, reason
        mend = "`colony features verify` names all that is lost; put back a copy"
        super().__init__(f"the feature store's file {path} is damaged: {reason}; {mend}")


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a column lies: numpy type, first byte, items, CRC-32."""

    dtype: str
    offset: int
    items: int
    crc: int

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.items * np.dtype(self.dtype).itemsize


class _Footer(msgspec.Struct, frozen=True):
    facts: dict[str, Any]
    columns: dict[str, Place]


class Writer:
    """Writes a file whose columns have a known length, piece by piece, in constant memory."""

    def __init__(self, path: Path, lengths: Mapping[str, tuple[str, int]]) -> None:
        """Make room under a temporary name.

        Args:
            path: where the file will stand once it is finished.
            lengths: column -> (numpy type, items).
        """
        self._path = path
        self._part = path.with_suffix(".part")
        self._stream = self._part.open("w+b")
        self._stream.write(MAGIC)
        self._places: dict[str, Place] = {}
        self._done = dict.fromkeys(lengths, 0)
        offset = len(MAGIC)
        for name, (dtype, items) in lengths.items():
            offset = -(-offset // _ALIGN) * _ALIGN
            self._places[name] = Place(dtype, offset, items, 0)
            offset += self._places[name].size
        self._end = offset

    def append(self, name: str, values: NDArray[Any]) -> None:
        """Write the next items of a column."""
        place, done = self._places[name], self._done[name]
        data = np.ascontiguousarray(values, dtype=place.dtype).view(np.uint8).data
        self._stream.seek(place.offset + done * np.dtype(place.dtype).itemsize)
        self._stream.write(data)
        self._places[name] = msgspec.structs.replace(place, crc=zlib.crc32(data, place.crc))
        self._done[name] = done + len(values)

    def finish(self, facts: dict[str, Any]) -> int:
        """Put the file into place, on the disk; return its bytes."""
        for name, place in self._places.items():
            if self._done[name] != place.items:
                raise ValueError(f"the column {name} has {self._done[name]} of {place.items} items")
        self._stream.seek(self._end)
        self._stream.truncate()
        self._add_sums()
        footer = msgspec.msgpack.encode(_Footer(facts, self._places))
        self._stream.write(footer + _TAIL.pack(len(footer), zlib.crc32(footer), MAGIC))
        self._stream.flush()
        os.fsync(self._stream.fileno())
        size = self._stream.tell()
        self._stream.close()
        self._part.rename(self._path)
        sync_directory(self._path.parent)
        return size

    def _add_sums(self) -> None:
        self._stream.flush()
        content = np.frombuffer(mmap.mmap(self._stream.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        sums = {name: sums_of(content[_slice(place)]) for name, place in self._places.items()}
        for name, column in sums.items():
            self._stream.seek(0, os.SEEK_END)
            offset = -(-self._stream.tell() // _ALIGN) * _ALIGN
            self._stream.seek(offset)
            data = column.tobytes()
            self._stream.write(data)
            self._places[f"sums:{name}"] = Place("<u8", offset, len(column), zlib.crc32(data))

    def abandon(self) -> None:
        """Remove what was written so far."""
        self._stream.close()
        self._part.unlink(missing_ok=True)


def sync_directory(path: Path) -> None:
    """Put a directory's entries on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _slice(place: Place) -> slice:
    return slice(place.offset, place.offset + place.size)


def sums_of(content: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the sum of the 64-bit words of each page; a last piece of a word counts as if zeros followed."""
    whole = len(content) // PAGE_BYTES
    words = content[: whole * PAGE_BYTES].view(np.uint64).reshape(whole, PAGE_BYTES // 8)
    sums: NDArray[np.uint64] = np.add.reduce(words, axis=1, dtype=np.uint64)
    rest = content[whole * PAGE_BYTES :].tobytes()
    if not rest:
        return sums
    last = np.frombuffer(rest + bytes(-len(rest) % 8), np.uint64)
    return np.append(sums, np.add.reduce(last, dtype=np.uint64))


def _touched(start: Ints, stop: Ints, width: int, pages: int) -> Bools:
    """Tell which pages hold any item of some ranges."""
    some = stop > start
    begun = np.bincount(start[some] * width // PAGE_BYTES, minlength=pages + 1)
    ended = np.bincount((stop[some] * width - 1) // PAGE_BYTES + 1, minlength=pages + 1)
    return np.cumsum(begun - ended)[:pages] > 0


class File:
    """A finished file, mapped; the map lives as long as anyone holds an array of it."""

    def __init__(self, path: Path) -> None:
        """Map a file.

        Raises:
            FileNotFoundError: it is not there.
            Damaged: it is cut off, or its footer is not what was written.
        """
        self.path = path
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size < len(MAGIC) + _TAIL.size:
                raise Damaged(path, "it is cut off")
            self._content = np.frombuffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)
        self.size = size
        footer = self._footer()
        self.facts, self.places = footer.facts, footer.columns
        self._checked: dict[str, Bools] = {}

    def _footer(self) -> _Footer:
        length, crc, magic = _TAIL.unpack(self._content[-_TAIL.size :].tobytes())
        if magic != MAGIC or self._content[: len(MAGIC)].tobytes() != MAGIC:
            raise Damaged(self.path, "it is cut off or is something else")
        raw = self._content[max(self.size - _TAIL.size - length, 0) : self.size - _TAIL.size].tobytes()
        if zlib.crc32(raw) != crc:
            raise Damaged(self.path, "its footer is not what was written")
        return msgspec.msgpack.decode(raw, type=_Footer)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column, unchecked; no bytes are read before they are looked at."""
        place = self.places[name]
        return self._content[_slice(place)].view(place.dtype)

    def check(self, *names: str, start: Ints | None = None, stop: Ints | None = None) -> None:
        """Check the pages that hold the items of these ranges, once each; all of them without ranges.

        Args:
            names: columns.
            start: where each range begins.
            stop: where it ends.

        Raises:
            Damaged: their content is not what was written.
        """
        touched: dict[tuple[int, int], Bools] = {}
        for name in names:
            done = self._checked.get(name)
            if done is None:
                done = self._checked[name] = np.zeros(len(self.column(f"sums:{name}")), np.bool_)
            if done.all():
                continue
            wanted = ~done
            if start is not None and stop is not None:
                shape = (np.dtype(self.places[name].dtype).itemsize, len(done))  # columns of one shape, one answer
                if shape not in touched:
                    touched[shape] = _touched(start, stop, *shape)
                wanted &= touched[shape]
            if wanted.any():
                self._compare(name, wanted)
                done |= wanted

    def _compare(self, name: str, wanted: Bools) -> None:
        content, sums = self._content[_slice(self.places[name])], self.column(f"sums:{name}")
        edges = np.flatnonzero(np.diff(wanted, prepend=False, append=False))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            found = sums_of(content[first * PAGE_BYTES : last * PAGE_BYTES])
            if not np.array_equal(found, sums[first:last]):
                raise Damaged(self.path, f"the column {name!r} is not what was written")

    def verify(self) -> list[str]:
        """Return the columns whose CRC-32 is wrong, by reading every byte; what lies between columns is zero."""
        bad, end = [], len(MAGIC)
        for name, place in sorted(self.places.items(), key=lambda item: item[1].offset):
            if self._content[end : place.offset].any():
                bad.append(f"before {name}")
            end = place.offset + place.size
            content, crc = self._content[_slice(place)], 0
            for first in range(0, len(content), _CHUNK):
                crc = zlib.crc32(content[first : first + _CHUNK].data, crc)
            if crc != place.crc:
                bad.append(name)
        return bad
