import contextlib

import pytest

from tests.worker.adapters.ledger.records import NOW, decision, incident, run
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Rejected


def test_all_or_nothing(ledger: SqlLedger) -> None:
    """A transaction that ends badly leaves nothing of any part, and its error is raised on as it is."""
    with pytest.raises(Rejected, match="poison"), ledger.begin() as transaction:  # noqa: PT012 - the error comes last
        transaction.lock(["spam-guard"])
        transaction.inbox.arrived("s", "1", "t", NOW)
        transaction.decisions.add(decision())
        transaction.incidents.save(incident())
        transaction.runs.add(run())
        transaction.outbox.add("spam-guard", "t", "s", 1, NOW, {})
        raise Rejected("poison")
    with ledger.begin() as transaction:
        assert transaction.inbox.deliveries("s", "1") == 0
        assert list(transaction.decisions.list()) == []
        assert transaction.incidents.list() == []
        assert transaction.runs.list() == []
        assert transaction.outbox.list() == []
        transaction.outbox.add("spam-guard", "t", "s", 1, NOW, {})
        assert transaction.outbox.list()[0][0].sequence == 1


def test_savepoint(ledger: SqlLedger) -> None:
    """A savepoint undoes only what was inside it, however nested; the transaction goes on and keeps the rest."""
    with ledger.begin() as transaction:
        transaction.inbox.arrived("s", "before", "t", NOW)
        with contextlib.suppress(Rejected), transaction.savepoint():
            transaction.inbox.arrived("s", "poison", "t", NOW)
            with transaction.savepoint():
                transaction.runs.add(run())
            raise Rejected("poison")
        with transaction.savepoint():
            transaction.inbox.arrived("s", "kept", "t", NOW)
            with contextlib.suppress(Rejected), transaction.savepoint():
                transaction.inbox.arrived("s", "inner poison", "t", NOW)
                raise Rejected("inner poison")
    with ledger.begin(write=False) as transaction:
        names = ("before", "poison", "kept", "inner poison")
        assert [transaction.inbox.deliveries("s", name) for name in names] == [1, 0, 1, 0]
        assert transaction.runs.get(run().id) is None


def test_locks_nothing_twice(ledger: SqlLedger) -> None:
    """Locking takes any number of bees, known or not, named twice or none, and again in the same transaction."""
    bees = [f"bee-{number}" for number in range(700)]
    for _ in range(2):
        with ledger.begin() as transaction:
            transaction.lock([])
            transaction.lock([*bees, *reversed(bees)])
            transaction.lock(bees[:3])
            transaction.outbox.add("bee-0", "t", "s", 1, NOW, {})


def test_installation(ledger: SqlLedger, url: str) -> None:
    """The installation's id is made once and found again; another database has another."""
    again, other = SqlLedger(Database(url)), SqlLedger(Database("sqlite://"))
    assert again.installation == ledger.installation
    assert len(ledger.installation) == 16
    assert other.installation != ledger.installation
    again.close()
    other.close()


def test_verify(ledger: SqlLedger) -> None:
    """Verifying is a real write, as often as asked, and nobody's bee."""
    for count in (1, 2, 3):
        ledger.verify()
        with ledger.database.begin(write=False) as connection:
            assert connection.exec_driver_sql("SELECT epoch FROM leases").scalars().all() == [count]
            assert connection.exec_driver_sql("SELECT count(*) FROM bee_state").scalar() == 0


def test_memory() -> None:
    """A ledger in memory is one database for all transactions, under both of its names."""
    for name in ("sqlite://", "sqlite:///:memory:"):
        ledger = SqlLedger(Database(name))
        with ledger.begin() as transaction:
            transaction.runs.add(run())
        with ledger.begin(write=False) as transaction:
            assert transaction.runs.get(run().id) == run()
        ledger.close()


def test_reopened(ledger: SqlLedger, url: str) -> None:
    """What was committed is there after everything was closed."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    ledger.close()
    again = SqlLedger(Database(url))
    with again.begin(write=False) as transaction:
        assert transaction.runs.get(run().id) == run()
    again.close()
