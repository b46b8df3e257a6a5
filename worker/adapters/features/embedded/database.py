"""The SQLite file of the embedded store: its connections, and what its errors mean."""

import fcntl
import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.adapters.features.embedded import schema
from worker.errors import Rejected, TryLater

BUSY_TIMEOUT_S = 30.0
#: What `COLONY_FEATURES_SYNC` may say. full: an acknowledged write survives a power cut; normal: it survives a kill of
#: the process, and a power cut may take the last ones, but never tears the file.
SYNC = ("full", "normal")

#: So much of the file is read through memory: after another process's commit a connection forgets its pages, and the
#: map has them without a system call for each.
_MAPPED_BYTES = 2**31 - 2**16

#: Pages of four kilobytes that the write-ahead log gathers before they are copied into the file. Single writes touch
#: pages all over it; the more of them gather, the more are copied once instead of many times.
_CHECKPOINT_PAGES = 8192

_MEANINGS = {
    "disk is full": "there is no space left; free some",
    "readonly": "it cannot be written; check the permissions and that the disk is not mounted read-only",
    "unable to open": "it cannot be opened; check that the directory exists and may be written",
    "locked": f"another process holds it for longer than {BUSY_TIMEOUT_S:.0f} s",
    "malformed": "the file is damaged; put back a copy",
    "not a database": "the file is damaged or is something else; put back a copy",
    "disk I/O error": "the disk reports an error",
}


@contextmanager
def faults(path: Path) -> Iterator[None]:
    """Turn what SQLite and the file system raise into TryLater with what it means and what to do."""
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise _unusable(path, error) from error
    except sqlite3.DatabaseError as error:
        if type(error) is not sqlite3.DatabaseError:  # its subclasses are mistakes of ours, not of the disk
            raise
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> TryLater:
    text = str(error)
    meaning = next((mend for word, mend in _MEANINGS.items() if word in text), "it cannot be used now")
    return TryLater(f"the feature store {path}: {meaning} ({text})")


class Database:
    """Connections to one file, lent to one thread at a time and kept for the next.

    A commit is on the disk when it returns (WAL with synchronous=FULL, unless told otherwise), writers queue for each
    other, and readers see the state at which their transaction began.
    """

    def __init__(self, path: Path, *, sync: str = "full") -> None:
        """Create the file with its tables unless it is there. Raises TryLater, or Rejected for an unknown `sync`."""
        if sync not in SYNC:
            raise Rejected(f"{sync!r} is not a policy", field="COLONY_FEATURES_SYNC", mend=f"use {' or '.join(SYNC)}")
        self.path = path
        self._sync = sync
        self._idle: deque[sqlite3.Connection] = deque()
        self._owner = os.getpid()
        self._closed = False
        with faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._create()

    def _create(self) -> None:
        """Set up under a file lock: SQLite does not wait when two processes change the journal mode at once."""
        with self.path.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            connection = self._open()
            try:
                (version,) = connection.execute("PRAGMA user_version").fetchone()
                if version > schema.VERSION:
                    mend = "update this installation"
                    raise Rejected(f"the feature store {self.path} was made by a newer version", mend=mend)
                if version == 0:
                    connection.execute("PRAGMA journal_mode = WAL")
                if version < schema.VERSION:
                    schema.upgrade(connection, version)
            finally:
                connection.close()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.execute(f"PRAGMA synchronous = {self._sync}")
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute("PRAGMA cache_size = -32768")
        connection.execute(f"PRAGMA mmap_size = {_MAPPED_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        return connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction that sees one state of the store throughout."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection in a transaction of its own; it is durable after the block, or undone by any error."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with faults(self.path), self._lent() as connection:
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _lent(self) -> Iterator[sqlite3.Connection]:
        connection = self.borrow()
        try:
            yield connection
        except sqlite3.DatabaseError:
            connection.close()
            raise
        except BaseException:
            self.give_back(connection)
            raise
        self.give_back(connection)

    def borrow(self) -> sqlite3.Connection:
        """Return a connection outside any transaction, for one thread; give it back, or close it after an error."""
        if self._owner != os.getpid():
            # A connection that came through a fork must not be used, nor closed: its locks belong to the parent.
            self._idle, self._owner = deque(), os.getpid()
        try:
            return self._idle.pop()
        except IndexError:
            return self._open()

    def give_back(self, connection: sqlite3.Connection) -> None:
        """Take a borrowed connection back for the next."""
        if self._closed:
            connection.close()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections now, and those that are lent when they come back."""
        self._closed = True
        while self._owner == os.getpid() and self._idle:
            self._idle.pop().close()
