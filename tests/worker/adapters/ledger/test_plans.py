from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.worker.adapters.ledger.records import NOW
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger, SqlTransaction
from worker.runs.port import Asked, RunFilter

HOT: dict[str, Callable[[SqlTransaction], Any]] = {
    "inbox.conclude": lambda it: it.inbox.conclude("s", "1", "ack", None),
    "decisions.get": lambda it: it.decisions.get("s", "1"),
    "decisions.list of a bee": lambda it: list(it.decisions.list(bee="a", limit=10)),
    "decisions.watermark": lambda it: it.decisions.watermark("a", "1"),
    "incidents.open_for": lambda it: it.incidents.open_for("a"),
    "incidents.list of a bee": lambda it: it.incidents.list("a"),
    "runs.in_flight": lambda it: it.runs.in_flight("a"),
    "runs.unsettled": lambda it: it.runs.unsettled(),
    "runs.list of what is not settled": lambda it: it.runs.list(settled=False),
    "runs.list of a bee": lambda it: it.runs.list(bee="a"),
    "runs.claim": lambda it: it.runs.claim("one", limit=50, lease_s=30),
    "runs.steps": lambda it: it.runs.steps("r"),
    "runs.page": lambda it: it.runs.page(RunFilter(), before=(NOW, "r"), limit=50),
    "runs.page of a bee": lambda it: it.runs.page(RunFilter(bee="a", since=NOW), before=(NOW, "r"), limit=50),
    "decisions.page": lambda it: it.decisions.page(before=7, limit=50),
    "decisions.page of a bee": lambda it: it.decisions.page(bee="a", before=7, limit=50),
    "tokens.get": lambda it: it.tokens.get("a"),
    "tokens.mark_used": lambda it: it.tokens.mark_used("a", NOW),
    "request_keys.take": lambda it: it.request_keys.take("k", Asked("f", "r"), NOW),
    "models.next_version": lambda it: it.models.next_version("a"),
    "models.champion": lambda it: it.models.champion("a"),
    "models.for_run": lambda it: it.models.for_run("r"),
    "outbox.add": lambda it: it.outbox.add("a", "t", "s", 1, NOW, {}),
    "outbox.waiting": lambda it: it.outbox.waiting(),
    "outbox.bees_waiting": lambda it: it.outbox.bees_waiting(100),
    "outbox.unpublished": lambda it: it.outbox.unpublished("a", 200),
    "outbox.mark": lambda it: it.outbox.mark("a", ["x", "y"], NOW),
    "outbox.claim": lambda it: it.outbox.claim("a", "one", lease_s=60),
}
#: A step of the plan that reads a whole table, row by row; a partial index read whole holds only what waits.
PARTIAL = ("ix_outbox_unpublished", "ix_runs_unsettled", "CONSTANT ROW", "SCAN anon_1")
USES = {
    "decisions.list of a bee": "ix_decisions_bee",
    "runs.page": "ix_runs_created",
    "incidents.open_for": "uq_incidents_open",
    "runs.in_flight": "uq_runs_active_loop",
    "runs.unsettled": "ix_runs_unsettled",
    "runs.claim": "ix_runs_unsettled",
    "outbox.waiting": "ix_outbox_unpublished",
    "outbox.bees_waiting": "ix_outbox_unpublished",
    "outbox.unpublished": "ix_outbox_unpublished",
}


@pytest.fixture(name="shared", scope="module", params=["sqlite", "postgresql"])
def _shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlLedger]:
    """Give one ledger on each database to all tests of this file: they only look at plans."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('plans')}/ledger.db"
    else:
        url = request.getfixturevalue("postgres_server").fresh()
    ledger = SqlLedger(Database(url))
    yield ledger
    ledger.close()


@pytest.mark.parametrize("name", HOT)
def test_no_scan(shared: SqlLedger, name: str) -> None:
    """What loops and intake ask of the ledger finds its rows by an index, the partial one where there is one."""
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        if statement.split(maxsplit=1)[0] not in {"SELECT", "UPDATE"}:
            return
        with_cursor = connection.connection.cursor()
        prefix = "EXPLAIN QUERY PLAN" if shared.database.sqlite else "EXPLAIN"
        with_cursor.execute(f"{prefix} {statement}", parameters)
        plans.extend(f"{row[-1]}   [{statement[:80]}]" for row in with_cursor.fetchall())
        with_cursor.close()

    with shared.begin() as transaction:
        if not shared.database.sqlite:
            transaction._connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        sa.event.listen(shared.database.engine, "before_cursor_execute", explain)
        HOT[name](transaction)
        sa.event.remove(shared.database.engine, "before_cursor_execute", explain)

    assert any(USES.get(name, "") in plan for plan in plans)
    scans = [plan for plan in plans if plan.lstrip().startswith(("SCAN", "Seq Scan", "->  Seq Scan"))]
    assert [plan for plan in scans if not any(harmless in plan for harmless in PARTIAL)] == []
