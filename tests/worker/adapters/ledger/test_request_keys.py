import threading
from datetime import timedelta

from tests.worker.adapters.ledger.records import NOW, UNICODE
from worker.adapters.ledger.sql import SqlLedger
from worker.runs.port import Asked

FIRST, SECOND = Asked("a" * 64, "run-1"), Asked("b" * 64, "run-2")


def test_the_first_request_stays(ledger: SqlLedger) -> None:
    """A key answers with what it asked for first; another key is free; one that was rolled back is as well."""
    with ledger.begin() as transaction:
        assert transaction.request_keys.take(UNICODE, FIRST, NOW) == FIRST
    with ledger.begin() as transaction:
        assert transaction.request_keys.take(UNICODE, SECOND, NOW) == FIRST
        assert transaction.request_keys.take("other", SECOND, NOW) == SECOND


def test_two_at_once(ledger: SqlLedger) -> None:
    """Two requests with one key at the same moment agree on the first."""
    together = threading.Barrier(2)
    answers: list[Asked] = []

    def ask(asked: Asked) -> None:
        together.wait(60)
        with ledger.begin() as transaction:
            answers.append(transaction.request_keys.take("key", asked, NOW))

    threads = [threading.Thread(target=ask, args=(asked,)) for asked in (FIRST, SECOND)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(answers) == 2
    assert answers[0] == answers[1]


def test_old_keys_are_forgotten(ledger: SqlLedger) -> None:
    """Keys first used before a time are forgotten, so many at once; younger ones stay, and a forgotten one is new."""
    with ledger.begin() as transaction:
        for number in range(3):
            transaction.request_keys.take(f"old-{number}", FIRST, NOW - timedelta(days=2))
        transaction.request_keys.take("young", FIRST, NOW)

    with ledger.begin() as transaction:
        assert transaction.request_keys.forget(NOW, limit=2) == 2
    with ledger.begin() as transaction:
        assert transaction.request_keys.forget(NOW, limit=2) == 1
        assert transaction.request_keys.forget(NOW, limit=2) == 0
        assert transaction.request_keys.take("young", SECOND, NOW) == FIRST
        assert transaction.request_keys.take("old-1", SECOND, NOW) == SECOND
