"""SQLite's file under the feet of a process that has it open."""

import shutil
from pathlib import Path

import pytest

from tests.worker.adapters.ledger.records import version
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def test_a_removed_file_is_told_and_not_made_anew(file: Path) -> None:
    """Once its file is gone nothing is written, and no empty ledger takes its place."""
    ledger = SqlLedger(Database(f"sqlite:///{file}"))
    for part in file.parent.iterdir():
        part.unlink()

    for write in (True, False, True):
        with pytest.raises(TryLater, match="is gone"), ledger.begin(write=write):
            pytest.fail("it began")

    assert list(file.parent.iterdir()) == []


def test_a_restored_file_is_used(file: Path, tmp_path: Path) -> None:
    """After a backup was put in its place the work goes on there, not in the file that nobody sees any more."""
    ledger = SqlLedger(Database(f"sqlite:///{file}"))
    ledger.close()
    shutil.copy(file, tmp_path / "backup")
    with ledger.begin() as transaction:
        transaction.models.add(version("1"))
    for part in file.parent.glob("ledger.db*"):
        part.unlink()
    shutil.move(tmp_path / "backup", file)

    with pytest.raises(TryLater, match="was replaced"), ledger.begin():
        pytest.fail("it began")
    with ledger.begin() as transaction:
        assert transaction.models.versions() == []
        transaction.models.add(version("2"))

    with SqlLedger(Database(f"sqlite:///{file}")).begin(write=False) as transaction:
        assert [item.version for item in transaction.models.versions()] == ["2"]
