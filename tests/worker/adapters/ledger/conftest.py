"""The ledger on each database that it knows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger


@pytest.fixture(name="url", params=["sqlite", "postgresql"])
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(name="ledger")
def _ledger(url: str) -> Iterator[SqlLedger]:
    """Give a fresh ledger."""
    ledger = SqlLedger(Database(url))
    yield ledger
    ledger.close()
