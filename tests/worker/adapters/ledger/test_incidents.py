from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.worker.adapters.ledger.records import NOW, incident
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict
from worker.incidents.machine import State


def test_round_trip(ledger: SqlLedger) -> None:
    """An incident is inserted, then replaced, and comes back as it was."""
    changed = incident(state=State.ESCALATED, attempt=3, changed_at=NOW + timedelta(days=1), version="4", story=())
    with ledger.begin() as transaction:
        transaction.incidents.save(incident())
        assert transaction.incidents.get("i-1") == incident()
        transaction.incidents.save(changed)
    with ledger.begin(write=False) as transaction:
        assert transaction.incidents.get("i-1") == changed
        assert transaction.incidents.get("i-2") is None


@pytest.mark.parametrize("state", [state for state in State if state is not State.CLOSED])
def test_one_open(ledger: SqlLedger, state: State) -> None:
    """A bee has one incident that is not closed; another is a Conflict, and the transaction goes on after it."""
    with ledger.begin() as transaction:
        transaction.incidents.save(incident(state=state))
        with pytest.raises(Conflict, match="spam-guard"):
            transaction.incidents.save(incident("i-2"))
        transaction.incidents.save(incident("i-3", bee="other"))
    with ledger.begin(write=False) as transaction:
        assert transaction.incidents.open_for("spam-guard") == incident(state=state)
        assert transaction.incidents.open_for("other") == incident("i-3", bee="other")
        assert transaction.incidents.get("i-2") is None


def test_digits_are_kept(ledger: SqlLedger) -> None:
    """The baseline that an incident remembers comes back with every digit."""
    before = incident(baseline=Decimal("0.9400000000000000000000001"))
    with ledger.begin() as transaction:
        transaction.incidents.save(before)
    with ledger.begin(write=False) as transaction:
        assert transaction.incidents.open_for("spam-guard") == before


def test_after_closing(ledger: SqlLedger) -> None:
    """A closed incident makes room for the next one, and cannot come back beside it."""
    closed = replace(incident(), state=State.CLOSED)
    later = incident("i-2", opened_at=NOW + timedelta(seconds=1))
    with ledger.begin() as transaction:
        transaction.incidents.save(incident())
        transaction.incidents.save(closed)
        assert transaction.incidents.open_for("spam-guard") is None
        transaction.incidents.save(later)
        with pytest.raises(Conflict):
            transaction.incidents.save(incident())
    with ledger.begin(write=False) as transaction:
        assert transaction.incidents.list() == [later, closed]
        assert transaction.incidents.list("spam-guard") == [later, closed]
        assert transaction.incidents.list("other") == []
