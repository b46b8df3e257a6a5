from datetime import timedelta

import pytest

from tests.worker.adapters.ledger.records import MICROSECOND, NOW, decision, run
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.runs.port import RunFilter

EARLIER = NOW - timedelta(days=1)


def _fill(ledger: SqlLedger) -> None:
    with ledger.begin() as transaction:
        for number in range(7):
            # Three at the same moment: the id tells which comes first.
            created_at = NOW + max(0, number - 2) * MICROSECOND
            transaction.runs.add(run(f"run-{number}", bee=f"bee-{number % 2}", created_at=created_at, loop=False))
        transaction.runs.add(
            run("old", template="experiment", created_at=EARLIER, status=Status.FAILED, loop=False, settled=True)
        )


@pytest.mark.parametrize("limit", [1, 2, 3, 8])
def test_pages_of_runs_join(ledger: SqlLedger, limit: int) -> None:
    """Page after page, every run comes once, newest first, also among those of one moment."""
    _fill(ledger)
    seen: list[str] = []
    before = None
    with ledger.begin(write=False) as transaction:
        while page := transaction.runs.page(RunFilter(), before=before, limit=limit):
            assert len(page) <= limit
            seen += [item.id for item in page]
            before = (page[-1].created_at, page[-1].id)

    assert seen == [*(f"run-{number}" for number in reversed(range(7))), "old"]


@pytest.mark.parametrize(
    ("which", "ids"),
    [
        (RunFilter(bee="bee-1"), ["run-5", "run-3", "run-1"]),
        (RunFilter(template="experiment"), ["old"]),
        (RunFilter(status=Status.FAILED), ["old"]),
        (RunFilter(since=NOW + 3 * MICROSECOND), ["run-6", "run-5"]),
        (RunFilter(bee="bee-0", since=NOW + 3 * MICROSECOND, status=Status.PENDING), ["run-6"]),
        (RunFilter(bee="nobody"), []),
    ],
)
def test_filters_of_runs(ledger: SqlLedger, which: RunFilter, ids: list[str]) -> None:
    """Bee, template, status and time narrow the list, alone and together."""
    _fill(ledger)
    with ledger.begin(write=False) as transaction:
        assert [item.id for item in transaction.runs.page(which, limit=100)] == ids


@pytest.mark.parametrize("limit", [1, 2, 5, 9])
def test_pages_of_decisions_join(ledger: SqlLedger, limit: int) -> None:
    """Page before page, every decision of a bee comes once; each page is in the order they were made."""
    with ledger.begin() as transaction:
        for number in range(5):
            transaction.decisions.add(decision(f"e-{number}"))
            transaction.decisions.add(decision(f"other-{number}", bee="other-bee"))
    seen: list[str] = []
    before = None
    with ledger.begin(write=False) as transaction:
        while True:
            page, before = transaction.decisions.page(bee="spam-guard", before=before, limit=limit)
            seen = [*(item.event_id for item in page), *seen]
            if before is None:
                break

    assert seen == [f"e-{number}" for number in range(5)]
