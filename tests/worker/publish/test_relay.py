from collections.abc import Sequence

import pytest

from tests.worker.world import NOW, Topic
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater
from worker.publish import relay as module
from worker.publish.port import Outgoing
from worker.publish.relay import Relay


def _relay(ledger: SqlLedger, topic: Topic, owner: str = "one") -> Relay:
    return Relay(ledger, topic, lambda: NOW, owner)


def _add(ledger: SqlLedger, count: int, bee: str = "spam-guard") -> None:
    for number in range(count):
        with ledger.begin() as transaction:
            transaction.outbox.add(bee, "t", f"{bee}/{number}", 1, NOW, {"number": number})


def _waiting(ledger: SqlLedger) -> int:
    with ledger.begin(write=False) as transaction:
        return int(transaction.outbox.waiting())


def _claim(ledger: SqlLedger, owner: str, lease_s: float) -> int | None:
    with ledger.begin() as transaction:
        return transaction.outbox.claim("spam-guard", owner, lease_s=lease_s)


def test_in_the_order_of_each_bee(ledger: SqlLedger) -> None:
    """Events leave in the order of their sequence, which is 1, 2, 3 … per bee, and once."""
    topic = Topic()
    _add(ledger, 3)
    _add(ledger, 2, "other-bee")
    relay = _relay(ledger, topic)

    assert relay.turn() == 5
    assert relay.turn() == 0

    for bee, count in (("spam-guard", 3), ("other-bee", 2)):
        assert [one.sequence for one in topic.published if one.bee == bee] == list(range(1, count + 1))
    assert _waiting(ledger) == 0


def test_partial_confirmation(ledger: SqlLedger) -> None:
    """What the bus did not confirm stays, and leaves next time, still in order."""
    topic = Topic(confirm=2)
    _add(ledger, 5)
    relay = _relay(ledger, topic)

    assert [relay.turn() for _ in range(4)] == [2, 2, 1, 0]
    assert [one.sequence for one in topic.published] == [1, 2, 3, 4, 5]


def test_more_than_a_batch(ledger: SqlLedger) -> None:
    """A long outbox leaves in batches."""
    topic = Topic()
    with ledger.begin() as transaction:
        for number in range(module.BATCH + 1):
            transaction.outbox.add("spam-guard", "t", str(number), 1, NOW, {})
    relay = _relay(ledger, topic)

    assert [relay.turn() for _ in range(3)] == [module.BATCH, 1, 0]


def test_try_later_keeps_everything(ledger: SqlLedger) -> None:
    """While the bus is away nothing is lost, and the lease is given back at once."""
    topic = Topic(error=TryLater("away"))
    _add(ledger, 3)
    with pytest.raises(TryLater):
        _relay(ledger, topic).turn()
    assert _waiting(ledger) == 3

    topic.error = None

    assert _relay(ledger, topic, "two").turn() == 3


def test_a_bee_held_by_another_is_left_alone(ledger: SqlLedger) -> None:
    """Two processes never publish one bee's events at the same time."""
    topic = Topic()
    _add(ledger, 1)
    _claim(ledger, "another", 60)

    assert _relay(ledger, topic).turn() == 0
    assert topic.published == []


def test_a_lease_lost_midway_marks_nothing(ledger: SqlLedger) -> None:
    """A process that was paused while it published leaves the marking to the one that took over: repeats, no loss."""

    class Slow(Topic):
        """Publishes so slowly that another process takes over."""

        def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
            with ledger.begin() as transaction:
                transaction.outbox.release("spam-guard", 1)
            assert _claim(ledger, "two", 60) == 2
            return super().publish(events)

    slow = Slow()
    _add(ledger, 2)

    assert _relay(ledger, slow).turn() == 0
    assert _waiting(ledger) == 2
    assert _claim(ledger, "three", 60) is None, "the overtaken one must not give another's lease back"


def test_the_same_event_is_added_once(ledger: SqlLedger) -> None:
    """A change that is told twice is one event, and takes one number."""
    for _ in range(2):
        _add(ledger, 2)

    assert _waiting(ledger) == 2
    with ledger.begin(write=False) as transaction:
        assert [event.sequence for event, _ in transaction.outbox.list()] == [1, 2]
