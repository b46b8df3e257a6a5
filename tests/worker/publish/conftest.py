"""A real ledger on SQLite for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker import world
from worker.adapters.ledger.sql import SqlLedger


@pytest.fixture(name="ledger")
def _ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = world.new_ledger(tmp_path)
    yield ledger
    ledger.close()


@pytest.fixture(autouse=True)
def events_fit_their_schemas() -> None:
    """Publishing asks nothing of an event's data; what is published here nobody would tell."""
