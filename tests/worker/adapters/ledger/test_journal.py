import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.emulators import absent
from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.tables import metadata
from worker.engine.port import Claim, Job, Journal, TaskRecord
from worker.engine.state import Status
from worker.errors import LeaseLost

AT = datetime(2002, 9, 28, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture(name="journal", params=["memory", "sqlite", "postgres"])
def _journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    if request.param == "memory":
        yield MemoryJournal()
        return
    url = f"sqlite:///{tmp_path}/ledger.db" if request.param == "sqlite" else postgres(request)
    database = Database(url)
    metadata.drop_all(database.engine)
    metadata.create_all(database.engine)
    yield SqlJournal(database)
    database.close()


def postgres(request: pytest.FixtureRequest) -> str:
    """Return the URL of a PostgreSQL that tests may empty, or skip."""
    try:
        return str(request.getfixturevalue("postgres_url"))
    except pytest.FixtureLookupError:
        absent("no PostgreSQL for tests")
        raise


def job(run_id: str = "run-1", **changed: Any) -> Job:
    """Return a job."""
    values: dict[str, Any] = {
        "run_id": run_id,
        "spec": {"schemaVersion": "2.1.0", "é": [1, 2.5, None, True]},
        "parameters": {"run": {"id": run_id}},
        "output_dir": "/out",
        "labels": {"run": run_id},
    }
    return Job(**{**values, **changed})


def claimed(journal: Journal, owner: str = "a", *, lease_s: float = 60.0) -> Claim:
    """Claim the one job that is free."""
    [claim] = journal.claim(owner, limit=5, lease_s=lease_s)
    return claim


def test_a_job_is_kept(journal: Journal) -> None:
    """A job is stored once, as it is; a second time is refused without a change."""
    assert journal.create(job())
    assert not journal.create(job(labels={"other": "x"}))

    assert journal.job("run-1") == job()
    assert journal.job("run-2") is None


def test_a_task_is_kept(journal: Journal) -> None:
    """A task's record is replaced as a whole; tasks come in the order of their first record."""
    journal.create(job())
    claim = claimed(journal)
    record = TaskRecord(
        "loop/0/b",
        Status.SUCCEEDED,
        attempt=2,
        pid=4194304,
        started_at=AT,
        ended_at=AT,
        exit_code=0,
        error="é",
        log_tail="line\n",
        outputs={"parameters": {"x": [1, "two"]}, "artifacts": {}},
    )
    for task in (TaskRecord("loop/0/b", Status.RUNNING), TaskRecord("a", Status.PENDING), record):
        journal.record(claim, [task])

    assert list(journal.tasks("run-1")) == [record, TaskRecord("a", Status.PENDING)]
    assert list(journal.tasks("run-2")) == []


def test_claims(journal: Journal) -> None:
    """Jobs are leased oldest first, to one owner at a time; ended ones never."""
    for number in (1, 2, 3):
        journal.create(job(f"run-{number}"))

    first = journal.claim("a", limit=2, lease_s=60.0)
    second = journal.claim("b", limit=2, lease_s=60.0)
    assert [claim.run_id for claim in (*first, *second)] == ["run-1", "run-2", "run-3"]
    assert list(journal.claim("c", limit=9, lease_s=60.0)) == []
    journal.record(first[0], [], Status.SUCCEEDED)
    journal.release(first[0])
    assert list(journal.claim("c", limit=9, lease_s=60.0)) == []
    assert list(journal.claim("c", limit=0, lease_s=60.0)) == []


def test_release(journal: Journal) -> None:
    """A released job can be claimed at once, and the old claim is worth nothing."""
    journal.create(job())
    old = claimed(journal)
    journal.release(old)

    new = claimed(journal, "b")
    assert new.epoch > old.epoch
    with pytest.raises(LeaseLost):
        journal.record(old, [], Status.FAILED)
    journal.release(old)
    assert list(journal.renew([old, new], lease_s=60.0)) == [new]


def test_a_lease_runs_out(journal: Journal) -> None:
    """A lease that is not renewed runs out; who comes next has a newer epoch, and the late one can write nothing."""
    journal.create(job())
    late = claimed(journal, lease_s=0.05)
    [new] = until(lambda: journal.claim("b", limit=1, lease_s=60.0))

    assert (new.run_id, new.epoch > late.epoch) == ("run-1", True)
    for write in (
        lambda: journal.record(late, [TaskRecord("a", Status.RUNNING)]),
        lambda: journal.record(late, [], Status.FAILED),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert list(journal.renew([late], lease_s=60.0)) == []
    assert list(journal.tasks("run-1")) == []
    journal.record(new, [TaskRecord("a", Status.RUNNING)])


def test_renewing_keeps_a_lease(journal: Journal) -> None:
    """A renewed lease is not given to anyone else."""
    journal.create(job())
    claim = claimed(journal, lease_s=0.05)

    assert list(journal.renew([claim], lease_s=60.0)) == [claim]
    assert list(journal.claim("b", limit=1, lease_s=60.0)) == []


def test_status(journal: Journal) -> None:
    """A job's status and error are what its leader recorded last."""
    journal.create(job())
    claim = claimed(journal)
    journal.record(claim, [], Status.RUNNING)
    journal.record(claim, [], Status.FAILED, "why")

    found = journal.job("run-1")
    assert found is not None
    assert (found.status, found.error) == (Status.FAILED, "why")


def test_one_record_is_one_change(journal: Journal) -> None:
    """Tasks and the job's status are written together or not at all; an end gives the lease back."""
    journal.create(job())
    claim = claimed(journal)
    begun, ended = TaskRecord("a", Status.RUNNING), TaskRecord("a", Status.SUCCEEDED)
    journal.record(claim, [begun, TaskRecord("b", Status.SKIPPED), ended], Status.SUCCEEDED)

    found = journal.job("run-1")
    assert (found and found.status, list(journal.tasks("run-1"))) == (
        Status.SUCCEEDED,
        [ended, TaskRecord("b", Status.SKIPPED)],
    )
    with pytest.raises(LeaseLost):
        journal.record(claim, [TaskRecord("c", Status.RUNNING)], Status.FAILED)
    assert len(journal.tasks("run-1")) == 2
    assert list(journal.renew([claim], lease_s=60.0)) == []


def test_cancelling(journal: Journal) -> None:
    """A job that waits is cancelled at once, one that is led is marked, one that has ended is left alone."""
    for number in (1, 2, 3):
        journal.create(job(f"run-{number}"))
    led, done = journal.claim("a", limit=2, lease_s=60.0)
    journal.record(led, [], Status.RUNNING)
    journal.record(done, [], Status.SUCCEEDED)
    for number in (1, 2, 3, 9):
        if journal.job(f"run-{number}"):
            journal.request_cancel(f"run-{number}")

    assert set(journal.to_cancel(["run-1", "run-2", "run-9"])) == {"run-1"}
    found = [journal.job(f"run-{number}") for number in (1, 2, 3)]
    assert [(one.status, one.cancel_requested) for one in found if one] == [
        (Status.RUNNING, True),
        (Status.SUCCEEDED, False),
        (Status.CANCELLED, True),
    ]
    assert list(journal.claim("b", limit=9, lease_s=60.0)) == []


def test_claims_from_many_sides(journal: Journal) -> None:
    """However many ask at the same time, each job is given to one of them."""
    for number in range(8):
        journal.create(job(f"run-{number}"))
    got: list[Claim] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        for _ in range(4):
            got.extend(journal.claim("x", limit=1, lease_s=60.0))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    names = [claim.run_id for claim in got]
    assert len(names) == len(set(names))
    while left := journal.claim("x", limit=9, lease_s=60.0):
        names += [claim.run_id for claim in left]
    assert sorted(names) == [f"run-{number}" for number in range(8)]


def test_strange_text(journal: Journal) -> None:
    """NUL and broken characters in a log or an error do not stop a record."""
    if isinstance(journal, MemoryJournal):
        pytest.skip("only databases mind")
    journal.create(job())
    claim = claimed(journal)
    journal.record(claim, [TaskRecord("a", Status.FAILED, error="x\x00y", log_tail="\ud800\x00")])

    [task] = journal.tasks("run-1")
    assert (task.error, len(task.log_tail)) == ("x\ufffdy", 2)
