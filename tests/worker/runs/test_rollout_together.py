"""Replicas that look at a rollout at the same moment, on each database: one of them does it, the others see it done."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worker import world
from tests.worker.runs.colony import Colony
from tests.worker.runs.rolled import DAY, STAGED, WELL, WORSE, Rolling
from tests.worker.world import BEE
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.rollout.machine import State
from worker.runs.rollout import look

REPLICAS = 4


@pytest.fixture(name="url", params=["sqlite", "postgresql"])
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database that several processes could share."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_server").fresh())


@pytest.fixture(name="replicas")
def _replicas(url: str) -> Iterator[list[SqlLedger]]:
    ledgers = [SqlLedger(Database(url)) for _ in range(REPLICAS)]
    yield ledgers
    for ledger in ledgers:
        ledger.close()


@pytest.mark.parametrize(("interval", "ends"), [(WELL, State.RUNNING), (WORSE, State.ROLLED_BACK)])
def test_they_end_in_the_same_state(replicas: list[SqlLedger], interval: tuple[float, float], ends: State) -> None:
    """All have read the same rollout, and conclude from evidence of slightly different times: one step, told once."""
    world.put_into_production(replicas[0])
    rolling = Rolling(Colony(replicas[0]))
    begun = rolling.begin()
    rolling.colony.now += DAY
    found = [replace(rolling.evidence(interval), as_of=rolling.colony.now + number * DAY) for number in range(REPLICAS)]
    barrier = threading.Barrier(REPLICAS)

    def looks(number: int) -> None:
        barrier.wait()
        with replicas[number].begin() as transaction:
            transaction.lock([BEE.bee])
            look(STAGED, rolling.colony.policy, transaction, found[number], found[number].as_of)

    threads = [threading.Thread(target=looks, args=(number,)) for number in range(REPLICAS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    after = rolling.rollout
    assert (after.state, after.step, len(after.story)) == (ends, 0 if ends is State.ROLLED_BACK else 1, 2)
    assert rolling.serving.epoch == begun.epoch + 1 == after.epoch
    type_ = "model.rolled_back" if ends is State.ROLLED_BACK else "model.rollout.advanced"
    assert len(rolling.colony.events(type_)) == 1
