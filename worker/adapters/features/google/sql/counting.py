"""Counts of reads: appended by every process, summed when they are looked at, and taken once to be announced."""

# ruff: noqa: S608 - names of tables and columns are checked ones, and values are parameters

from worker.adapters.features.google.sql.tables import Name

FIELDS = {
    "feature": "STRING",
    "caller": "STRING",
    "purpose": "STRING",
    "minute_us": "INT64",
    "reads": "INT64",
    "last_us": "INT64",
}


def add(name: Name, offered: str) -> list[str]:
    """Return the statements that keep counts, except those of features that were deleted since.

    Args:
        name: gives full table names.
        offered: a FROM item with the columns of FIELDS, named `offered`.
    """
    defined = f"JOIN {name('colony_features')} AS f ON f.name = offered.feature"
    return [
        (
            f"INSERT INTO {name('colony_usage')} (feature, caller, purpose, reads, last_us)"
            f" SELECT offered.feature, offered.caller, offered.purpose, SUM(offered.reads), MAX(offered.last_us)"
            f" FROM {offered} {defined} GROUP BY offered.feature, offered.caller, offered.purpose"
        ),
        (
            f"INSERT INTO {name('colony_accessed')} (feature, minute_us, reads)"
            f" SELECT offered.feature, offered.minute_us, SUM(offered.reads)"
            f" FROM {offered} {defined} GROUP BY offered.feature, offered.minute_us"
        ),
        # What nobody announces is dropped after an hour.
        f"DELETE FROM {name('colony_accessed')} WHERE minute_us < @oldest",
    ]


def usage(name: Name) -> str:
    """Return the statement that gives (feature, caller, purpose, reads, last_us)."""
    return (
        "SELECT feature, caller, purpose, SUM(reads), MAX(last_us)"
        f" FROM {name('colony_usage')} GROUP BY feature, caller, purpose ORDER BY feature, caller, purpose"
    )


def waiting(name: Name) -> str:
    """Return the statement that counts the minutes until @until that nobody has taken."""
    return f"SELECT COUNT(*) FROM {name('colony_accessed')} WHERE minute_us <= @until"


def take(name: Name) -> list[str]:
    """Return the statements that hand the minutes until @until to @token, each with a number of its own."""
    state, accessed, taken = name("colony_state"), name("colony_accessed"), name("colony_taken")
    return [
        (
            f"UPDATE {state} SET accesses = accesses"
            f" + (SELECT COUNT(*) FROM {accessed} AS a WHERE a.minute_us <= @until) WHERE TRUE"
        ),
        (
            f"INSERT INTO {taken} (token, number, feature, minute_us, reads, taken_at)"
            " SELECT @token, s.accesses - m.minutes + m.nth, m.feature, m.minute_us, m.reads, TIMESTAMP_MICROS(@now)"
            " FROM (SELECT a.feature, a.minute_us, SUM(a.reads) AS reads,"
            " ROW_NUMBER() OVER (ORDER BY a.minute_us, a.feature) AS nth, COUNT(*) OVER () AS minutes"
            f" FROM {accessed} AS a WHERE a.minute_us <= @until GROUP BY a.feature, a.minute_us) AS m"
            f" CROSS JOIN {state} AS s"
        ),
        f"DELETE FROM {accessed} WHERE minute_us <= @until",
    ]


def taken(name: Name) -> str:
    """Return the statement that gives what @token was handed."""
    return (
        f"SELECT number, feature, minute_us, reads FROM {name('colony_taken')} WHERE token = @token"
        " AND taken_at = TIMESTAMP_MICROS(@now) ORDER BY number"
    )


def facts(name: Name) -> str:
    """Return the statement that gives (name, kept, newest_us, written_us)."""
    return f"SELECT name, kept, newest_us, written_us FROM {name('colony_features')} ORDER BY name"
