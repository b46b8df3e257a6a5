"""Definitions: read together with the state, changed in a transaction that only one of several at a time wins."""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from worker.adapters.features.google.sql.tables import Name


def current(name: Name) -> str:
    """Return the statement that gives (sequence, epoch, name, version, body, column, kept) of every version there is.

    With @known the epoch that the caller has already, one row without a name if it is still that.
    """
    return (
        "SELECT s.write_sequence, s.epoch, d.name, d.version, d.body, d.column_name, f.kept"
        f" FROM {name('colony_state')} AS s"
        # BigQuery joins outwards on equalities only.
        f" LEFT JOIN (SELECT *, TRUE AS changed FROM {name('colony_definitions')}) AS d"
        " ON d.changed = (s.epoch != @known)"
        f" LEFT JOIN {name('colony_features')} AS f ON f.name = d.name"
    )


def lives(name: Name) -> str:
    """Return the statement that tells the newest version that @name ever had, also before it was deleted; or NULL."""
    return (
        f"SELECT MAX(v.version) FROM (SELECT version, name FROM {name('colony_definitions')}"
        f" UNION ALL SELECT version, name FROM {name('colony_retired')}) AS v WHERE v.name = @name"
    )


def add(name: Name, *, unwritten: bool) -> list[str]:
    """Return the statements that add a version, unless anything was defined since @epoch.

    With `unwritten` also unless anything was written since @sequence.
    """
    return [
        _move(name, unwritten=unwritten),
        (
            f"INSERT INTO {name('colony_definitions')} (name, version, body, column_name, token)"
            f" SELECT @name, @version, @body, @column, @token FROM {_moved(name, unwritten=unwritten)}"
        ),
        (
            f"INSERT INTO {name('colony_features')} (name, kept)"
            f" SELECT d.name, 0 FROM {name('colony_definitions')} AS d"
            f" LEFT JOIN {name('colony_features')} AS f ON f.name = d.name"
            " WHERE d.token = @token AND f.name IS NULL"
        ),
        _advance(name),
    ]


def mark(name: Name) -> list[str]:
    """Return the statements that change the words of a version that stands."""
    return [
        _move(name, unwritten=False),
        (
            f"UPDATE {name('colony_definitions')} SET body = @body, token = @token"
            f" WHERE name = @name AND version = @version AND EXISTS (SELECT 1 FROM {_moved(name, unwritten=False)})"
        ),
        _advance(name),
    ]


def remove(name: Name) -> list[str]:
    """Return the statements that delete a feature's definitions and remember them."""
    retired = f"EXISTS (SELECT 1 FROM {name('colony_retired')} AS r WHERE r.token = @token)"
    return [
        _move(name, unwritten=False),
        (
            f"INSERT INTO {name('colony_retired')} (name, version, entity, column_name, token)"
            f" SELECT @name, @version, @entity, @column, @token FROM {_moved(name, unwritten=False)}"
        ),
        f"DELETE FROM {name('colony_definitions')} WHERE name = @name AND {retired}",
        f"DELETE FROM {name('colony_features')} WHERE name = @name AND {retired}",
        f"DELETE FROM {name('colony_usage')} WHERE feature = @name AND {retired}",
        f"DELETE FROM {name('colony_accessed')} WHERE feature = @name AND {retired}",
        _advance(name),
    ]


def added(name: Name) -> str:
    """Return the statement that tells whether a version was added or marked."""
    return f"SELECT COUNT(*) FROM {name('colony_definitions')} WHERE token = @token"


def removed(name: Name) -> str:
    """Return the statement that tells whether a feature was deleted."""
    return f"SELECT COUNT(*) FROM {name('colony_retired')} WHERE token = @token"


def _move(name: Name, *, unwritten: bool) -> str:
    # Locks the row against other transactions; the epoch moves at the end, so that what lies between can check it.
    return f"UPDATE {name('colony_state')} SET accesses = accesses WHERE {_still(unwritten=unwritten)}"


def _moved(name: Name, *, unwritten: bool) -> str:
    return f"{name('colony_state')} AS s WHERE {_still(unwritten=unwritten, prefix='s.')}"


def _still(*, unwritten: bool, prefix: str = "") -> str:
    still = f"{prefix}epoch = @epoch"
    return f"{still} AND {prefix}write_sequence = @sequence" if unwritten else still


def _advance(name: Name) -> str:
    return f"UPDATE {name('colony_state')} SET epoch = epoch + 1 WHERE epoch = @epoch"
