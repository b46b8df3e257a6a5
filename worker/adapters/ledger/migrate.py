"""Bring the schema up to date with Alembic, once, whoever comes first; workers of two versions run side by side."""

from pathlib import Path

import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.errors import Rejected, TryLater

_SCRIPTS = Path(__file__).parent / "migrations"
#: The newest revision under `migrations/versions`, known without loading Alembic.
HEAD = "0001"
_ADVISORY_LOCK = 0x636F6C6F6E79


def upgrade(database: Database) -> None:
    """Apply the migrations that are missing. Raises TryLater, or Rejected where the database is of a newer worker."""
    if _current(database) == HEAD:
        return
    _make_directory(database)
    with database.begin() as connection:
        if not database.sqlite:
            connection.execute(sa.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
        _run_alembic(connection)


def _current(database: Database) -> str | None:
    if database.sqlite and database.url.database and not Path(database.url.database).exists():
        return None
    with database.begin(write=False) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
        return None if found is None else str(found)


def _make_directory(database: Database) -> None:
    if database.sqlite and database.url.database:
        try:
            Path(database.url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TryLater(f"the ledger's directory cannot be made: {error}") from error


def _run_alembic(connection: sa.Connection) -> None:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    script = ScriptDirectory.from_config(config)

    def steps(revision: object, _context: object) -> object:
        known = {item.revision for item in script.walk_revisions()}
        if isinstance(revision, tuple) and revision and revision[0] not in known:
            # Expand/contract: a newer worker's schema still serves this one; it must only not be migrated back.
            return []
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type]  # noqa: SLF001 - Alembic's own recipe

    with EnvironmentContext(config, script, fn=steps) as environment:
        environment.configure(connection=connection, fn=steps)
        environment.run_migrations()
    if not sa.inspect(connection).has_table("runs"):
        raise Rejected("the ledger's schema could not be made", mend="run `colony doctor`")
