"""A real ledger on SQLite for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker import world
from tests.worker.runs.colony import Colony
from tests.worker.runs.loop import Loop
from worker.adapters.ledger.sql import SqlLedger


@pytest.fixture(name="ledger")
def _ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = world.new_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture(name="loop")
def _loop(ledger: SqlLedger) -> Loop:
    world.put_into_production(ledger)
    return Loop(ledger)


@pytest.fixture(name="colony")
def _colony(ledger: SqlLedger) -> Colony:
    """Give a colony in which version 1 of spam-guard is in production."""
    world.put_into_production(ledger)
    return Colony(ledger)
