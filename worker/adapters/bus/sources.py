"""Where a recording is read from: a file (plain or gzip), or a stream that may have nothing yet (standard input)."""

import gzip
import hashlib
import os
import select
import stat
import zlib
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from worker.errors import Rejected

STDIN = "-"
_BLOCK = 1 << 20
_GZIP = b"\x1f\x8b"


class Source(Protocol):
    """A stream of bytes in pieces."""

    #: the hash of the whole content, where it is known before it is read.
    digest: str | None

    def read(self, size: int) -> bytes | None:
        """Return at most `size` bytes up to and with the next line end; b"" at the end, None if nothing is there yet.

        Raises:
            Rejected: the file is broken.
        """
        ...

    def wait(self, seconds: float) -> None:
        """Wait until there may be something to read."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


def open_source(path: str) -> Source:
    """Open a file, a named pipe, or standard input (`-`). Raises Rejected if there is nothing to open."""
    if path == STDIN:
        return StreamSource(os.dup(0))
    try:
        if stat.S_ISREG(Path(path).stat().st_mode):
            return FileSource(Path(path))
        return StreamSource(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise _unreadable(path, error) from error


class FileSource:
    """A regular file, decompressed if it is gzip; its hash is that of the content, compressed or not."""

    def __init__(self, path: Path) -> None:
        """Read the file once for its hash. Raises Rejected, OSError."""
        self._path = path
        self._file = self._open()
        digest = hashlib.sha256()
        while block := self._read(_BLOCK):
            digest.update(block)
        self._file.close()
        self.digest: str | None = digest.hexdigest()
        self._file = self._open()

    def read(self, size: int) -> bytes:
        """Return the next piece."""
        return self._read(size, line=True)

    def wait(self, seconds: float) -> None:
        """A file always has what it has."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _open(self) -> BinaryIO:
        raw = self._path.open("rb")
        if raw.peek(2)[:2] == _GZIP:
            return cast("BinaryIO", gzip.GzipFile(fileobj=raw, mode="rb"))
        return raw

    def _read(self, size: int, *, line: bool = False) -> bytes:
        try:
            return self._file.readline(size) if line else self._file.read(size)
        except (OSError, EOFError, zlib.error) as error:
            raise _unreadable(str(self._path), error) from error


class StreamSource:
    """A pipe or standard input: never blocks longer than it is told to."""

    digest: str | None = None

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor over."""
        self._descriptor = descriptor
        self._held = b""
        self._ended = False

    def read(self, size: int) -> bytes | None:
        """Return the next piece of what has arrived."""
        if not self._held and not self._ended:
            if not select.select([self._descriptor], [], [], 0)[0]:
                return None
            self._held = os.read(self._descriptor, size)
            self._ended = not self._held
        cut = self._held.find(b"\n", 0, size) + 1 or min(len(self._held), size)
        piece, self._held = self._held[:cut], self._held[cut:]
        return piece

    def wait(self, seconds: float) -> None:
        """Wait until something arrives."""
        select.select([self._descriptor], [], [], max(0.0, seconds))

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self._descriptor)


def _unreadable(path: str, error: Exception) -> Rejected:
    reason = getattr(error, "strerror", None) or str(error)
    return Rejected(
        f"cannot be read: {reason}", field=path, mend="Name a readable file of JSON Lines (also .gz), or -."
    )
