from datetime import timedelta

from tests.worker.world import NOW
from worker.adapters.ledger.sql import SqlLedger


def test_an_occurrence_is_taken_once(ledger: SqlLedger) -> None:
    """The first to take an occurrence has it; another template's at the same time is another one."""
    with ledger.begin() as transaction:
        taken = [transaction.schedules.take(name, NOW, "run") for name in ("a", "a", "b")]

    assert taken == [True, False, True]


def test_the_last_one(ledger: SqlLedger) -> None:
    """The newest occurrence of a template is told, None before there is any."""
    with ledger.begin() as transaction:
        before = transaction.schedules.last("a")
        for days in (2, 1):
            transaction.schedules.take("a", NOW + timedelta(days=days), None)
        transaction.schedules.take("b", NOW + timedelta(days=9), "run")

    with ledger.begin(write=False) as transaction:
        assert (before, transaction.schedules.last("a")) == (None, NOW + timedelta(days=2))
