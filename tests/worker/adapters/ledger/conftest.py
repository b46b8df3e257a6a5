"""The ledger on each database that it knows."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger

DATABASES = ["sqlite", "postgresql"]


@pytest.fixture(name="empty_url", params=DATABASES)
def _empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(name="url", params=DATABASES)
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Give the URL of a database that has been migrated and holds nothing, a copy of the session's."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "ledger.db")
        return f"sqlite:///{tmp_path}/ledger.db"
    template = request.getfixturevalue("migrated_database")
    return str(request.getfixturevalue("postgres_server").fresh(template))


@pytest.fixture(name="ledger")
def _ledger(url: str) -> Iterator[SqlLedger]:
    """Give a fresh ledger."""
    ledger = SqlLedger(Database(url))
    yield ledger
    ledger.close()


@pytest.fixture(name="migrated_file", scope="session")
def _migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a migrated SQLite database, whole in one file."""
    path = tmp_path_factory.mktemp("migrated") / "ledger.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(name="migrated_database", scope="session")
def _migrated_database(request: pytest.FixtureRequest) -> str:
    """Give the name of a migrated PostgreSQL database that nobody is connected to."""
    url = str(request.getfixturevalue("postgres_server").fresh())
    migrate(url)
    return url.rpartition("/")[2]


def migrate(url: str) -> None:
    """Open a ledger once and close it."""
    SqlLedger(Database(url)).close()


@pytest.fixture(autouse=True)
def events_fit_their_schemas() -> None:
    """The outbox takes whatever it is given; what is given here nobody would tell."""
