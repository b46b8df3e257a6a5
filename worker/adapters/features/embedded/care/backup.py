"""A copy of the whole store while it is in use: put back, it is the store as it was at one moment."""

import os
import shutil
import sqlite3
from pathlib import Path
from typing import IO

from worker.adapters.features.embedded.database import Database, faults
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.format import sync_directory
from worker.adapters.features.embedded.segments.upkeep import Upkeep
from worker.errors import Conflict


def backup(database: Database, archive: Archive, upkeep: Upkeep, target: Path) -> int:
    """Copy the store into a new directory, and return the bytes.

    Writers go on; what they write after the copy of the log has begun may or may not be in it. Files are neither made
    nor removed meanwhile, so that those listed in the copy are all there.

    Raises:
        Conflict: there is something at that place.
        TryLater: a disk cannot be read or written.
    """
    part = target.with_name(f".{target.name}.part")
    if target.exists():
        raise Conflict(f"{target} is there already; name a new directory")
    with faults(target), upkeep.alone():
        shutil.rmtree(part, ignore_errors=True)
        segments = part / archive.directory.name
        segments.mkdir(parents=True)
        names = _copy_database(database, part / database.path.name)
        for name in sorted(names):
            _copy(archive.path(name), segments / name)
        sync_directory(segments)
        sync_directory(part)
        part.rename(target)
        sync_directory(target.parent)
    return sum(path.stat().st_size for path in target.rglob("*") if path.is_file())


def _copy_database(database: Database, target: Path) -> set[str]:
    """Copy the SQLite file at one moment, and return the files that it lists."""
    source = database.borrow()
    copy = sqlite3.connect(target)
    try:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
        return tables.names(copy)
    finally:
        copy.close()
        database.give_back(source)
        with target.open("rb+") as stream:
            _sync(stream)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        _sync(writing)


def _sync(stream: IO[bytes]) -> None:
    stream.flush()
    os.fsync(stream.fileno())
