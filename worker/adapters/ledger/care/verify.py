"""Check a ledger: its schema, the file, and what must hold between its tables; reads only."""

from collections.abc import Iterator

import msgspec
import sqlalchemy as sa

from worker.adapters.ledger.database import Database
from worker.adapters.ledger.locks import COLONY
from worker.adapters.ledger.memories import memory_of
from worker.adapters.ledger.migrate import HEAD
from worker.adapters.ledger.tables import bee_state, incidents, metadata, model_versions, trials
from worker.adapters.ledger.trials import trial_of
from worker.models.trials import TrialKind
from worker.rollout.encoding import decoded

_SHOWN = 5
#: What must never be found, and the words for it; each query returns names of what is wrong.
_NEVER = {
    "bees with two open incidents": (
        "SELECT bee FROM incidents WHERE state <> 'closed' GROUP BY bee HAVING count(*) > 1"
    ),
    "bees with two runs in flight": "SELECT bee FROM runs WHERE loop AND NOT settled GROUP BY bee HAVING count(*) > 1",
    "settled runs that are still active": (
        "SELECT id FROM runs WHERE settled AND status IN ('pending', 'queued', 'running')"
    ),
    "runs whose incident is missing": (
        "SELECT r.id FROM runs r LEFT JOIN incidents i ON i.id = r.incident_id"
        " WHERE r.incident_id IS NOT NULL AND i.id IS NULL"
    ),
    "incidents in retraining without a run in flight": (
        "SELECT i.id FROM incidents i WHERE i.state = 'retraining' AND NOT EXISTS"
        " (SELECT 1 FROM runs r WHERE r.incident_id = i.id AND r.attempt = i.attempt AND NOT r.settled)"
    ),
    "decisions whose run is missing": (
        "SELECT d.event_id FROM decisions d LEFT JOIN runs r ON r.id = d.run_id"
        " WHERE d.run_id IS NOT NULL AND r.id IS NULL"
    ),
    "decisions whose incident is missing": (
        "SELECT d.event_id FROM decisions d LEFT JOIN incidents i ON i.id = d.incident_id"
        " WHERE d.incident_id IS NOT NULL AND i.id IS NULL"
    ),
    "judged evaluations that are newer than their watermark": (
        "SELECT d.event_id FROM decisions d JOIN watermarks w ON w.bee = d.bee AND w.version = d.model_version"
        " WHERE d.action IN ('trigger', 'attached') AND d.evaluated_at > w.evaluated_at"
    ),
    "deployments of versions that are missing": (
        "SELECT d.bee FROM deployments d LEFT JOIN model_versions v ON v.bee = d.bee AND v.version = d.version"
        " WHERE v.bee IS NULL"
    ),
    "bees whose deployments have a gap": (
        "SELECT bee FROM deployments GROUP BY bee HAVING max(epoch) <> count(*) OR min(epoch) <> 1"
    ),
    "versions in production that passed no gate and were not forced": (
        "SELECT v.bee FROM model_versions v"
        " WHERE v.state IN ('deployed', 'challenger') AND NOT v.gate_passed AND v.forced IS NULL"
    ),
    "bees whose traffic is divided although nothing is tried": (
        "SELECT d.bee FROM deployments d WHERE d.divided IS NOT NULL"
        " AND d.epoch = (SELECT max(l.epoch) FROM deployments l WHERE l.bee = d.bee)"
        " AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.bee = d.bee AND t.active)"
    ),
    "versions live beside a champion although nothing is tried": (
        "SELECT v.bee FROM model_versions v WHERE v.state = 'challenger'"
        " AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.bee = v.bee AND t.active)"
    ),
    "incidents in rollout without one under way": (
        "SELECT i.id FROM incidents i WHERE i.state = 'rollout'"
        " AND NOT EXISTS (SELECT 1 FROM trials t WHERE t.bee = i.bee AND t.kind = 'rollout' AND t.active)"
    ),
    "bees whose outgoing events have a gap": (
        "SELECT bee FROM outbox GROUP BY bee HAVING max(sequence) - min(sequence) + 1 <> count(*)"
    ),
    "bees whose last outgoing event is not the last number given": (
        "SELECT o.bee FROM outbox o LEFT JOIN bee_state s ON s.bee = o.bee GROUP BY o.bee, s.sequence"
        " HAVING s.sequence IS NULL OR s.sequence <> max(o.sequence)"
    ),
    "events published after one that was not": (
        "SELECT DISTINCT o.bee FROM outbox o JOIN outbox e ON e.bee = o.bee AND e.sequence < o.sequence"
        " WHERE o.published_at IS NOT NULL AND e.published_at IS NULL"
    ),
}


def faults(database: Database) -> list[str]:
    """Return what is wrong, in words; nothing if all is well. Raises TryLater."""
    with database.begin(write=False) as connection:
        schema = list(_schema(database, connection))
        if schema:
            return schema
        between = [*_between(database, connection), *_memories(connection), *_rollouts(connection)]
        return [*_file(database, connection), *between]


def _schema(database: Database, connection: sa.Connection) -> Iterator[str]:
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    if "alembic_version" not in there:
        yield f"{database.where} holds no ledger"
        return
    version = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if version != HEAD:
        yield f"the schema is {version}, this worker's is {HEAD}: start a worker once to bring it up to date"
    for table in metadata.sorted_tables:
        if table.name not in there:
            yield f"the table {table.name} is missing"
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        yield from (
            f"the column {table.name}.{column.name} is missing"
            for column in table.columns
            if column.name not in columns
        )


def _file(database: Database, connection: sa.Connection) -> Iterator[str]:
    if database.sqlite:
        for pragma in ("integrity_check", "foreign_key_check"):
            for row in connection.exec_driver_sql(f"PRAGMA {pragma}"):
                if tuple(row) != ("ok",):
                    yield f"{pragma}: {' '.join(map(str, row))}"


def _between(database: Database, connection: sa.Connection) -> Iterator[str]:
    for words, query in _NEVER.items():
        text = query if not database.sqlite else query.replace("loop AND NOT settled", "loop = 1 AND settled = 0")
        found = [str(row[0]) for row in connection.execute(sa.text(text))]
        if found:
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            yield f"{len(found)} {words}: {', '.join(found[:_SHOWN])}{more}"


def _memories(connection: sa.Connection) -> Iterator[str]:
    for row in connection.execute(sa.select(bee_state.c.bee, bee_state.c.memory)):
        try:
            if row.bee != COLONY:
                memory_of(row.memory)
        except (msgspec.MsgspecError, ValueError) as error:
            yield f"the memory of {row.bee} cannot be read: {error}"


def _rollouts(connection: sa.Connection) -> Iterator[str]:
    """Yield rollouts that cannot be read, and those whose versions or incident are missing."""
    versions = {
        (row.bee, row.version) for row in connection.execute(sa.select(model_versions.c.bee, model_versions.c.version))
    }
    known = set(connection.execute(sa.select(incidents.c.id)).scalars())
    for row in connection.execute(sa.select(trials).where(trials.c.kind == TrialKind.ROLLOUT.value)):
        try:
            rollout = decoded(trial_of(row))
        except (KeyError, TypeError, ValueError) as error:
            yield f"the rollout {row.id} of {row.bee} cannot be read: {error}"
            continue
        missing = [one for one in (rollout.champion, rollout.version) if (rollout.bee, one) not in versions]
        yield from (f"version {one} of the rollout {rollout.id} of {rollout.bee} is missing" for one in missing)
        if rollout.incident is not None and rollout.incident not in known:
            yield f"the incident of the rollout {rollout.id} of {rollout.bee} is missing: {rollout.incident}"
