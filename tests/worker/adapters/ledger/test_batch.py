import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from tests.worker.adapters.ledger.records import NOW, decision, deployment, incident, letter, run, version
from tests.worker.world import BEE, BEES, OTHER, data, handlers, message
from worker.adapters.ledger.batch.load import Reader
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import metadata
from worker.decide.memory import BeeMemory, ColonyMemory, Tally
from worker.decide.policy import Arming, Budget, MetricRule, Policy, Retry, Verify
from worker.errors import Conflict
from worker.incidents.machine import State
from worker.intake.port import Message
from worker.intake.receive import Verdict, receive
from worker.ledger import NotInBatch
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.publish.events import event_id

KEYS = [("s", f"e-{number}") for number in range(4)]
POLICY = Policy(
    metric=MetricRule(max_drop=Decimal("0.2"), clear_drop=Decimal("0.1")),
    arming=Arming(1, 2),
    retry=Retry(limit=2, backoff=timedelta(hours=1)),
    verify=Verify(windows=2),
    budget=Budget(runs_per_day=3),
)


def rows(ledger: SqlLedger) -> dict[str, list[dict[str, Any]]]:
    """Return every table's rows in order of their keys."""
    with ledger.begin(write=False) as transaction:
        connection = transaction._connection
        return {
            table.name: [
                dict(row._mapping) for row in connection.execute(sa.select(table).order_by(*table.primary_key))
            ]
            for table in metadata.sorted_tables
            if table.name != "installation"
        }


def stream(seed: int, count: int) -> list[Message]:
    """Return evaluations of two bees, good and bad, some of them repeated, out of order, refused or broken."""
    chance = random.Random(seed)
    sent: list[Message] = []
    for number in range(count):
        minute = number + chance.choice([0, 0, 0, -30])
        at = (NOW - timedelta(days=2) + timedelta(minutes=minute)).isoformat()
        bee = chance.choice([BEE, OTHER])
        value = chance.choice([0.9, 0.9, 0.78, None, 0.6, 0.45, 0.3, 0.2])
        body = data(
            beeId=chance.choice([bee.bee] * 30 + ["nobody"]),
            modelVersion=chance.choice(["1"] * 12 + ["2", "9"]),
            evaluatedAt=at,
            metrics={bee.metric: value},
            baseline={bee.metric: 0.9},
            window={"id": f"w{number // 2}", "sampleCount": 437, "positiveCount": 90},
            drift={"detected": chance.random() < 0.2, "severity": chance.choice(["high", "low"])},
        )
        sent.append(message(f"e{number}", body if chance.random() > 0.02 else b"{"))
        if chance.random() < 0.3:
            sent.append(chance.choice(sent[-20:]))
    return sent


def prepared(ledger: SqlLedger) -> SqlLedger:
    """Put two versions of each bee into the ledger, the second in production replaced by the first again."""
    with ledger.begin() as transaction:
        for bee in BEES:
            for epoch, number in ((1, "2"), (2, "1")):
                artifact = Artifact("mem://x", "0" * 64)
                transaction.models.add(ModelVersion(bee, number, "deployed", artifact, None, NOW, gate_passed=True))
                transaction.models.deploy(
                    Deployment(bee, epoch, number, "2" if epoch == 2 else None, NOW, "set up", None)
                )
    return ledger


class OneByOne:
    """A ledger that has no batches."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.installation = ledger.installation
        self.begin = ledger.begin
        self.verify = ledger.verify
        self.close = ledger.close

    def batch(self, _keys: object, _bees: object) -> Any:
        """Refuse, as a batch whose rows cannot be written."""
        raise ValueError("no batches")


def fed(ledger: SqlLedger, sent: Sequence[Message], *, batches: bool) -> tuple[list[Verdict], dict[str, Any]]:
    """Receive messages, sixty at a time; return their verdicts and what the ledger then holds."""
    ledger.installation = "i"
    prepared(ledger)
    known = handlers(ledger, BEES, POLICY)
    times = iter(range(10**9))
    verdicts = []
    for start in range(0, len(sent), 60):
        into = ledger if batches else OneByOne(ledger)
        taken = receive(sent[start : start + 60], into, known, lambda _: NOW + timedelta(seconds=next(times)))
        verdicts += [item.verdict for item in taken]
        _settle(ledger)
    return verdicts, rows(ledger)


def _settle(ledger: SqlLedger) -> None:
    """Let the runs in flight have ended well: their incidents wait for a verdict about the deployed model."""
    with ledger.begin() as transaction:
        connection = transaction._connection
        connection.execute(sa.text("UPDATE runs SET settled = true"))
        connection.execute(sa.text("UPDATE incidents SET state = 'deployed' WHERE state = 'retraining'"))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_batch_leaves_what_one_by_one_leaves(empty_url: str, tmp_path: Any, seed: int) -> None:
    """Good, bad, repeated, stale, refused and broken events: every table holds the same after batches of 60."""
    sent = stream(seed, 240)
    one, other = SqlLedger(Database(f"sqlite:///{tmp_path}/one.db")), SqlLedger(Database(empty_url))

    alone, batched = fed(one, sent, batches=False), fed(other, sent, batches=True)

    for name, expected in alone[1].items():
        assert batched[1][name] == expected, name
    assert batched[0] == alone[0]
    assert {row["action"] for row in alone[1]["decisions"]} >= {"trigger", "attached", "none", "stale", "refused"}
    assert any(row["type"] == "model.rolled_back" for row in alone[1]["outbox"]), "an event that goes around the batch"
    one.close()
    other.close()


@pytest.fixture(name="used")
def _used(ledger: SqlLedger) -> SqlLedger:
    """Give a ledger that knows an event, an incident, a run, a champion and a memory of spam-guard."""
    with ledger.begin() as transaction:
        transaction.inbox.arrived("s", "e-0", "t", NOW)
        transaction.decisions.add(decision("e-0", source="s"))
        transaction.decisions.move_watermark("spam-guard", "1", NOW)
        transaction.memories.save("spam-guard", BeeMemory(version="1"))
        transaction.incidents.save(incident())
        transaction.runs.add(run(incident_id="i-1"))
        transaction.models.add(version())
        transaction.models.deploy(deployment())
        transaction.outbox.add("spam-guard", "t", "s", 1, NOW, {})
    return ledger


def test_a_batch_knows_what_the_ledger_knows(used: SqlLedger) -> None:
    """Each value that a batch reads at its beginning, or later by itself, is the one that the ledger holds."""
    with used.batch(KEYS, ["spam-guard"]) as batch:
        assert not batch.inbox.arrived("s", "e-0", "t", NOW)
        assert batch.inbox.arrived("s", "e-1", "t", NOW)
        assert batch.decisions.get("s", "e-0") == decision("e-0", source="s")
        assert batch.decisions.get("s", "e-1") is None
        assert batch.decisions.watermark("spam-guard", "1") == NOW
        assert batch.memories.of("spam-guard") == BeeMemory(version="1")
        assert batch.memories.of("another") == BeeMemory()
        assert batch.memories.colony(lock=True) == ColonyMemory()
        assert batch.incidents.open_for("spam-guard") == incident()
        assert batch.incidents.get("i-1") == incident()
        assert batch.runs.in_flight("spam-guard") == run(incident_id="i-1")
        assert batch.runs.incidents_in_flight() == 1
        assert batch.models.champion("spam-guard") == deployment()
        assert batch.models.get("spam-guard", "1") == version()
        assert batch.models.get("spam-guard", "7") is None


def test_what_was_decided_stays_known(used: SqlLedger) -> None:
    """An event whose inbox row was pruned is a duplicate for as long as the journal has it, in a batch or alone."""
    with used.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM inbox")
    with used.batch(KEYS, ["spam-guard"]) as batch:
        assert not batch.inbox.arrived("s", "e-0", "t", NOW)
    with used.begin() as transaction:
        assert not transaction.inbox.arrived("s", "e-0", "t", NOW)
        assert transaction.inbox.arrived("s", "e-1", "t", NOW)


def _writes(batch: Any) -> None:
    batch.inbox.arrived("s", "e-1", "t", NOW)
    batch.inbox.conclude("s", "e-1", "ack", None)
    batch.inbox.arrived("s", "e-0", "t", NOW)
    batch.decisions.add(decision("e-1", source="s"))
    batch.decisions.move_watermark("spam-guard", "1", NOW + timedelta(hours=1))
    batch.memories.save("spam-guard", BeeMemory(version="2"))
    batch.memories.save_colony(ColonyMemory(tally=Tally(runs=3)))
    batch.incidents.save(incident(state=State.CLOSED))
    batch.incidents.save(incident("i-2"))
    batch.runs.add(run("r-2", bee="other-bee", incident_id="i-3"))
    batch.outbox.add("spam-guard", "t", "s", 1, NOW, {})
    batch.outbox.add("spam-guard", "t", "s", 2, NOW, {})
    batch.outbox.add("spam-guard", "t", "s", 3, NOW, {})
    batch.outbox.add("spam-guard", "t", "s", 2, NOW, {"again": True})
    batch.outbox.add("other-bee", "t", "o", 1, NOW, {})


def _fails(batch: Any) -> None:
    with batch.savepoint():
        _writes(batch)
        raise ValueError("boom")


def test_what_a_batch_writes(used: SqlLedger) -> None:
    """At its end a batch has written each change, the events in the bee's order without a gap."""
    with used.batch(KEYS, ["other-bee", "spam-guard"]) as batch:
        with batch.savepoint():
            _writes(batch)
        assert batch.incidents.open_for("spam-guard") == incident("i-2")
        assert batch.runs.incidents_in_flight() == 2
        assert batch.runs.get("r-2") is not None

    with used.begin(write=False) as transaction:
        assert [transaction.inbox.deliveries("s", id_) for id_ in ("e-0", "e-1")] == [2, 1]
        assert transaction.decisions.get("s", "e-1") == decision("e-1", source="s")
        assert transaction.decisions.watermark("spam-guard", "1") == NOW + timedelta(hours=1)
        assert transaction.memories.of("spam-guard") == BeeMemory(version="2")
        assert transaction.memories.colony() == ColonyMemory(tally=Tally(runs=3))
        assert {(one.id, one.state) for one in transaction.incidents.list()} == {
            ("i-1", State.CLOSED),
            ("i-2", State.RETRAINING),
        }
        told = [(event.bee, event.sequence, event.id) for event, _ in transaction.outbox.list()]
        assert told == [
            ("other-bee", 1, event_id("t", "o", 1)),
            *(("spam-guard", number, event_id("t", "s", number)) for number in (1, 2, 3)),
        ]


def test_a_savepoint_takes_back_everything(used: SqlLedger) -> None:
    """What an event did before it failed is gone, in the batch and in the ledger; what others did stays."""
    before = rows(used)

    with used.batch(KEYS, ["other-bee", "spam-guard"]) as batch:
        with pytest.raises(ValueError, match="boom"):
            _fails(batch)
        assert batch.incidents.open_for("spam-guard") == incident()
        assert batch.memories.of("spam-guard") == BeeMemory(version="1")
        assert batch.decisions.get("s", "e-1") is None
        assert batch.runs.incidents_in_flight() == 1
        batch.inbox.add_dead_letter(letter())

    after = rows(used)
    assert len(after.pop("dead_letters")) == 1
    # On PostgreSQL locking a bee makes its row.
    after["bee_state"] = [row for row in after["bee_state"] if row["bee"] == "spam-guard"]
    assert after == {name: value for name, value in before.items() if name != "dead_letters"}


CONFLICTS: dict[str, Callable[[Any], object]] = {
    "a second open incident": lambda it: it.incidents.save(incident("i-2")),
    "a second run of the bee": lambda it: it.runs.add(run("r-2")),
    "a second decision": lambda it: [it.decisions.add(decision("e-1", source="s")) for _ in range(2)],
    "a run that is there": lambda it: it.runs.add(run(bee="other-bee")),
}


@pytest.mark.parametrize("name", CONFLICTS)
def test_conflicts_are_noticed_at_once(used: SqlLedger, name: str) -> None:
    """A batch refuses what the ledger would refuse, when it is asked and not when it is written."""
    with used.batch(KEYS, ["other-bee", "spam-guard"]) as batch, pytest.raises(Conflict):
        CONFLICTS[name](batch)


def test_what_a_batch_does_not_hold_is_done_directly(used: SqlLedger) -> None:
    """A change of production is refused in a batch, and done around it by a transaction that sees what came before."""
    with used.batch(KEYS, ["spam-guard"]) as batch:
        batch.inbox.arrived("s", "e-1", "t", NOW)
        with pytest.raises(NotInBatch):
            batch.models.deploy(deployment(2))
        with batch.directly() as transaction:
            assert transaction.inbox.deliveries("s", "e-1") == 1
            transaction.models.deploy(deployment(2, "1", previous="1"))
        assert batch.models.champion("spam-guard") == deployment(2, "1", previous="1")
        assert not batch.inbox.arrived("s", "e-1", "t", NOW)

    with used.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("s", "e-1") == 2


QUERIES = {
    "states": "bee_state",
    "incidents": "uq_incidents_open",
    "runs": "uq_runs_active_loop",
    "champions": "deployments",
    "inbox": "inbox",
    "decisions": "uq_decisions_event",
    "decided": "uq_decisions_event",
    "versions": "model_versions",
    "watermarks": "watermarks",
}


@pytest.mark.parametrize("what", QUERIES)
def test_each_key_finds_its_rows_by_an_index(ledger: SqlLedger, what: str) -> None:
    """What a batch reads does not grow with the tables: the keys come first, and each looks up an index."""
    plans: list[str] = []

    def explain(connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        with_cursor = connection.connection.cursor()
        prefix = "EXPLAIN QUERY PLAN" if ledger.database.sqlite else "EXPLAIN"
        with_cursor.execute(f"{prefix} {statement}", parameters)
        plans.extend(str(row[-1]) for row in with_cursor.fetchall())
        with_cursor.close()

    with ledger.begin() as transaction:
        if not ledger.database.sqlite:
            transaction._connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        reader = Reader(ledger.database, transaction._connection)
        sa.event.listen(ledger.database.engine, "before_cursor_execute", explain)
        of_bees = what in {"states", "incidents", "runs", "champions"}
        list(reader.of_bees(what, ["a", "b"]) if of_bees else reader.of_pairs(what, [("a", "b"), ("c", "d")]))
        sa.event.remove(ledger.database.engine, "before_cursor_execute", explain)

    assert any(QUERIES[what] in plan and "Seq Scan" not in plan for plan in plans), plans
    assert [plan for plan in plans if plan.startswith("SCAN t") or "Seq Scan on" in plan] == []
