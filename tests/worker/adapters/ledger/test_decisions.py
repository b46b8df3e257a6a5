import tracemalloc
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import IntegrityError

from tests.worker.adapters.ledger.records import MICROSECOND, NOW, UNICODE, decision
from worker.adapters.ledger.sql import SqlLedger


def test_round_trip(ledger: SqlLedger) -> None:
    """A decision comes back as it was, to the microsecond, half a surrogate in the sender's data included."""
    full = decision(
        UNICODE, run_id="r", incident_id="i", evaluation={"note": f"{UNICODE}\x00 \ud83d", "n": [0.1, None]}
    )
    with ledger.begin() as transaction:
        transaction.decisions.add(decision())
        transaction.decisions.add(full)
    with ledger.begin(write=False) as transaction:
        assert transaction.decisions.get("//colony/plain", UNICODE) == full
        assert transaction.decisions.get("//colony/plain", "e-1") == decision()
        assert transaction.decisions.get("//other", "e-1") is None


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ],
)
def test_times(ledger: SqlLedger, moment: datetime) -> None:
    """Every time that Python can tell survives to the microsecond."""
    with ledger.begin() as transaction:
        transaction.decisions.add(decision(evaluated_at=moment))
        transaction.decisions.move_watermark("b", "1", moment)
        found = transaction.decisions.get("//colony/plain", "e-1")
        assert found is not None
        assert found.evaluated_at == moment
        assert transaction.decisions.watermark("b", "1") == moment


def test_order_and_limit(ledger: SqlLedger) -> None:
    """Decisions come in the order they were made; a limit takes the last ones, of one bee if asked."""
    with ledger.begin() as transaction:
        for number in range(6):
            transaction.decisions.add(
                decision(f"e-{number}", bee="ab"[number % 2], evaluated_at=NOW - number * MICROSECOND)
            )
    with ledger.begin(write=False) as transaction:

        def ids(**asked: object) -> list[str]:
            return [entry.event_id[2:] for entry in transaction.decisions.list(**asked)]  # type: ignore[arg-type]

        assert ids() == ["0", "1", "2", "3", "4", "5"]
        assert ids(limit=2) == ["4", "5"]
        assert ids(limit=0) == []
        assert ids(bee="b") == ["1", "3", "5"]
        assert ids(bee="b", limit=2) == ["3", "5"]
        assert ids(bee="c") == []


def test_once_per_event(ledger: SqlLedger) -> None:
    """There is one decision per event: a second one is an error of ours, and undoes its transaction."""
    with ledger.begin() as transaction:
        transaction.decisions.add(decision())
    with pytest.raises(IntegrityError), ledger.begin() as transaction:
        transaction.decisions.add(decision(bee="other"))
    with ledger.begin(write=False) as transaction:
        assert list(transaction.decisions.list()) == [decision()]


def test_listing_streams(ledger: SqlLedger) -> None:
    """Listing never holds all decisions, and the transaction can ask other things meanwhile."""
    with ledger.begin() as transaction:
        for number in range(2000):
            transaction.decisions.add(decision(str(number), reason="x" * 5000))
    with ledger.begin(write=False) as transaction:
        tracemalloc.start()
        entries = transaction.decisions.list()
        first = next(entries)
        if not ledger.database.sqlite:  # else the whole answer lies in the driver, where Python does not count it
            cursors = transaction._connection.exec_driver_sql("SELECT count(*) FROM pg_cursors").scalar()
            assert cursors == 1
        assert transaction.inbox.deliveries(first.source, first.event_id) == 0
        assert sum(1 for _ in entries) == 1999
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8_000_000


def test_watermark(ledger: SqlLedger) -> None:
    """A watermark is per bee and version, and never goes back, not by a microsecond."""
    with ledger.begin() as transaction:
        ledger_part = transaction.decisions
        assert ledger_part.watermark("b", "1") is None
        for moment in (NOW, NOW - MICROSECOND, NOW):
            ledger_part.move_watermark("b", "1", moment)
            assert ledger_part.watermark("b", "1") == NOW
        ledger_part.move_watermark("b", "1", NOW + MICROSECOND)
        ledger_part.move_watermark("b", "2", NOW - MICROSECOND)
        assert ledger_part.watermark("b", "1") == NOW + MICROSECOND
        assert ledger_part.watermark("b", "2") == NOW - MICROSECOND
        assert ledger_part.watermark("c", "1") is None
