import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.emulators import free_port
from tests.postgres import PASSWORD, PostgresServer
from tests.worker.adapters.ledger.records import NOW, decision, run
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger, SqlTransaction
from worker.errors import Rejected, TryLater

Fault = Callable[[SqlLedger, Path], AbstractContextManager[None]]


@contextlib.contextmanager
def disk_full(ledger: SqlLedger, _path: Path) -> Iterator[None]:
    """Let the database file grow by two pages and no more."""
    with contextlib.closing(sqlite3.connect(str(ledger.database.file))) as raw:
        pages = int(raw.execute("PRAGMA page_count").fetchone()[0])
    with pragma(ledger, f"max_page_count = {pages + 2}"):
        yield
    with ledger.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")


@contextlib.contextmanager
def read_only(ledger: SqlLedger, _path: Path) -> Iterator[None]:
    """Let every connection refuse to write, with the code of a file system that has become read-only."""
    with pragma(ledger, "query_only = ON"):
        yield


@contextlib.contextmanager
def no_directory(ledger: SqlLedger, path: Path) -> Iterator[None]:
    """Put a file where the ledger's directory was."""
    ledger.close()
    shutil.move(path / "home", path / "away")
    (path / "home").write_text("in the way")
    yield
    (path / "home").unlink()
    shutil.move(path / "away", path / "home")


@contextlib.contextmanager
def damaged(ledger: SqlLedger, path: Path) -> Iterator[None]:
    """Put something else where the ledger's file was."""
    ledger.close()
    file = path / "home" / "ledger.db"
    shutil.move(file, path / "away")
    file.write_bytes(b"not a database at all, but a long enough text\n" * 100)
    yield
    shutil.move(path / "away", file)


@contextlib.contextmanager
def other_writer(_ledger: SqlLedger, path: Path) -> Iterator[None]:
    """Hold the write lock from another connection."""
    with contextlib.closing(sqlite3.connect(path / "home" / "ledger.db", isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        yield
        raw.execute("ROLLBACK")


@contextlib.contextmanager
def pragma(ledger: SqlLedger, setting: str) -> Iterator[None]:
    """Set a pragma on every connection that is taken from the pool."""
    ledger.close()

    def set_it(connection: sqlite3.Connection, _record: object, _proxy: object) -> None:
        connection.execute(f"PRAGMA {setting}")

    sa.event.listen(ledger.database.engine, "checkout", set_it)
    yield
    sa.event.remove(ledger.database.engine, "checkout", set_it)
    ledger.close()


def fill(transaction: SqlTransaction, count: int = 60) -> None:
    """Write more than two pages."""
    for number in range(count):
        transaction.decisions.add(decision(f"fill-{number}", reason="x" * 1000))


@pytest.fixture(name="small")
def _small(tmp_path: Path) -> Iterator[SqlLedger]:
    """Give a ledger on SQLite, in a folder of its own, that does not wait long."""
    ledger = SqlLedger(Database(f"sqlite:///{tmp_path}/home/ledger.db", busy_timeout_s=0.2))
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    yield ledger
    ledger.close()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (disk_full, "the disk is full"),
        (read_only, "it is read-only"),
        (no_directory, "is gone: restore it"),
        (damaged, "not a SQLite database"),
        (other_writer, "another process has been writing for too long"),
    ],
)
def test_sqlite_faults(small: SqlLedger, tmp_path: Path, fault: Fault, words: str) -> None:
    """Each fault is told as TryLater with its cause; once that is removed, the same ledger works, nothing half done."""
    with fault(small, tmp_path):
        for _ in range(2):
            with pytest.raises(TryLater, match=words), small.begin() as transaction:
                fill(transaction)
        if fault is not disk_full:  # a page that is there already can be written on
            with pytest.raises(TryLater, match=words):
                small.verify()
    small.verify()
    with small.begin() as transaction:
        assert list(transaction.decisions.list()) == []
        assert transaction.runs.get(run().id) == run()
        fill(transaction)


@pytest.mark.parametrize("fault", [no_directory, damaged])
def test_opening_under_a_fault(small: SqlLedger, tmp_path: Path, fault: Fault) -> None:
    """A ledger that cannot be opened says TryLater, and opens once the cause is removed."""
    with fault(small, tmp_path), pytest.raises(TryLater):
        SqlLedger(Database(str(small.database.url)))
    again = SqlLedger(Database(str(small.database.url)))
    assert again.installation == small.installation
    again.close()


def test_full_inside_a_savepoint(small: SqlLedger, tmp_path: Path) -> None:
    """A disk that fills while one message is handled is not that message's fault: it is told as what it is."""
    with disk_full(small, tmp_path):  # noqa: SIM117 - the error is to come out of the inner ones only
        with pytest.raises(TryLater, match="disk is full"), small.begin() as transaction, transaction.savepoint():
            fill(transaction)
    with small.begin() as transaction:
        assert list(transaction.decisions.list()) == []


def test_full_and_passed_over(small: SqlLedger, tmp_path: Path) -> None:
    """Who passes over a full disk cannot commit a part of the transaction."""
    with disk_full(small, tmp_path), pytest.raises(TryLater), small.begin() as transaction:  # noqa: PT012
        transaction.inbox.arrived("s", "before", "t", NOW)
        with contextlib.suppress(TryLater):
            fill(transaction)
        with small.database.begin(write=False) as beside:
            assert beside.execute(sa.text("SELECT count(*) FROM inbox")).scalar() == 0
        raise TryLater("given back")
    with small.begin() as transaction:
        assert transaction.inbox.deliveries("s", "before") == 0


def test_given_up_by_sqlite(small: SqlLedger) -> None:
    """A transaction that SQLite has rolled back by itself is not committed as if it were whole."""
    with pytest.raises(TryLater, match="rolled the transaction back"), small.begin() as transaction:  # noqa: PT012
        transaction.inbox.arrived("s", "1", "t", NOW)
        transaction._connection.exec_driver_sql("ROLLBACK")
    with pytest.raises(Rejected, match="first"), small.begin() as transaction, transaction.savepoint():  # noqa: PT012
        transaction._connection.exec_driver_sql("ROLLBACK")
        raise Rejected("what was wrong first")
    small.verify()


def test_given_up_by_postgres(postgres_url: str) -> None:
    """A transaction in which an error was passed over is not reported as committed, though COMMIT succeeds."""
    ledger = SqlLedger(Database(postgres_url))
    with pytest.raises(TryLater, match="rolled the transaction back"), ledger.begin() as transaction:  # noqa: PT012
        transaction.inbox.arrived("s", "1", "t", NOW)
        with contextlib.suppress(sa.exc.DBAPIError):
            transaction._connection.exec_driver_sql("SELECT 1 / 0")
    ledger.verify()
    ledger.close()


def test_postgres_restarts(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A server that goes away inside a transaction and comes back is TryLater and then works; nothing half done."""
    ledger = SqlLedger(Database(postgres_url, busy_timeout_s=1))
    idle = ledger.begin(write=False)
    idle.__enter__()
    idle.__exit__(None, None, None)
    try:
        with pytest.raises(TryLater) as gone, ledger.begin() as transaction:  # noqa: PT012
            transaction.inbox.arrived("s", "1", "t", NOW)
            with transaction.savepoint():
                transaction.runs.add(run())
                postgres_server.stop()
                transaction.runs.add(run("second"))
        with pytest.raises(TryLater) as away:
            ledger.verify()
        with pytest.raises(TryLater) as closed:
            SqlLedger(Database(postgres_url))
    finally:
        postgres_server.start()
    with ledger.begin() as transaction:
        assert transaction.inbox.deliveries("s", "1") == 0
        assert transaction.runs.list() == []
        transaction.runs.add(run())
    ledger.close()
    for error in (gone, away, closed):
        assert PASSWORD not in everything(error.value)
        assert "127.0.0.1" in str(error.value)


def test_primary_that_a_failover_left_behind(postgres_url: str) -> None:
    """Who is connected to a server that has become a standby is told so once, and then finds the new primary."""
    ledger = SqlLedger(Database(postgres_url))
    with ledger.database.begin() as connection:
        # Only what is connected now meets a standby; who connects anew meets the primary.
        connection.exec_driver_sql("SET default_transaction_read_only = on")
    with pytest.raises(TryLater, match="read-only"), ledger.begin() as transaction:
        transaction.runs.add(run())
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.get(run().id) == run()
    ledger.close()


@pytest.mark.parametrize(
    "make",
    [
        lambda port: f"postgresql://colony:{PASSWORD}@127.0.0.1:{port}/x",
        lambda port: f"postgresql://colony@127.0.0.1:{port}/x?password={PASSWORD}",
    ],
    ids=["in the authority", "in the query"],
)
def test_nobody_listens(make: Callable[[int], str]) -> None:
    """A server that is not there is TryLater, its address told, its password nowhere in what is told or logged."""
    with pytest.raises(TryLater, match="refused") as error:
        SqlLedger(Database(make(free_port())))
    assert PASSWORD not in everything(error.value)


def test_wrong_password(postgres_server: PostgresServer) -> None:
    """A wrong password is told as such, without the password."""
    wrong = postgres_server.url().replace(PASSWORD, "wr0ng-P4ssw0rd")
    with pytest.raises(TryLater, match="password authentication failed") as error:
        SqlLedger(Database(wrong))
    assert "wr0ng-P4ssw0rd" not in everything(error.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://colony:{PASSWORD}@host:5432x/db",
        f"postgresql://colony@host:{PASSWORD}/db",
        f"mysql://colony:{PASSWORD}@host/db",
        f"colony:{PASSWORD}@host/db",
        "",
    ],
)
def test_bad_url(url: str) -> None:
    """What is not a URL that we know is refused, and neither its password nor a part of it is told."""
    with pytest.raises(Rejected, match="COLONY_LEDGER") as error:
        Database(url)
    assert PASSWORD not in everything(error.value)


def test_privilege(postgres_server: PostgresServer, postgres_url: str) -> None:
    """A user who may not write is told what it lacks."""
    owner = Database(postgres_url)
    with owner.begin() as connection:
        connection.exec_driver_sql("DROP ROLE IF EXISTS reader")
        connection.exec_driver_sql("CREATE ROLE reader LOGIN PASSWORD 'reader'")
    owner.close()
    with pytest.raises(TryLater, match="lacks a privilege"):
        SqlLedger(Database(postgres_url.replace(f"colony:{PASSWORD}", "reader:reader")))


def test_fault_of_ours(ledger: SqlLedger) -> None:
    """A wrong statement is no TryLater: it would be retried for ever."""
    with pytest.raises(sa.exc.DBAPIError), ledger.database.begin() as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    ledger.verify()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_directory_without_permission(tmp_path: Path) -> None:
    """A directory that may not be written is TryLater."""
    (tmp_path / "home").mkdir(mode=0o500)
    with pytest.raises(TryLater, match="cannot be opened"):
        SqlLedger(Database(f"sqlite:///{tmp_path}/home/ledger.db"))


def everything(error: BaseException | None) -> str:
    """Return the texts of an error and of all that it came from."""
    if error is None:
        return ""
    return "\n".join([repr(error), str(error), everything(error.__cause__), everything(error.__context__)])
