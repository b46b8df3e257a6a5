from typing import Any

import pytest

from tests.worker.intake.echo import Echo
from tests.worker.world import Subscription, message, now_for, plain
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater
from worker.intake.consume import MAX_ATTEMPTS, Consumer
from worker.intake.port import Message
from worker.intake.receive import Received, Verdict


def _consumer(subscription: Subscription, ledger: SqlLedger, echo: Echo, told: list[Received]) -> Consumer:
    return Consumer(subscription, ledger, {"model.evaluated": echo}, now_for, told.append)


def _dead(ledger: SqlLedger) -> list[Any]:
    with ledger.begin(write=False) as transaction:
        return list(transaction.inbox.dead_letters())


def test_each_message_is_answered(ledger: SqlLedger) -> None:
    """What was handled or turned away is acknowledged, what failed is given back, and each verdict is told."""
    subscription = Subscription([message("a"), message("bad"), plain(b"{")])
    told: list[Received] = []

    count = _consumer(subscription, ledger, Echo({"bad": ValueError("boom")}), told).turn(0)

    assert count == 3
    assert [one.message_id for one in subscription.acked] == ["bus-a", "m1"]
    assert [one.message_id for one in subscription.again] == ["bus-bad"]
    assert [(one.message_id, "not JSON" in reason) for one, reason in subscription.dead] == [("m1", True)]
    assert [item.verdict for item in told] == [Verdict.ACK, Verdict.RETRY, Verdict.DEAD_LETTER]


def test_an_empty_pull_is_nothing(ledger: SqlLedger) -> None:
    """No message, no work."""
    assert _consumer(Subscription(), ledger, Echo(), []).turn(0) == 0


def test_poison_is_kept_after_five_attempts(ledger: SqlLedger) -> None:
    """A message that fails time and again ends in the dead letters with the count and the last reason."""
    subscription = Subscription([message("bad")])
    echo = Echo({"bad": ValueError("boom")})
    consumer = _consumer(subscription, ledger, echo, [])
    turns = 0
    while consumer.turn(0):
        turns += 1

    assert turns == MAX_ATTEMPTS == len(echo.applied)
    (letter,) = _dead(ledger)
    assert letter.reason == "failed 5 times, last: ValueError: boom"
    assert letter.body == subscription.dead[0][0].body
    assert [one.message_id for one in subscription.acked] == ["bus-bad"]


def test_the_buses_own_count_is_not_believed(ledger: SqlLedger) -> None:
    """A message that came often because the ledger was away has not failed: its first failure is the first."""
    sent = message("bad")
    subscription = Subscription([Message(sent.body, sent.attributes, sent.message_id, delivery_attempt=50)])

    _consumer(subscription, ledger, Echo({"bad": ValueError("boom")}), []).turn(0)

    assert (len(subscription.dead), len(subscription.again)) == (0, 1)


def test_a_message_that_recovers_begins_anew(ledger: SqlLedger) -> None:
    """Once a message went well its earlier failures are forgotten."""
    subscription = Subscription([message("bad")])
    errors: dict[str, Exception] = {"bad": ValueError("boom")}
    consumer = _consumer(subscription, ledger, Echo(errors), [])
    for _ in range(MAX_ATTEMPTS - 1):
        consumer.turn(0)
    errors.clear()
    consumer.turn(0)

    assert [one.message_id for one in subscription.acked] == ["bus-bad"]
    assert not consumer._attempts


def test_try_later_gives_everything_back(ledger: SqlLedger) -> None:
    """While the ledger is away no message is lost, acknowledged or counted as failed."""
    subscription = Subscription([message("a"), message("b")])
    errors: dict[str, Exception] = {"b": TryLater("away")}
    echo = Echo(errors)
    consumer = _consumer(subscription, ledger, echo, [])
    for _ in range(MAX_ATTEMPTS + 2):
        with pytest.raises(TryLater):
            consumer.turn(0)
    assert (subscription.acked, subscription.dead) == ([], [])

    errors.clear()
    consumer.turn(0)

    assert [one.message_id for one in subscription.acked] == ["bus-a", "bus-b"]


def test_a_dead_letter_that_cannot_be_put_away_is_not_acknowledged(ledger: SqlLedger) -> None:
    """If the dead letter's place is away, the batch comes again; what was handled then is a duplicate."""
    subscription = Subscription([message("a"), plain(b"{")], dead_letter_error=TryLater("full"))
    echo = Echo()
    consumer = _consumer(subscription, ledger, echo, [])
    with pytest.raises(TryLater):
        consumer.turn(0)
    assert subscription.acked == []

    subscription.dead_letter_error = None
    consumer.turn(0)

    assert len(subscription.acked) == 2
    assert echo.applied == ["a"]
    assert [reason for _, reason in subscription.dead] == [_dead(ledger)[0].reason]


def test_redo_keeps_hold_of_the_messages(ledger: SqlLedger) -> None:
    """A recording's reader keeps its messages while the ledger is away: nothing is given back to be read again."""
    subscription = Subscription()
    consumer = _consumer(subscription, ledger, Echo({"a": TryLater("away")}), [])
    with pytest.raises(TryLater):
        consumer.redo([message("a")])

    assert (subscription.again, subscription.acked) == ([], [])
