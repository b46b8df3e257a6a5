"""Appending lines to a file that several processes share: whole lines, durable before the call returns."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.errors import TryLater


def append(path: Path, lines: bytes) -> None:
    """Append `lines` (each ended by a newline) at once; after an error nothing of them is in the file.

    Raises:
        TryLater: disk full, read-only, or not writable.
    """
    try:
        with _locked(path) as descriptor:
            end = os.fstat(descriptor).st_size
            try:
                _write(descriptor, _mended_end(path, end) + lines)
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
    except OSError as error:
        raise TryLater(f"{path} cannot be written: {error.strerror or error}") from error


def verify_writable(path: Path) -> None:
    """Open the file for appending, and make it if need be. Raises TryLater as `append` does."""
    append(path, b"")


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    created = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if created:
            _sync_folder(path.parent)
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mended_end(path: Path, end: int) -> bytes:
    """Return the newline that a process killed in the middle of a line still owes."""
    if end == 0:
        return b""
    with path.open("rb") as file:
        file.seek(end - 1)
        return b"" if file.read(1) == b"\n" else b"\n"


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
