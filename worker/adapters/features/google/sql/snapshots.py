"""Kept training reads: what was asked, of which definitions, up to which write sequence."""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from worker.adapters.features.google.sql.tables import Name

FIELDS = {"part": "INT64", "body": "BYTES"}


def keep(name: Name, offered: str) -> str:
    """Return the statement that keeps the parts of a read as @id; one that is kept already stays as it is.

    Args:
        name: gives full table names.
        offered: a FROM item with the columns of FIELDS, named `offered`.
    """
    table = name("colony_snapshots")
    return (
        f"INSERT INTO {table} (id, part, parts, write_sequence, created_at, body)"
        f" SELECT @id, offered.part, @parts, @sequence, TIMESTAMP_MICROS(@now), offered.body FROM {offered}"
        f" WHERE NOT EXISTS (SELECT 1 FROM {table} AS s WHERE s.id = @id)"
    )


def find(name: Name) -> str:
    """Return the statement that gives (sequence, part, parts, body) of @id; of a read that was kept twice, both."""
    return f"SELECT write_sequence, part, parts, body FROM {name('colony_snapshots')} WHERE id = @id"


def count(name: Name) -> str:
    """Return the statement that counts what is kept as @id."""
    return f"SELECT COUNT(*) FROM {name('colony_snapshots')} WHERE id = @id"
