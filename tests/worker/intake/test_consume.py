from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest

from tests.worker.intake.echo import Echo
from tests.worker.world import NOW, Subscription, message, now_for, plain
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater
from worker.intake.consume import BATCH, MAX_ATTEMPTS, Consumer, Limits
from worker.intake.port import Failure, Message
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
    assert letter.history == (Failure(NOW, "ValueError: boom"),) * MAX_ATTEMPTS
    assert subscription.waits == [0.5, 1, 2, 4]
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
    assert _failures(ledger) == 0


def test_a_restart_does_not_forget_failures(ledger: SqlLedger) -> None:
    """A message that fails in one process after the other becomes a dead letter as in one, with every reason."""
    subscription = Subscription([message("bad")])
    for number in range(MAX_ATTEMPTS):
        assert _failures(ledger) == min(number, 1)
        _consumer(subscription, ledger, Echo({"bad": ValueError(f"boom {number}")}), []).turn(0)

    (letter,) = _dead(ledger)
    assert [failure.reason for failure in letter.history] == [f"ValueError: boom {n}" for n in range(MAX_ATTEMPTS)]
    assert (subscription.waiting, _failures(ledger)) == ([], 0)


def test_a_full_outbox_stops_the_intake(ledger: SqlLedger) -> None:
    """While as many events wait as may, nothing is pulled and nothing lost; when they are gone it goes on."""
    subscription = Subscription([message(str(number)) for number in range(3)])
    limits = Limits(outbox=2)

    def turn(count: int) -> int:
        # A new one each time: a consumer looks at the outbox once a second.
        consumer = Consumer(subscription, ledger, {"model.evaluated": Echo()}, now_for, limits=limits)
        return consumer.turn(0, limit=count)

    assert [turn(1), turn(1)] == [1, 1]
    with pytest.raises(TryLater, match="2 events wait to be published, 2 may"):
        turn(1)
    assert len(subscription.waiting) == 1

    with ledger.begin() as transaction:
        waiting = transaction.outbox.unpublished("spam-guard", 10)
        transaction.outbox.mark("spam-guard", [event.id for event in waiting], NOW)
    assert turn(1) == 1
    assert len(subscription.acked) == 3


def test_no_more_than_a_batch_is_in_hand(ledger: SqlLedger) -> None:
    """However much the bus has and however often the ledger is away, one batch at most has been pulled."""
    bus = _Endless()
    echo = Echo()
    consumer = Consumer(bus, ledger, {"model.evaluated": echo}, now_for)
    for number in range(6):
        echo.errors = {"0": TryLater("slow")} if number % 2 else {}
        with suppress(TryLater):
            consumer.turn(0)

    assert (bus.most, bus.in_hand) == (BATCH, 0)


class _Endless(Subscription):
    """Always has more; counts what it has given out and not got back."""

    in_hand = 0
    most = 0

    def pull(self, limit: int, wait_s: float) -> list[Message]:  # noqa: ARG002 - the port's signature
        self.in_hand += limit
        self.most = max(self.most, self.in_hand)
        return [message(str(number)) for number in range(limit)]

    def ack(self, messages: Sequence[Message]) -> None:
        self.in_hand -= len(messages)

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:  # noqa: ARG002 - the port's signature
        self.in_hand -= len(messages)


def _failures(ledger: SqlLedger) -> int:
    with ledger.database.begin(write=False) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM attempts").scalar_one())


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
