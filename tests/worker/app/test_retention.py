"""The worker forgets by itself, and never what is still needed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE, NOW, put_into_production
from worker.adapters.ledger.care import LedgerCare
from worker.adapters.ledger.care.prune import AT_ONCE
from worker.adapters.ledger.sql import SqlLedger
from worker.app import App
from worker.app.retention import AFTER_REPLAY, ASK_EVERY, EVERY, Retention, keep_as_set, keep_replayed
from worker.clock import VirtualClock, wall_clock
from worker.decide.policy import Policy, Retry
from worker.errors import TryLater
from worker.runs.explain import Explainer

DAY = timedelta(days=1)


def _retention(ledger: SqlLedger, tmp_path: Path, clock: VirtualClock, owner: str = "a") -> Retention:
    care = LedgerCare(ledger.database)
    keep = keep_as_set(care, Settings(keep_decisions_days=1, keep_published_days=1, keep_run_days=1))
    return Retention(care, keep, tmp_path, clock, owner, rest=lambda _: None)


def _arrive(ledger: SqlLedger, count: int) -> None:
    with ledger.begin() as transaction:
        for number in range(count):
            transaction.inbox.arrived("many", str(number), "t", NOW - 99 * DAY)


def _arrived(ledger: SqlLedger) -> int:
    with ledger.database.begin(write=False) as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM inbox").scalar_one())


def test_one_step_a_turn(ledger: SqlLedger, tmp_path: Path) -> None:
    """A turn is one small transaction, so that the intake beside it and SIGTERM wait for no more than that."""
    _arrive(ledger, AT_ONCE + 5)
    retention = _retention(ledger, tmp_path, VirtualClock(NOW))

    assert retention.turn() == 1
    assert _arrived(ledger) == 5
    assert [retention.turn() for _ in range(3)] == [1, 0, 0]
    assert _arrived(ledger) == 0


def test_one_of_many_once_an_hour(ledger: SqlLedger, tmp_path: Path) -> None:
    """Of several processes one forgets, by the database's clock; when its hour is over another may."""
    clock = VirtualClock(NOW)
    first, second = (_retention(ledger, tmp_path, clock, owner) for owner in "ab")
    assert (first.turn(), second.turn()) == (0, 0)
    _arrive(ledger, 3)
    clock.advance(NOW + EVERY)

    assert (first.turn(), second.turn()) == (0, 0)
    with ledger.database.begin() as connection:
        (until, owner) = connection.exec_driver_sql("SELECT until, owner FROM leases").one()
        connection.exec_driver_sql("UPDATE leases SET until = 0")
    clock.advance(NOW + EVERY + ASK_EVERY)

    assert (owner, until > 0) == ("a", True)
    assert (second.turn(), _arrived(ledger)) == (1, 0)


def test_what_a_replay_brought_stays(ledger: SqlLedger, tmp_path: Path) -> None:
    """A replay's rows bear its recording's times; no worker forgets them while a bus may bring them again."""
    retention = _retention(ledger, tmp_path, VirtualClock(NOW))
    keep_replayed(retention.care)
    keep_replayed(retention.care)
    _arrive(ledger, 3)

    assert (retention.turn(), _arrived(ledger)) == (0, 3)
    with ledger.database.begin() as connection:
        by = AFTER_REPLAY // timedelta(microseconds=1)
        connection.exec_driver_sql("UPDATE leases SET until = until - ?", (by,))
    retention.clock = lambda: NOW + ASK_EVERY
    assert (retention.turn(), _arrived(ledger)) == (1, 0)


def test_a_fault_ends_the_sweep_and_not_the_loop(ledger: SqlLedger, tmp_path: Path) -> None:
    """What the database refuses is raised for the loop to back off; the next hour begins anew."""

    class Away(LedgerCare):
        def steps(self, *_: object) -> Iterator[int]:
            yield 7
            raise TryLater("away")

    retention = _retention(ledger, tmp_path, VirtualClock(NOW))
    retention.care = Away(ledger.database)

    assert retention.turn() == 1
    with pytest.raises(TryLater):
        retention.turn()
    assert retention.turn() == 0


def test_the_story_of_an_open_incident_stays(ledger: SqlLedger, tmp_path: Path) -> None:
    """Years later `why` says of an open incident's event, run and bee what it said before."""
    put_into_production(ledger)
    colony = Colony(ledger, Policy(retry=Retry(limit=1)))
    colony.evaluate()
    run = colony.refuse_run()
    colony.now += HOUR
    colony.evaluate()
    (tmp_path / "runs" / run.id).mkdir(parents=True)
    with ledger.database.begin() as connection:
        connection.exec_driver_sql("UPDATE outbox SET published_at = time, noticed_at = time")
        frozen = f'{{"outputDir": "{tmp_path}/runs/{run.id}"}}'
        connection.exec_driver_sql("UPDATE runs SET frozen = ?", (frozen,))
    before = [_why(colony, subject) for subject in ("e1", "e2", run.id, BEE.bee)]
    retention = _retention(ledger, tmp_path / "runs", VirtualClock(NOW + 999 * DAY))

    while retention.turn():
        pass

    assert [_why(colony, subject) for subject in ("e1", "e2", run.id, BEE.bee)] == before
    assert (tmp_path / "runs" / run.id).is_dir()
    with ledger.begin(write=False) as transaction:
        assert len(transaction.outbox.list()) == 1
    assert LedgerCare(ledger.database).faults() == []


def _why(colony: Colony, subject: str) -> object:
    with colony.ledger.begin(write=False) as transaction:
        return Explainer(transaction, colony.bees, colony.policy, colony.now).explain(subject)


def test_a_worker_that_stays_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The long-lived worker has the loop, a drain does not; that it cannot forget makes no worker unready."""
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    app = App(Settings(home=tmp_path / "home"), wall_clock)
    try:
        lasting = {loop.name: loop.vital for loop in app.lasting_loops()}
        others = {loop.name for loop in app.loops()}
    finally:
        app.close()

    assert set(lasting) - others == {"colony-retention", "colony-expiry"}
    assert lasting["colony-retention"] is False
