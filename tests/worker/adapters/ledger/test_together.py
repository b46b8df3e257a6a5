import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.worker.adapters.engine.waiting import until
from tests.worker.adapters.ledger.records import NOW, decision, deployment, incident, run, version
from tests.worker.adapters.ledger.workers import BATCHES, SIZE
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.errors import Conflict, TryLater
from worker.runs.lifecycle import moved
from worker.runs.port import Lease

ROOT = Path(__file__).parents[4]
SCRIPT = Path(__file__).with_name("workers.py")


def processes(verb: str, url: str, count: int = 3) -> dict[str, list[str]]:
    """Run the verb in several processes at once; return what each printed, by its name."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(SCRIPT), verb, url, *(f"w{number}" for number in range(count))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    told = {words[0]: words[1:] for words in (line.split() for line in done.stdout.splitlines())}
    assert len(told) == count
    return told


def both(first: Callable[[], object], second: Callable[[], object]) -> list[object]:
    """Run two functions at once; return their results, or the error each was refused with."""

    def guarded(function: Callable[[], object]) -> object:
        try:
            return function()
        except (Conflict, TryLater) as error:
            return error

    with ThreadPoolExecutor(2) as pool:
        return [future.result(timeout=120) for future in [pool.submit(guarded, it) for it in (first, second)]]


def test_opening(empty_url: str) -> None:
    """Processes that open a fresh database at the same moment all succeed, and agree on its id."""
    told = processes("open", empty_url, 4)
    assert len({installation for [installation] in told.values()}) == 1


def test_intake(url: str) -> None:
    """Processes that get the same messages handle each once, without a dead-lock, and no sequence has a gap."""
    told = processes("intake", url)
    assert sum(int(new) for [new] in told.values()) == BATCHES * SIZE
    ledger = SqlLedger(Database(url))
    with ledger.begin(write=False) as transaction:
        events = [event for event, _ in transaction.outbox.list()]
        deliveries = transaction.inbox.deliveries("s", "0-0")
    ledger.close()
    assert deliveries == 3
    assert len(events) == BATCHES * SIZE
    for bee in {event.bee for event in events}:
        sequences = [event.sequence for event in events if event.bee == bee]
        assert sequences == list(range(1, len(sequences) + 1))


def test_claiming(ledger: SqlLedger, url: str) -> None:
    """Processes that claim at once share the runs: each run has one holder."""
    with ledger.begin() as transaction:
        for number in range(40):
            transaction.runs.add(run(f"r{number}", loop=False))
    told = processes("claim", url)
    taken = [run_id for runs in told.values() for run_id in runs]
    assert sorted(taken) == sorted(f"r{number}" for number in range(40))


def test_claim_skips_what_is_locked(ledger: SqlLedger) -> None:
    """On PostgreSQL a claim passes over a run that another transaction has locked, and does not wait."""
    if ledger.database.sqlite:
        pytest.skip("SQLite has one writer")
    with ledger.begin() as transaction:
        transaction.runs.add(run("a", loop=False))
        transaction.runs.add(run("b", loop=False, created_at=NOW + timedelta(seconds=1)))
    with ledger.begin() as holder, ledger.begin() as other:
        assert [lease.run_id for lease in holder.runs.claim("one", limit=1, lease_s=60)] == ["a"]
        assert [lease.run_id for lease in other.runs.claim("two", limit=5, lease_s=60)] == ["b"]


def test_one_loop_run(ledger: SqlLedger) -> None:
    """Of two transactions that request a loop run, open an incident, register and deploy for a bee, one succeeds."""
    barrier = threading.Barrier(2)

    def request(name: str) -> Callable[[], str]:
        def body() -> str:
            barrier.wait(timeout=60)
            with ledger.begin() as transaction:
                transaction.incidents.save(incident(name))
                transaction.runs.add(run(name))
                transaction.models.add(version(run_id=name))
                transaction.models.deploy(deployment(run_id=name))
            return name

        return body

    results = both(request("a"), request("b"))
    [winner] = [result for result in results if isinstance(result, str)]
    assert sum(isinstance(result, Conflict) for result in results) == 1
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.list() == [run(winner)]
        assert transaction.incidents.list() == [incident(winner)]
        assert transaction.models.champion("spam-guard") == deployment(run_id=winner)


def test_same_event_at_once(ledger: SqlLedger) -> None:
    """Two transactions that tell the same change make one event, and the next has the next number."""
    barrier = threading.Barrier(2)

    def tell() -> None:
        barrier.wait(timeout=60)
        with ledger.begin() as transaction:
            transaction.outbox.add("a", "t", "subject", 1, NOW, {})

    for _ in range(5):
        assert both(tell, tell) == [None, None]
    with ledger.begin() as transaction:
        transaction.outbox.add("a", "t", "subject", 2, NOW, {})
        assert [event.sequence for event, _ in transaction.outbox.list()] == [1, 2]


def test_cancel_while_it_moves(ledger: SqlLedger) -> None:
    """An operator's cancellation and a loop that moves the run at the same time are both kept, in either order."""
    barrier = threading.Barrier(2)
    with ledger.begin() as transaction:
        transaction.runs.add(run(status=Status.QUEUED))
        [lease] = transaction.runs.claim("one", limit=1, lease_s=600)

    def cancel() -> None:
        barrier.wait(timeout=60)
        with ledger.begin() as transaction:
            transaction.lock(["spam-guard"])
            found = transaction.runs.get(run().id)
            assert found is not None
            transaction.runs.save(replace(found, cancel_requested=True))

    def watch() -> None:
        barrier.wait(timeout=60)
        with ledger.begin() as transaction:
            found = transaction.runs.hold(lease)
            transaction.outbox.add("spam-guard", "started", found.id, found.transition + 1, NOW, {})
            transaction.runs.save(moved(found, Status.RUNNING, NOW))

    for _ in range(10):
        with ledger.begin() as transaction:
            transaction.runs.save(run(status=Status.QUEUED))
        assert both(cancel, watch) == [None, None]
        with ledger.begin(write=False) as transaction:
            found = transaction.runs.get(run().id)
        assert found is not None
        assert (found.status, found.cancel_requested, found.transition) == (Status.RUNNING, True, 1)


def test_takeover_waits_for_nobody(ledger: SqlLedger) -> None:
    """A lease that ran out while its holder was paused is taken over, and what the holder then writes is refused."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        [old] = transaction.runs.claim("paused", limit=1, lease_s=0)

    def again() -> list[Lease]:
        with ledger.begin() as transaction:
            return list(transaction.runs.claim("two", limit=1, lease_s=60))

    [new] = until(again)
    assert new == Lease(old.run_id, old.epoch + 1)


def test_reader_beside_writer(ledger: SqlLedger) -> None:
    """A reader in the middle of a long list stops no writer, sees what was there when it began, and is not stopped."""
    with ledger.begin() as transaction:
        for number in range(700):
            transaction.decisions.add(decision(str(number)))
    with ledger.begin(write=False) as reader:
        entries = reader.decisions.list()
        next(entries)
        with ledger.begin() as writer:
            writer.decisions.add(decision("late"))
            with ledger.begin(write=False) as beside:
                assert beside.decisions.get("//colony/plain", "late") is None
        assert sum(1 for _ in entries) == 699


def test_waits_then_says_so(url: str) -> None:
    """A writer waits for another one's lock as long as it is told, then says TryLater, and can go on afterwards."""
    patient, hasty = SqlLedger(Database(url)), SqlLedger(Database(url, busy_timeout_s=0.2))
    with patient.begin() as holder:
        holder.lock(["a"])
        with pytest.raises(TryLater, match=r"busy|lock timeout"), hasty.begin() as transaction:
            transaction.lock(["a"])
    with hasty.begin() as transaction:
        transaction.lock(["a"])
    patient.close()
    hasty.close()


def test_pool_is_used_up(url: str) -> None:
    """When every connection is taken, the next transaction says TryLater and does not hang."""
    ledger = SqlLedger(Database(url, busy_timeout_s=0.2))
    open_ = [ledger.begin(write=False) for _ in range(16)]
    for transaction in open_:
        transaction.__enter__()
    with pytest.raises(TryLater, match="no connection free"), ledger.begin(write=False):
        pass
    for transaction in open_:
        transaction.__exit__(None, None, None)
    ledger.verify()
    ledger.close()
