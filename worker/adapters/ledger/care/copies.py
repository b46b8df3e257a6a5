"""Copies of a ledger: SQLite's own online backup, or PostgreSQL's tools where they are installed."""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.errors import Conflict, Rejected, TryLater


def back_up(database: Database, target: Path) -> None:
    """Copy the ledger as it is at one moment into a new file, while it is in use.

    Raises:
        Rejected: the file is there already, or the ledger cannot be copied so.
        TryLater: the copy could not be made; nothing is left of it.
    """
    if target.exists():
        raise Rejected(f"{target} is there already", field="file", mend="name a new file")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial")
    try:
        if database.sqlite:
            _copy(_file(database), partial)
        else:
            _tool("pg_dump", database, "--format=custom", f"--file={partial}")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.rename(target)
    except OSError as error:
        raise TryLater(f"the backup cannot be written: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def restore(database: Database, source: Path) -> None:
    """Put a copy in the ledger's place.

    Raises:
        Rejected: no copy of a ledger, or a damaged one.
        Conflict: the ledger is in use: stop its workers first.
    """
    if not source.is_file():
        raise Rejected(f"{source} is not there", field="file", mend="name a file that `colony ledger backup` made")
    if not database.sqlite:
        _refuse_sessions(database)
        _tool("pg_restore", database, "--clean", "--if-exists", "--single-transaction", str(source))
        return
    _check_copy(source)
    place = _file(database)
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        _refuse_use(place)
    partial = place.with_name(f"{place.name}.restoring")
    try:
        shutil.copyfile(source, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        for suffix in ("-wal", "-shm"):
            place.with_name(place.name + suffix).unlink(missing_ok=True)
        partial.replace(place)
    except OSError as error:
        raise TryLater(f"the ledger cannot be restored: {error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _file(database: Database) -> Path:
    if database.file is None:
        raise Rejected("a ledger in memory has no file", field="COLONY_LEDGER", mend="use one on disk")
    return database.file


def _copy(place: Path, target: Path) -> None:
    if not place.exists():
        raise Rejected(f"there is no ledger at {place}", field="COLONY_HOME", mend="name the directory of a colony")
    try:
        with closing(sqlite3.connect(place, timeout=30)) as source, closing(sqlite3.connect(target)) as copy:
            # All at once: a copy in steps begins anew whenever a worker writes in between.
            source.backup(copy)
            # One file, that needs no other beside it.
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise TryLater(f"the ledger cannot be copied: {error}") from error


def _check_copy(source: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True)) as copy:
            whole = copy.execute("PRAGMA integrity_check").fetchone()[0]
            tables = {row[0] for row in copy.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        raise Rejected(f"{source} is no copy of a ledger: {error}", field="file", mend="name another") from error
    if whole != "ok" or not {"alembic_version", "decisions"} <= tables:
        said = whole if whole != "ok" else "it has no journal"
        raise Rejected(f"{source} is no whole copy of a ledger: {said}", field="file", mend="name another")


def _refuse_use(place: Path) -> None:
    """Refuse if any process has the ledger open: only who is alone may change how SQLite keeps its journal."""
    try:
        with closing(sqlite3.connect(place, timeout=0, isolation_level=None)) as alone:
            alone.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise Conflict(f"the ledger {place} is in use: stop its workers first") from error
        # A damaged ledger is what a restore is for.


def _refuse_sessions(database: Database) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with database.begin(write=False) as connection:
        others = int(connection.execute(sa.text(query)).scalar_one())
    database.close()
    if others:
        raise Conflict(f"the ledger {database.where} is in use by {others} connections: stop its workers first")


def _tool(name: str, database: Database, *options: str) -> None:
    url = database.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    if shutil.which(name) is None:
        mend = f"install PostgreSQL's client programs and run: {name} {' '.join(options)} --dbname={url}"
        raise Rejected(f"{name} is not installed here", field="COLONY_LEDGER", mend=mend)
    environment = {**os.environ, "PGPASSWORD": database.url.password or ""}
    command = [name, *options, f"--dbname={url}"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise TryLater(f"{name} failed: {done.stderr.strip()[-500:]}")
