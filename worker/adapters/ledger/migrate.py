"""Bring the schema up to date with Alembic, once, whoever comes first; workers of two versions run side by side."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.errors import TryLater

_SCRIPTS = Path(__file__).parent / "migrations"
#: The newest revision under `migrations/versions`, known without loading Alembic.
HEAD = "0010"
_ADVISORY_LOCK = 0x636F6C6F6E79


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing; the schema of a newer worker is left alone. Raises TryLater."""
    if _current(database) == HEAD:
        return
    _make_directory(database)
    with database.begin() as connection:
        if not database.sqlite:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        _run_alembic(connection)


def _current(database: Database) -> str | None:
    if database.file and not database.file.exists():
        return None
    with database.begin(write=False) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def _make_directory(database: Database) -> None:
    if database.file:
        try:
            database.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TryLater(f"the ledger's directory cannot be made: {error}") from error


def _run_alembic(connection: sa.Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    # Alembic expands `%` in its options.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)
    known = {item.revision for item in script.walk_revisions()}

    def steps(heads: Any, _context: object) -> Any:
        # Expand/contract: a newer worker's schema still serves this one; it must only not be migrated back.
        return [] if set(heads) - known else script._upgrade_revs("head", heads)  # noqa: SLF001 - Alembic's own recipe

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, fn=steps)
        environment.run_migrations()
