"""A real write and a real read, that change nothing of what is stored."""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from worker.adapters.features.google.sql.tables import Name


def write(name: Name) -> str:
    """Return the statement that writes @token."""
    return f"INSERT INTO {name('colony_probe')} (token, written_at) SELECT @token, TIMESTAMP_MICROS(@now)"


def read(name: Name) -> str:
    """Return the statement that reads @token again."""
    return f"SELECT token FROM {name('colony_probe')} WHERE token = @token AND written_at = TIMESTAMP_MICROS(@now)"
