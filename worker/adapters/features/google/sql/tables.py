"""The tables: one wide, append-only table per entity, and those in which the store keeps its own affairs."""

from collections.abc import Callable, Sequence

from worker.adapters.features.google.columns import Stored

Name = Callable[[str], str]

#: table -> its columns. Beside them `state` has one row: the last write sequence, a number that grows with each
#: definition, and how many accesses were numbered. `writes` has a row of each batch (feature '') and one per feature of
#: what was new in it; it is kept for a month.
#: `retired` remembers deleted features for ever: a version is never given twice.
KEPT = {
    "colony_definitions": (
        "name STRING NOT NULL, version INT64 NOT NULL, body STRING NOT NULL, column_name STRING, token STRING NOT NULL"
    ),
    "colony_features": "name STRING NOT NULL, kept INT64 NOT NULL, newest_us INT64, written_us INT64",
    "colony_retired": (
        "name STRING NOT NULL, version INT64 NOT NULL, entity STRING NOT NULL, column_name STRING,"
        " token STRING NOT NULL"
    ),
    "colony_writes": (
        "batch STRING NOT NULL, feature STRING NOT NULL, base INT64 NOT NULL, added INT64 NOT NULL, newest_us INT64,"
        " written_at TIMESTAMP NOT NULL"
    ),
    "colony_snapshots": (
        "id STRING NOT NULL, part INT64 NOT NULL, parts INT64 NOT NULL, write_sequence INT64 NOT NULL,"
        " created_at TIMESTAMP NOT NULL, body BYTES NOT NULL"
    ),
    "colony_usage": (
        "feature STRING NOT NULL, caller STRING NOT NULL, purpose STRING NOT NULL, reads INT64 NOT NULL,"
        " last_us INT64 NOT NULL"
    ),
    "colony_accessed": "feature STRING NOT NULL, minute_us INT64 NOT NULL, reads INT64 NOT NULL",
    "colony_taken": (
        "token STRING NOT NULL, number INT64 NOT NULL, feature STRING NOT NULL, minute_us INT64 NOT NULL,"
        " reads INT64 NOT NULL, taken_at TIMESTAMP NOT NULL"
    ),
    "colony_probe": "token STRING NOT NULL, written_at TIMESTAMP NOT NULL",
}
_BY_DAY = {"colony_writes": ("written_at", 31), "colony_taken": ("taken_at", 7), "colony_probe": ("written_at", 1)}
_CLUSTERED = {"colony_snapshots": "id", "colony_writes": "batch"}


def create_kept(name: Name) -> list[str]:
    """Return the statements that create what is not there of the store's own tables."""
    # With its row in one statement: of two that do this at once, one makes both.
    zeros = ", ".join(f"CAST(0 AS INT64) AS {column}" for column in ("write_sequence", "epoch", "accesses"))
    state = f"CREATE TABLE IF NOT EXISTS {name('colony_state')} AS SELECT {zeros}"
    return [state, *(_create(name, table, columns) for table, columns in KEPT.items())]


def _create(name: Name, table: str, columns: str) -> str:
    statement = f"CREATE TABLE IF NOT EXISTS {name(table)} ({columns})"
    if table in _BY_DAY:
        statement += f" PARTITION BY DATE({_BY_DAY[table][0]})"
    if table in _CLUSTERED:
        statement += f" CLUSTER BY {_CLUSTERED[table]}"
    if table in _BY_DAY:
        statement += f" OPTIONS (partition_expiration_days = {_BY_DAY[table][1]})"
    return statement


def entity_table(entity: str) -> str:
    """Return the table of an entity's features."""
    return f"entity_{entity}"


def create_entity(name: Name, entity: str) -> str:
    """Return the statement that creates an entity's table.

    `feature_timestamp` is the event time. `serving_timestamp` is the same, moved by a microsecond per correction of one
    event time, so that a service that serves the row of the newest time serves the one that was known last.
    """
    return (
        f"CREATE TABLE IF NOT EXISTS {name(entity_table(entity))} ("
        "entity_id STRING NOT NULL, feature_timestamp TIMESTAMP NOT NULL, known_at TIMESTAMP NOT NULL,"
        " serving_timestamp TIMESTAMP NOT NULL, write_sequence INT64 NOT NULL"
        ") PARTITION BY DATE(feature_timestamp) CLUSTER BY entity_id"
    )


def add_columns(name: Name, stored: Stored) -> str:
    """Return the statement that adds a feature's columns where they are missing."""
    return (
        f"ALTER TABLE {name(entity_table(stored.definition.entity))}"
        f" ADD COLUMN IF NOT EXISTS `{stored.column}` {stored.kind}, ADD COLUMN IF NOT EXISTS `{stored.state}` STRING"
    )


def drop_columns(name: Name, entity: str, columns: Sequence[str]) -> str:
    """Return the statement that drops columns, with what they hold."""
    dropped = ", ".join(f"DROP COLUMN IF EXISTS `{column}`" for column in columns)
    return f"ALTER TABLE {name(entity_table(entity))} {dropped}"
