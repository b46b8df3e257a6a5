import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.worker.adapters.ledger.records import run
from worker.adapters.ledger import migrate
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.migrate import HEAD, upgrade
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.ledger.tables import metadata
from worker.errors import TryLater


def test_schema_is_what_the_code_says(ledger: SqlLedger) -> None:
    """The migrations make exactly the tables, columns and indexes of `tables.py`."""
    with ledger.database.begin(write=False) as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []


def test_indexes(ledger: SqlLedger, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Indexes have the predicates and keys of `tables.py`, which Alembic does not compare, on either database."""
    url = (
        f"sqlite:///{tmp_path}/made.db"
        if ledger.database.sqlite
        else request.getfixturevalue("postgres_server").fresh()
    )
    made = Database(url)
    with made.begin() as connection:
        metadata.create_all(connection)
    assert indexes(ledger.database) == indexes(made)
    partial = {name for name, words in indexes(made).items() if " where " in words}
    assert partial == {
        "ix_decisions_run",
        "ix_outbox_unnoticed",
        "ix_outbox_unpublished",
        "ix_runs_unsettled",
        "uq_incidents_open",
        "uq_runs_active_loop",
        "uq_trials_active",
    }
    made.close()


def indexes(database: Database) -> dict[str, str]:
    """Return each index's name and its definition as the database tells it."""
    query = (
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        if database.sqlite
        else "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    with database.begin(write=False) as connection:
        return {name: re.sub(r"[\s\"]+", " ", words).lower() for name, words in connection.exec_driver_sql(query)}


def test_head_is_the_newest() -> None:
    """The revision that is known without Alembic is the newest one, and there is one line of them."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_again(ledger: SqlLedger) -> None:
    """Upgrading what is up to date changes nothing and needs no write."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        if ledger.database.sqlite:
            upgrade(ledger.database)
    upgrade(ledger.database)
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.get(run().id) == run()


def test_newer_database(ledger: SqlLedger, url: str) -> None:
    """A database that a newer worker has migrated is opened, used and left at its revision by this one."""
    with ledger.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE runs ADD COLUMN of_the_future TEXT")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    older = SqlLedger(Database(url))
    with older.begin() as transaction:
        transaction.runs.add(run())
        assert transaction.runs.get(run().id) == run()
    assert older.installation == ledger.installation
    with ledger.database.begin(write=False) as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "9999"
    older.close()


def test_undone_whole(empty_url: str) -> None:
    """A migration that fails in the middle leaves nothing, and the next try makes the whole schema."""
    database = Database(empty_url)

    def fail(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "CREATE TABLE outbox" in statement:
            raise TryLater("the disk fills in the middle")

    sa.event.listen(database.engine, "before_cursor_execute", fail)
    with pytest.raises(TryLater, match="in the middle"):
        upgrade(database)
    sa.event.remove(database.engine, "before_cursor_execute", fail)
    with database.begin(write=False) as connection:
        assert sa.inspect(connection).get_table_names() == []
    upgrade(database)
    with database.begin(write=False) as connection:
        assert set(sa.inspect(connection).get_table_names()) == {*metadata.tables, "alembic_version"}
    database.close()


@pytest.mark.parametrize("name", ["a % b", "ünï 🐝", "it's", "deep/er/still"])
def test_any_path(tmp_path: Path, name: str) -> None:
    """The ledger's directory is made, whatever it is called."""
    ledger = SqlLedger(Database(f"sqlite:///{tmp_path / name / 'ledger.db'}"))
    ledger.verify()
    ledger.close()
    assert (tmp_path / name / "ledger.db").exists()
