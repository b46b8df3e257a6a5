"""Events of types that nothing here handles, on a topic that others share."""

import sqlalchemy as sa

from tests.worker import world
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import inbox
from worker.intake.port import Message
from worker.intake.receive import Received, Verdict, receive


def _stranger(**changes: str) -> Message:
    attributes = {"specversion": "1.0", "id": "7", "source": "//shop", "type": "order.paid", **changes}
    named = {f"ce-{name}": value for name, value in attributes.items()}
    return Message(b"\xff not even text", named, message_id="m")


def _received(ledger: SqlLedger, *messages: Message) -> list[Received]:
    return receive(messages, ledger, world.handlers(ledger), world.now_for)


def test_a_foreign_event_is_acknowledged_and_recorded() -> None:
    """In binary mode another's type is acknowledged, recorded with the reason, and is no dead letter; also again."""
    ledger = world.memory_ledger()

    first, again = _received(ledger, _stranger(), _stranger())

    assert (first.verdict, again.verdict, again.reason) == (Verdict.ACK, Verdict.ACK, "duplicate")
    with ledger.begin(write=False) as transaction:
        assert list(transaction.inbox.dead_letters()) == []
    with ledger.database.begin(write=False) as connection:
        rows = [dict(row._mapping) for row in connection.execute(sa.select(inbox))]
    assert [(row["type"], row["verdict"]) for row in rows] == [("order.paid", "ack")]
    assert rows[0]["reason"] == "nothing here handles the type 'order.paid'"
    ledger.close()


def test_it_does_not_disturb_the_others() -> None:
    """Beside a foreign event ours is decided about as ever."""
    ledger = world.memory_ledger()
    ours = world.message("e-1", world.data())

    found = _received(ledger, _stranger(), ours, _stranger(id="8"))

    assert [item.verdict for item in found] == [Verdict.ACK] * 3
    assert [(item.result or {}).get("action") for item in found][::2] == ["ignored", "ignored"]
    assert (found[1].result or {})["beeId"] == "spam-guard"
    ledger.close()


def test_what_is_meant_for_us_is_turned_away() -> None:
    """Without a source or an id it is no event; an unknown type inside a body is a mistake that somebody has to see."""
    ledger = world.memory_ledger()
    plain = Message(b'{"type": "model.evaluatde", "eventId": "1"}')

    found = _received(ledger, _stranger(source=""), _stranger(id=""), _stranger(specversion="0.3"), plain)

    assert [item.verdict for item in found] == [Verdict.DEAD_LETTER] * 4
    ledger.close()
