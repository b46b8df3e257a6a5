"""One of several workers on one ledger, and what they are given; `python FILE URL DIRECTORY NAME` starts one."""

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from handlers.events.context import EventContext
from handlers.events.model_evaluated import ModelEvaluated
from tests.worker.world import BEE
from worker.adapters.bus.local import FileTopic
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import metadata
from worker.bee import BeeSpec
from worker.decide.course import Ending, ended
from worker.decide.policy import Budget, Policy, Retry
from worker.decide.port import Recorded
from worker.errors import TryLater
from worker.incidents.machine import State
from worker.intake.envelope import Event
from worker.intake.port import Message
from worker.intake.receive import EventHandler, Verdict, receive
from worker.ledger import Transaction
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.publish.relay import Relay
from worker.runs.follow import follow, look

NOW = datetime(2003, 1, 1, tzinfo=UTC)
FIRST = datetime(2002, 8, 1, tzinfo=UTC)
#: What tells of how it came about, and not of what was concluded: how often and in which order of bees.
COUNTED = {
    "inbox": {"deliveries"},
    "dead_letters": {"deliveries"},
    "outbox": {"published_at", "noticed_at"},
    "decisions": {"seq"},
}
LEFT_OUT = {"installation", "leases", "attempts"}
INSTALLATION = "together"
WORKERS = 4
REPEATED = 0.3
POLICY = Policy(retry=Retry(limit=3, backoff=timedelta(0)), budget=Budget(runs_per_day=4))


def bees(count: int) -> dict[str, BeeSpec]:
    """Return so many bees."""
    return {f"bee-{number}": BEE.model_copy(update={"bee": f"bee-{number}"}) for number in range(count)}


def events(count: int, of: int, seed: int) -> list[dict[str, Any]]:
    """Return evaluations of so many bees, one in six bad, and the ends of runs that may be in flight."""
    chance = random.Random(seed)
    found = []
    for number in range(count):
        bee = f"bee-{chance.randrange(of)}"
        at = (FIRST + timedelta(minutes=number)).isoformat()
        kind = "run.ended" if chance.random() < 0.1 else "model.evaluated"
        found.append(
            {
                "specversion": "1.0",
                "id": f"e-{number}",
                "source": "//together",
                "type": kind,
                "data": {
                    "beeId": bee,
                    "modelVersion": "1",
                    "evaluatedAt": at,
                    "window": {"id": at, "sampleCount": 437, "positiveCount": 90},
                    "metrics": {"f1": 0.4 if chance.random() < 1 / 6 else 0.9},
                    "baseline": {"f1": 0.9},
                    "drift": {"detected": False, "severity": chance.choice(["deployed", "failed"])},
                },
            }
        )
    return found


@dataclass(frozen=True)
class RunEnded:
    """Ends the run that a bee has in flight, as *settle* does, so that incidents go on while others are judged."""

    evaluated: ModelEvaluated
    bees: Mapping[str, BeeSpec]

    def parse(self, event: Event, now: datetime) -> Any:
        """Read it as an evaluation."""
        return self.evaluated.parse(event, now)

    def bee(self, parsed: Any) -> str:
        """Return the bee."""
        return str(parsed.bee)

    def repeated(self, event: Event, parsed: Any, transaction: Transaction) -> Mapping[str, Any]:
        """Say so."""
        return self.evaluated.repeated(event, parsed, transaction)

    def apply(self, event: Event, parsed: Any, transaction: Transaction, now: datetime) -> Mapping[str, Any]:
        """End the run, if there is one, and record in the journal when."""
        run = transaction.runs.in_flight(parsed.bee)
        if run is not None:
            transaction.runs.save(replace(run, settled=True))
            before, situation = look(self.bees[parsed.bee], POLICY, transaction, now, whole=True)
            ending = Ending(State(parsed.data["drift"]["severity"]), "told by a test", run.id)
            follow(before, ended(before, situation, ending), (), situation, transaction)
        at = parsed.evaluated_at
        entry = Recorded(
            event.source, event.id, parsed.bee, "1", at, now, "ended", "", [], run.id if run else None, None, "", {}
        )
        transaction.decisions.add(entry)
        return {"action": "ended"}


def handlers(count: int) -> dict[str, EventHandler]:
    """Return the real handler of evaluations, and one that ends runs."""
    known = bees(count)
    evaluated = ModelEvaluated(EventContext(lambda: known, lambda: POLICY, INSTALLATION))
    return {"model.evaluated": evaluated, "run.ended": RunEnded(evaluated, known)}


def opened(url: str) -> SqlLedger:
    """Return the ledger under the name that all of them share: it is part of the runs' ids."""
    ledger = SqlLedger(Database(url))
    ledger.installation = INSTALLATION
    return ledger


def prepare(url: str, count: int) -> None:
    """Put a version of each bee into production."""
    ledger = opened(url)
    with ledger.begin() as transaction:
        for bee in bees(count):
            artifact = Artifact("mem://1", "0" * 64)
            transaction.models.add(ModelVersion(bee, "1", "deployed", artifact, None, NOW, gate_passed=True))
            transaction.models.deploy(Deployment(bee, 1, "1", None, NOW, "set up", None))
    ledger.close()


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of every table that the intake writes, decisions by bee in their order."""
    ledger = opened(url)
    found = {}
    with ledger.begin(write=False) as transaction:
        for table in metadata.sorted_tables:
            if table.name in LEFT_OUT:
                continue
            key = [table.c.bee, table.c.seq] if table.name == "decisions" else list(table.primary_key)
            rows = [dict(row._mapping) for row in transaction._connection.execute(sa.select(table))]
            rows.sort(key=lambda row, names=[column.name for column in key]: [row[name] for name in names])  # type: ignore[misc]
            skipped = COUNTED.get(table.name, set())
            found[table.name] = [{name: value for name, value in row.items() if name not in skipped} for row in rows]
    ledger.close()
    return found


def check_appeared(url: str, published: Path) -> None:
    """Check that each event of the outbox appeared, for the first time in its bee's order."""
    ledger = opened(url)
    with ledger.begin(write=False) as transaction:
        wanted = [event for event, _ in transaction.outbox.list()]
    ledger.close()
    seen: dict[str, dict[str, None]] = {}
    for line in published.read_text().splitlines():
        event = json.loads(line)
        seen.setdefault(event["subject"], {})[event["id"]] = None
    assert wanted
    for bee in {event.bee for event in wanted}:
        assert list(seen[bee]) == [event.id for event in wanted if event.bee == bee]


def take(ledger: SqlLedger, taken: Sequence[dict[str, Any]], of: int) -> None:
    """Handle events as one batch. Raises TryLater."""
    messages = [Message(json.dumps(event).encode()) for event in taken]
    received = receive(messages, ledger, handlers_of(of), lambda _: NOW)
    failed = [item.reason for item in received if item.verdict is not Verdict.ACK]
    if failed:
        raise AssertionError(failed[:3])


_HANDLERS: dict[int, dict[str, EventHandler]] = {}


def handlers_of(count: int) -> dict[str, EventHandler]:
    """Return the handlers, made once."""
    if count not in _HANDLERS:
        _HANDLERS[count] = handlers(count)
    return _HANDLERS[count]


def patiently(work: Callable[[], object]) -> None:
    """Do it again while the database is away."""
    while True:
        try:
            work()
        except TryLater:
            time.sleep(0.02)
        else:
            return


def deliveries(
    plan: Mapping[str, Any], mine: Sequence[int], done: set[int], chance: random.Random
) -> Iterator[list[int]]:
    """Yield batches of what has not been acknowledged, with repeats: at random, or each bee's in their order."""
    left = [number for number in mine if number not in done]
    repeats = [chance.choice(mine) for _ in range(int(len(left) * REPEATED))] if mine else []
    if not plan["ordered"]:
        left += repeats
        chance.shuffle(left)
    while left:
        size = chance.randint(1, 100)
        batch, left = left[:size], left[size:]
        if plan["ordered"]:
            # What comes twice comes after what it repeats.
            seen = [number for number in mine if number <= batch[-1]]
            batch += [chance.choice(seen) for _ in range(int(size * REPEATED))]
        yield batch


def work_apart(url: str, directory: Path, name: str) -> None:
    """Work in a process that was forked for it, and tell a file what goes wrong.

    A pipe that nobody reads would stop a worker that complains of its connection.
    """
    said = os.open(directory / f"said-{name}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(said, 1)
    os.dup2(said, 2)
    work(url, directory, name)


def work(url: str, directory: Path, name: str) -> None:
    """Take this worker's share of the events until all are acknowledged; publish what waits in between."""
    plan = json.loads((directory / "plan.json").read_text())
    given = json.loads((directory / "events.json").read_text())
    own = int(name)
    mine = [number for number, event in enumerate(given) if _share(plan, number, event, own)]
    acks = directory / f"acks-{name}"
    done = {int(line) for line in acks.read_text().split()} if acks.exists() else set()
    chance = random.Random(time.time_ns())
    ledgers: list[SqlLedger] = []
    patiently(lambda: ledgers.append(opened(url)))
    ledger = ledgers[0]
    relay = Relay(ledger, FileTopic(directory / "published.jsonl"), lambda: NOW, name, lease_s=1.0)
    with acks.open("a", encoding="utf-8") as acknowledged:
        for batch in deliveries(plan, mine, done, chance):
            patiently(lambda batch=batch: take(ledger, [given[number] for number in batch], plan["bees"]))  # type: ignore[misc]
            acknowledged.write("".join(f"{number}\n" for number in batch))
            acknowledged.flush()
            if chance.random() < 0.3:
                # What is cut off here is published by whoever comes next.
                with suppress(TryLater):
                    relay.turn()
            while (directory / "hold").exists():
                time.sleep(0.02)


def _share(plan: Mapping[str, Any], number: int, event: Mapping[str, Any], own: int) -> bool:
    if plan["ordered"]:
        return int(event["data"]["beeId"].removeprefix("bee-")) % WORKERS == own
    # Some come to more than one worker.
    return number % WORKERS == own or (number * 7919 + own) % 10 == 0


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
