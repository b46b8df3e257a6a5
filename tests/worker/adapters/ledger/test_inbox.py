import pytest

from tests.worker.adapters.ledger.records import NOW, UNICODE, letter
from worker.adapters.ledger.sql import SqlLedger


@pytest.mark.parametrize("source", ["//colony/plain", UNICODE, "x" * 1024], ids=["plain", "unicode", "long"])
@pytest.mark.parametrize("event_id", ["1", UNICODE, "🐝" * 256], ids=["plain", "unicode", "long"])
def test_once(ledger: SqlLedger, source: str, event_id: str) -> None:
    """An event arrives once per (source, id), whatever its letters; each further delivery is counted."""
    with ledger.begin() as transaction:
        assert transaction.inbox.arrived(source, event_id, "model.evaluated", NOW)
    with ledger.begin() as transaction:
        assert not transaction.inbox.arrived(source, event_id, "model.evaluated", NOW)
        assert not transaction.inbox.arrived(source, event_id, "other", NOW)
        assert transaction.inbox.deliveries(source, event_id) == 3


def test_key_is_exact(ledger: SqlLedger) -> None:
    """Ids that look alike (case, composed letters, trailing blanks, another source) are different events."""
    keys = [("s", "é"), ("s", "e\u0301"), ("s", "a"), ("s", "A"), ("s", "a "), ("S", "a"), ("sa", ""), ("", "sa")]
    with ledger.begin() as transaction:
        assert [transaction.inbox.arrived(*key, "t", NOW) for key in keys] == [True] * len(keys)
        assert [transaction.inbox.deliveries(*key) for key in keys] == [1] * len(keys)


def test_not_arrived(ledger: SqlLedger) -> None:
    """An event that never came has no deliveries."""
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("s", "never") == 0


def test_conclude(ledger: SqlLedger) -> None:
    """A verdict is kept with its reason, any text in it, and only on its own event."""
    with ledger.begin() as transaction:
        transaction.inbox.arrived("s", "1", "t", NOW)
        transaction.inbox.arrived("s", "2", "t", NOW)
        transaction.inbox.conclude("s", "1", "ack", "half \ud83d and nul \x00")
    with ledger.database.begin(write=False) as connection:
        rows = connection.exec_driver_sql("SELECT event_id, verdict, reason FROM inbox ORDER BY event_id").all()
    assert [tuple(row) for row in rows] == [("1", "ack", "half ? and nul \ufffd"), ("2", "open", None)]


def test_dead_letters(ledger: SqlLedger) -> None:
    """Dead letters come back whole, bytes and all, oldest first; the same again counts and tells the newest reason."""
    older = letter("d-0", received_at=NOW.replace(year=1999), event_id="nul \x00")
    with ledger.begin() as transaction:
        transaction.inbox.add_dead_letter(letter())
        transaction.inbox.add_dead_letter(older)
        transaction.inbox.add_dead_letter(letter(reason="still not JSON", received_at=NOW.replace(year=2003)))
    with ledger.begin(write=False) as transaction:
        found = transaction.inbox.dead_letters()
    assert found == [
        letter("d-0", received_at=older.received_at, event_id="nul \ufffd"),
        letter(reason="still not JSON", deliveries=2),
    ]
