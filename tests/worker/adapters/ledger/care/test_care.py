import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.ledger.records import NOW, decision, deployment, incident, letter, run, version
from worker.adapters.ledger.care import LedgerCare
from worker.adapters.ledger.care.prune import AT_ONCE, Keep
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.errors import Conflict, Rejected
from worker.incidents.machine import State
from worker.publish.notice import Notice, Sent
from worker.rollout.encoding import encoded
from worker.rollout.machine import Rollout, ended_by_hand
from worker.rollout.machine import State as Stopped
from worker.rollout.measure import Measure
from worker.rollout_plan import RolloutSpec

DAY = timedelta(days=1)


@pytest.fixture(name="url", params=["sqlite", "postgresql"])
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_server").fresh())


@pytest.fixture(name="ledger")
def _ledger(url: str) -> Iterator[SqlLedger]:
    """Give a ledger with something of everything, as of NOW."""
    ledger = SqlLedger(Database(url))
    with ledger.begin() as transaction:
        transaction.models.add(version(state="deployed"))
        transaction.models.deploy(deployment())
        transaction.incidents.save(incident(state=State.CLOSED))
        transaction.incidents.save(incident("i-2"))
        transaction.runs.add(run(incident_id="i-2", attempt=1))
        transaction.decisions.move_watermark("spam-guard", "3", NOW)
        for number in range(3):
            _event(transaction, f"e-{number}", NOW - 40 * DAY * number, incident_id=f"i-{number}" if number else None)
            transaction.outbox.add("spam-guard", "model.deployed", f"m-{number}", 1, NOW, {})
        waiting = transaction.outbox.unpublished("spam-guard", 9)
        transaction.outbox.mark("spam-guard", [event.id for event in waiting], NOW - 50 * DAY)
        transaction.inbox.add_dead_letter(letter())
        transaction.models.add(version("2", state="refused"))
        transaction.trials.save(encoded(_rollout()))
    yield ledger
    ledger.close()


def _rollout() -> Rollout:
    """Return one that is over, of the incident that is closed."""
    plan, measure = RolloutSpec(strategy="canary"), Measure("accuracy", bounds=(0.0, 1.0))
    began = Rollout("r-1", "spam-guard", "2", "1", 1, plan, measure, NOW, NOW, NOW, incident="i-1")
    return ended_by_hand(began, Stopped.STOPPED, "a test", NOW)


def _event(transaction: Any, id_: str, at: datetime, **more: Any) -> None:
    transaction.inbox.arrived("//colony/plain", id_, "t", at)
    transaction.decisions.add(decision(id_, decided_at=at, **more))


@pytest.fixture(name="care")
def _care(ledger: SqlLedger) -> LedgerCare:
    return LedgerCare(ledger.database)


def _count(ledger: SqlLedger, table: str) -> int:
    with ledger.database.begin(write=False) as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 - a table of ours


def test_prune_forgets_what_is_older(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """Each kind goes when it is older than it is kept; the journal of an open incident and the last number stay."""
    keep = Keep(31 * DAY, 60 * DAY, 30 * DAY)
    expected = {"inbox": 2, "attempts": 0, "decisions": 0, "published": 2, "notices": 0}

    assert care.prune(keep, NOW, tmp_path, dry_run=True) == expected
    assert (_count(ledger, "inbox"), _count(ledger, "outbox")) == (3, 3)
    assert care.prune(keep, NOW, tmp_path) == expected
    assert (_count(ledger, "inbox"), _count(ledger, "outbox"), _count(ledger, "decisions")) == (1, 1, 3)
    assert care.prune(Keep(None, 30 * DAY), NOW, tmp_path) == {"decisions": 1}
    assert care.faults() == []
    assert care.prune(keep, NOW, tmp_path) == dict.fromkeys(expected, 0)


def test_prune_in_many_steps(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """More rows than one step deletes are all deleted."""
    with ledger.begin() as transaction:
        for number in range(AT_ONCE + 5):
            transaction.inbox.arrived("many", str(number), "t", NOW - 99 * DAY)

    assert care.prune(Keep(), NOW, tmp_path)["inbox"] == AT_ONCE + 7


def test_the_inbox_is_kept_for_31_days(care: LedgerCare, tmp_path: Path) -> None:
    """Less is refused: a bus may deliver for so long."""
    with pytest.raises(Rejected, match="31 days"):
        care.prune(Keep(30 * DAY), NOW, tmp_path)


def test_prune_removes_directories_of_old_runs_only(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """The directory of a settled old run goes; a new one's, an unsettled one's and one elsewhere stay."""
    root = tmp_path / "runs"
    ended = {"settled": True, "status": Status.SUCCEEDED, "loop": False}
    made = {
        "old": (root / "old", {**ended, "ended_at": NOW - 99 * DAY}),
        "new": (root / "new", {**ended, "ended_at": NOW}),
        "unsettled": (root / "unsettled", {"loop": False, "ended_at": NOW - 99 * DAY}),
        "elsewhere": (tmp_path / "elsewhere", {**ended, "ended_at": NOW - 99 * DAY}),
        "root": (root, {**ended, "ended_at": NOW - 99 * DAY}),
    }
    with ledger.begin() as transaction:
        for name, (path, fields) in made.items():
            path.mkdir(parents=True, exist_ok=True)
            transaction.runs.add(run(name, frozen={"outputDir": str(path)}, **fields))

    assert care.prune(Keep(None, runs=30 * DAY), NOW, root) == {"run directories": 1}

    assert [name for name, (path, _) in made.items() if not path.exists()] == ["old"]


WRONG: dict[str, tuple[str, str]] = {
    "a gap in the outbox": ("DELETE FROM outbox WHERE sequence = 2", "outgoing events have a gap: spam-guard"),
    "a lost number": ("UPDATE bee_state SET sequence = 9", "not the last number given: spam-guard"),
    "a retraining without run": ("DELETE FROM runs", "in retraining without a run in flight: i-2"),
    "a run without incident": ("DELETE FROM incidents WHERE id = 'i-2'", "runs whose incident is missing"),
    "a version that is missing": ("DELETE FROM model_versions", "versions that are missing: spam-guard"),
    "an ungated version": ("UPDATE model_versions SET gate_passed = false", "passed no gate"),
    "traffic divided for nothing": (
        """UPDATE deployments SET divided = '{"split": [["1", 100]], "salt": "", "shadow": []}'""",
        "traffic is divided although nothing is tried: spam-guard",
    ),
    "a challenger of nothing": (
        "UPDATE model_versions SET state = 'challenger' WHERE version = '2'",
        "live beside a champion although nothing is tried: spam-guard",
    ),
    "an incident in no rollout": (
        "UPDATE incidents SET state = 'rollout' WHERE id = 'i-2'",
        "incidents in rollout without one under way: i-2",
    ),
    "a rollout without version": ("DELETE FROM model_versions WHERE version = '2'", "version 2 of the rollout r-1"),
    "a rollout without incident": ("DELETE FROM incidents WHERE id = 'i-1'", "the incident of the rollout r-1"),
    "a broken rollout": ("UPDATE trials SET detail = '{}'", "the rollout r-1 of spam-guard cannot be read"),
    "published too early": (
        "UPDATE outbox SET published_at = NULL WHERE sequence = 1",
        "published after one that was not: spam-guard",
    ),
    "a broken memory": ("UPDATE bee_state SET memory = '{'", "memory of spam-guard cannot be read"),
    "an old schema": ("UPDATE alembic_version SET version_num = '0001'", "the schema is 0001"),
}


@pytest.mark.parametrize("name", WRONG)
def test_verify_finds(ledger: SqlLedger, care: LedgerCare, name: str) -> None:
    """Each thing that must never be is found and told in words; before it nothing is."""
    statement, words = WRONG[name]
    assert care.faults() == []

    with ledger.database.begin() as connection:
        connection.exec_driver_sql(statement)

    found = care.faults()
    assert any(words in fault for fault in found), found


def test_backup_while_it_is_written(ledger: SqlLedger, care: LedgerCare, url: str, tmp_path: Path) -> None:
    """A copy that is made while a worker writes is whole, and is the ledger again once it is put back."""
    if url.startswith("postgresql") and not (shutil.which("pg_dump") and shutil.which("pg_restore")):
        with pytest.raises(Rejected, match="pg_dump is not installed here"):
            care.back_up(tmp_path / "copy")
        return
    stop = threading.Event()
    writer = threading.Thread(target=_write, args=(ledger, stop))
    writer.start()
    try:
        care.back_up(tmp_path / "copy")
    finally:
        stop.set()
        writer.join(60)
    with pytest.raises(Rejected, match="there already"):
        care.back_up(tmp_path / "copy")
    with pytest.raises(Conflict, match="in use"):
        _other(url, lambda other: other.restore(tmp_path / "copy"))
    ledger.close()

    _other(url, lambda other: other.restore(tmp_path / "copy"))

    assert _other(url, lambda other: other.faults()) == []
    again = SqlLedger(Database(url))
    with again.begin(write=False) as transaction:
        assert transaction.incidents.get("i-2") == incident("i-2")
    assert again.installation == ledger.installation
    again.close()


def _write(ledger: SqlLedger, stop: threading.Event) -> None:
    number = 0
    while not stop.is_set():
        number += 1
        with ledger.begin() as transaction:
            _event(transaction, f"more-{number}", NOW)


def _other(url: str, work: Callable[[LedgerCare], Any]) -> Any:
    """Do something as another process would: with connections of its own."""
    care = LedgerCare(Database(url))
    try:
        return work(care)
    finally:
        care.close()


@pytest.mark.parametrize("content", [b"", b"not a database", None])
def test_restore_refuses_what_is_no_copy(tmp_path: Path, content: bytes | None) -> None:
    """A file that is none, another's or damaged is refused, and the ledger stays as it is."""
    ledger = SqlLedger(Database(f"sqlite:///{tmp_path}/ledger.db"))
    ledger.close()
    before = (tmp_path / "ledger.db").read_bytes()
    if content is not None:
        (tmp_path / "copy").write_bytes(content)

    with pytest.raises(Rejected):
        _other(f"sqlite:///{tmp_path}/ledger.db", lambda care: care.restore(tmp_path / "copy"))

    assert (tmp_path / "ledger.db").read_bytes() == before


def test_keep_names_all() -> None:
    """The command's order of durations is that of the value."""
    durations = [DAY * number for number in range(31, 35)]
    care = LedgerCare(Database("sqlite://"))
    names = [name for name in vars(Keep()) if name != "webhook"]
    assert care.keep(*durations) == replace(Keep(), **dict(zip(names, durations, strict=True)))


DUE = "incident.escalated"


def _told(ledger: SqlLedger, *types: str) -> list[str]:
    """Tell events of a bee of its own, long ago, and return their ids in order."""
    with ledger.begin() as transaction:
        for number, type_ in enumerate(types):
            transaction.outbox.add("other", type_, f"s-{number}", 1, NOW - 99 * DAY, {})
        events = [event.id for event in transaction.outbox.unpublished("other", 99)]
        transaction.outbox.mark("other", events, NOW - 99 * DAY)
    return events


def _left(ledger: SqlLedger) -> list[int]:
    with ledger.begin(write=False) as transaction:
        return [event.sequence for event, _ in transaction.outbox.list(bee="other")]


def test_what_was_not_published_stays(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """However old, an event waits for the bus, and so does what came after it: no gap comes about."""
    events = _told(ledger, "a", "b", "c", "d")
    with ledger.database.begin() as connection:
        connection.exec_driver_sql(f"UPDATE outbox SET published_at = NULL WHERE id IN ('{events[2]}', '{events[3]}')")  # noqa: S608 - ids of ours

    care.prune(Keep(None, published=DAY), NOW, tmp_path)

    assert _left(ledger) == [3, 4]
    assert care.faults() == []


def test_what_people_were_not_told_stays(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """With a webhook what it has not taken yet stays; without one nobody waits for it."""
    _told(ledger, "a", DUE, "b", "c")

    assert care.prune(Keep(None, published=DAY), NOW, tmp_path, dry_run=True)["published"] == 3
    care.prune(Keep(None, published=DAY), NOW, tmp_path)
    assert _left(ledger) == [2, 3, 4]
    assert care.faults() == []
    care.prune(Keep(None, published=DAY, webhook=False), NOW, tmp_path)
    assert _left(ledger) == [4]


def test_a_notice_goes_with_its_event(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """What became of a notice is listed while its event is there; one that is still tried stays."""
    first, second, _ = _told(ledger, DUE, DUE, "b")
    long_ago = NOW - 98 * DAY
    with ledger.begin() as transaction:
        for id_, state in ((first, Sent.SENT), (second, Sent.FAILING)):
            transaction.notices.save(Notice(id_, "other", DUE, 1, long_ago, long_ago, long_ago, state))

    found = care.prune(Keep(None, published=DAY), NOW, tmp_path)

    assert (found["notices"], _left(ledger)) == (1, [2, 3])


def test_a_months_budget_is_told_once(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """What is known by its being there outlives a short setting: a budget for its month, definitions always."""
    _told(ledger, "budget.exceeded", "a")
    keep = Keep(None, published=DAY, webhook=False)

    assert care.prune(keep, NOW - 80 * DAY, tmp_path)["published"] == 0
    assert care.prune(keep, NOW, tmp_path)["published"] == 3
    _told(ledger, "feature.defined", "b")
    assert care.prune(keep, NOW, tmp_path)["published"] == 1


def test_the_runs_of_an_open_incident_keep_their_files(ledger: SqlLedger, care: LedgerCare, tmp_path: Path) -> None:
    """The directory of an old settled run stays while its incident is not closed."""
    ended = {"settled": True, "status": Status.SUCCEEDED, "loop": False, "ended_at": NOW - 99 * DAY}
    with ledger.begin() as transaction:
        for name, of in (("open", "i-2"), ("closed", "i-1")):
            (tmp_path / name).mkdir()
            transaction.runs.add(run(name, frozen={"outputDir": str(tmp_path / name)}, incident_id=of, **ended))

    care.prune(Keep(None, runs=DAY), NOW, tmp_path)

    assert ((tmp_path / "open").is_dir(), (tmp_path / "closed").is_dir()) == (True, False)
