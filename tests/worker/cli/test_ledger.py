import json
from pathlib import Path

import pytest

from tests.worker.cli.conftest import Here
from worker.adapters.ledger.sql import SqlLedger


def test_prune_by_setting_and_by_option(here: Here, ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for ever is not counted; a setting says how long, an option says otherwise, `0` for ever."""
    with ledger.database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO inbox VALUES ('s', 'e', 't', 'ack', NULL, 0, 1)")

    assert json.loads(here("ledger", "prune", "--json", "--inbox-days", "0")[1]) == {}
    assert json.loads(here("ledger", "prune", "--json", "--dry-run")[1]) == {"inbox": 1, "attempts": 0}
    monkeypatch.setenv("COLONY_KEEP_DECISIONS_DAYS", "60")
    found = json.loads(here("ledger", "prune", "--json", "--run-days", "7")[1])
    assert found == {"inbox": 1, "attempts": 0, "decisions": 0, "run directories": 0}
    assert (here("ledger", "prune", "--inbox-days", "30")[0], here("ledger", "verify")[1]) == (
        2,
        "the ledger is sound\n",
    )


def test_backup_and_restore(here: Here, ledger: SqlLedger, tmp_path: Path) -> None:
    """A copy is made beside a worker; putting it back is refused without a word, and while the ledger is in use."""
    copy = str(tmp_path / "copy.db")
    assert here("ledger", "backup", copy)[0] == 0
    assert here("ledger", "backup", copy)[0] == 2
    with ledger.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM deployments")

    assert (here("ledger", "restore", copy)[0], here("ledger", "restore", copy, "--yes")[0]) == (2, 5)
    ledger.close()
    code, out, _ = here("ledger", "restore", copy, "--yes")

    assert (code, out) == (0, f"restored from {copy}\n")
    with ledger.begin(write=False) as transaction:
        assert transaction.models.champion("spam-guard") is not None


def test_verify_ends_with_1(here: Here, ledger: SqlLedger) -> None:
    """What is wrong is told, and in the exit code."""
    with ledger.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM model_versions")

    code, out, _ = here("ledger", "verify", "--json")

    assert (code, json.loads(out)["fault"]) == (1, "1 deployments of versions that are missing: spam-guard")
