import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.worker.adapters.engine.waiting import until
from tests.worker.adapters.ledger.records import NOW, UNICODE
from worker.adapters.ledger.sql import SqlLedger, SqlTransaction
from worker.errors import LeaseLost
from worker.publish.events import event_id
from worker.publish.port import Outgoing


def add(transaction: SqlTransaction, bee: str, transition: int, **data: Any) -> str:
    """Add one event and return its id."""
    transaction.outbox.add(bee, "pipeline.run.started", f"run-{bee}", transition, NOW, data)
    return event_id("pipeline.run.started", f"run-{bee}", transition)


def test_sequence(ledger: SqlLedger) -> None:
    """Each bee's events are numbered 1, 2, 3 … over transactions; what is undone leaves no gap."""
    with ledger.begin() as transaction:
        first = add(transaction, "a", 1, note=UNICODE)
        add(transaction, "b", 1)
    with contextlib.suppress(ZeroDivisionError), ledger.begin() as transaction:
        add(transaction, "a", 2)
        raise ZeroDivisionError
    with ledger.begin() as transaction:
        with contextlib.suppress(ZeroDivisionError), transaction.savepoint():
            add(transaction, "a", 3)
            raise ZeroDivisionError
        add(transaction, "a", 4)
    with ledger.begin(write=False) as transaction:
        found = [(event.bee, event.sequence, published) for event, published in transaction.outbox.list()]
        assert found == [("a", 1, False), ("a", 2, False), ("b", 1, False)]
        event = Outgoing(first, "pipeline.run.started", "a", 1, NOW, {"note": UNICODE})
        assert transaction.outbox.list(bee="a")[0] == (event, False)


def test_same_change_once(ledger: SqlLedger) -> None:
    """The same change is one event, however often it is told, with the first one's data and no gap behind it."""
    with ledger.begin() as transaction:
        add(transaction, "a", 1, told=1)
        add(transaction, "a", 1, told=2)
    with ledger.begin() as transaction:
        add(transaction, "a", 1, told=3)
        add(transaction, "a", 2)
        events = [event for event, _ in transaction.outbox.list()]
    assert [(event.sequence, event.data) for event in events] == [(1, {"told": 1}), (2, {})]


def test_publishing(ledger: SqlLedger) -> None:
    """What the bus did not confirm stays, in order, though later ones were confirmed."""
    with ledger.begin() as transaction:
        ids = [add(transaction, "a", number) for number in range(1, 5)]
        other = add(transaction, "b", 1)
        assert transaction.outbox.waiting() == 5
        assert transaction.outbox.bees_waiting(10) == ["a", "b"]
        assert len(transaction.outbox.bees_waiting(1)) == 1
        assert [event.id for event in transaction.outbox.unpublished("a", 2)] == ids[:2]
    with ledger.begin() as transaction:
        transaction.outbox.mark("a", [ids[0], ids[2], other], NOW)
        transaction.outbox.mark("a", [], NOW)
        assert [event.id for event in transaction.outbox.unpublished("a", 10)] == [ids[1], ids[3]]
        assert [published for _, published in transaction.outbox.list(bee="a")] == [True, False, True, False]
        assert transaction.outbox.waiting() == 3
        transaction.outbox.mark("a", ids, NOW)
        assert transaction.outbox.bees_waiting(10) == ["b"]


def test_lease(ledger: SqlLedger) -> None:
    """A bee's outbox has one holder at a time; each claim has a higher epoch than the one before."""
    with ledger.begin() as transaction:
        assert transaction.outbox.claim("a", "one", lease_s=60) == 1
        assert transaction.outbox.claim("a", "two", lease_s=60) is None
        assert transaction.outbox.claim("b", "two", lease_s=60) == 1
        transaction.outbox.holds("a", 1)
        transaction.outbox.release("a", 1)
        assert transaction.outbox.claim("a", "two", lease_s=60) == 2
        with pytest.raises(LeaseLost, match="a was taken over"):
            transaction.outbox.holds("a", 1)
        transaction.outbox.release("a", 1)
        transaction.outbox.holds("a", 2)
        assert transaction.outbox.claim("a", "one", lease_s=60) is None


def test_lease_expires(ledger: SqlLedger) -> None:
    """A lease runs out by the database's clock; its old holder has lost it and may release nothing."""

    def claim() -> int | None:
        with ledger.begin() as transaction:
            return transaction.outbox.claim("a", "two", lease_s=60)

    with ledger.begin() as transaction:
        assert transaction.outbox.claim("a", "one", lease_s=0.15) == 1
    assert claim() is None
    assert until(claim) == 2
    with ledger.begin() as transaction:
        transaction.outbox.release("a", 1)
        with pytest.raises(LeaseLost):
            transaction.outbox.holds("a", 1)
        transaction.outbox.holds("a", 2)


def test_never_held(ledger: SqlLedger) -> None:
    """Nobody holds an outbox that nobody has claimed."""
    with pytest.raises(LeaseLost), ledger.begin() as transaction:
        transaction.outbox.holds("a", 1)


def test_times(ledger: SqlLedger) -> None:
    """An event's time survives to the microsecond."""
    with ledger.begin() as transaction:
        transaction.outbox.add("a", "t", "s", 1, NOW + timedelta(microseconds=1), {})
        [(event, _)] = transaction.outbox.list()
    assert event == replace(event, time=NOW + timedelta(microseconds=1))
