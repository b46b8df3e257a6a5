"""Four workers on one ledger, killed and cut off at random, leave what one undisturbed worker leaves."""

import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.story import together
from worker.adapters.bus.local import FileTopic
from worker.publish.relay import Relay

#: Forks of a process that has loaded everything: each start of a worker anew takes a second.
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.story.together"])
#: The whole proof has 20,000 events and takes minutes; COLONY_TEST_EVENTS asks for another number.
EVENTS = int(os.environ.get("COLONY_TEST_EVENTS", "1500"))
BEES = max(20, EVENTS // 50)
KILLS = 6 + EVENTS // 1000
#: The rows of each table.
Contents = dict[str, list[dict[str, Any]]]


@pytest.fixture(name="new", params=["sqlite", "postgresql"])
def _new(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Return a function that makes empty databases of one kind."""
    if request.param == "postgresql":
        return lambda: str(request.getfixturevalue("postgres_server").fresh())
    return lambda: f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.mark.timeout(300 + EVENTS // 20)
@pytest.mark.parametrize("ordered", [False, True], ids=["any-order", "each-bees-order"])
def test_the_ledger_is_that_of_one_worker(new: Callable[[], str], tmp_path: Path, *, ordered: bool) -> None:
    """At-least-once delivery to four processes that are killed and cut off: the ledger of one, and every event once.

    It is, to the last column, the ledger of one worker fed in the order in which the events were committed. Where each
    bee's order is kept it is also that of one that nothing ever disturbed, but for what no order of bees can tell.
    """
    url = new()
    given = together.events(EVENTS, BEES, seed=20260101)
    (tmp_path / "plan.json").write_text(json.dumps({"ordered": ordered, "bees": BEES}))
    (tmp_path / "events.json").write_text(json.dumps(given))
    together.prepare(url, BEES)

    kills, cuts = _disturbed(url, tmp_path)

    assert kills >= KILLS // 2
    assert cuts or not url.startswith("postgresql")
    found = together.contents(url)
    order = _committed(url)
    assert sorted(order) == sorted(event["id"] for event in given), "each event was decided, once"
    by_id = {event["id"]: event for event in given}
    expected = _fed(tmp_path / "one.db", [by_id[id_] for id_ in order])
    _check_same(found, expected)
    assert {row["action"] for row in expected["decisions"]} >= {"trigger", "attached", "none", "ended"}
    if ordered:
        undisturbed = _fed(tmp_path / "undisturbed.db", given)
        _forget_order_of_bees(found)
        _forget_order_of_bees(undisturbed)
        _check_same(found, undisturbed)
    _published(url, tmp_path)


def _check_same(found: Contents, expected: Contents) -> None:
    assert set(found) == set(expected)
    for table, rows in expected.items():
        assert found[table] == rows, table


def _forget_order_of_bees(contents: Contents) -> None:
    """Drop what one bee's success does to another's earlier failure in the colony's memory: no order says which."""
    (colony,) = [row for row in contents["bee_state"] if row["bee"] == "*"]
    memory = json.loads(colony["memory"])
    del memory["tally"]["failures"]
    colony["memory"] = memory


def _disturbed(url: str, directory: Path) -> tuple[int, int]:
    """Run four workers to the end, killing one of them and cutting one off again and again; return how often each."""
    chance = random.Random()
    running = {str(number): _start(url, directory, str(number)) for number in range(together.WORKERS)}
    kills, cuts = 0, 0
    until = time.monotonic() + 240 + EVENTS / 20
    while running:
        assert time.monotonic() < until, "the workers do not come to an end"
        time.sleep(chance.uniform(0.02, 0.15))
        for name, process in list(running.items()):
            if process.exitcode is not None:
                assert process.exitcode == 0, (directory / f"said-{name}").read_text()[-3000:]
                del running[name]
        if running and kills < KILLS and chance.random() < 0.5 and _begun(directory):
            name = chance.choice(sorted(running))
            running[name].kill()
            running[name].join()
            kills += 1
            running[name] = _start(url, directory, name)
        if url.startswith("postgresql") and chance.random() < 0.4:
            cuts += _cut_off(url, chance)
    return kills, cuts


def _start(url: str, directory: Path, name: str) -> BaseProcess:
    process = _FORKS.Process(target=together.work_apart, args=(url, directory, name), daemon=True)
    process.start()
    return process


def _begun(directory: Path) -> bool:
    return any(path.stat().st_size for path in directory.glob("acks-*"))


def _cut_off(url: str, chance: random.Random) -> bool:
    """End one of the connections that the workers have; tell whether there was one."""
    cut = False
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT")
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with suppress(sa.exc.OperationalError), engine.connect() as connection:
        pids = list(connection.execute(sa.text(others)).scalars())
        if pids:
            query = sa.text("SELECT pg_terminate_backend(:pid)")
            cut = bool(connection.execute(query, {"pid": chance.choice(pids)}).scalar())
    engine.dispose()
    return cut


def _fed(file: Path, given: list[dict[str, Any]]) -> Contents:
    """Return the ledger of one worker that takes the events in this order."""
    url = f"sqlite:///{file}"
    together.prepare(url, BEES)
    ledger = together.opened(url)
    for start in range(0, len(given), 250):
        together.take(ledger, given[start : start + 250], BEES)
    ledger.close()
    return together.contents(url)


def _committed(url: str) -> list[str]:
    ledger = together.opened(url)
    with ledger.begin(write=False) as transaction:
        order = [entry.event_id for entry in transaction.decisions.list()]
    ledger.close()
    return order


def _published(url: str, directory: Path) -> None:
    """Publish what is left, and check that each event appeared, for the first time in its bee's order."""
    ledger = together.opened(url)
    relay = Relay(ledger, FileTopic(directory / "published.jsonl"), lambda: together.NOW, "last", lease_s=1.0)
    until = time.monotonic() + 120
    with ledger.begin(write=False) as transaction:
        waiting = transaction.outbox.waiting()
    while waiting and time.monotonic() < until:
        if not relay.turn():
            time.sleep(0.1)
        with ledger.begin(write=False) as transaction:
            waiting = transaction.outbox.waiting()
    ledger.close()
    together.check_appeared(url, directory / "published.jsonl")
