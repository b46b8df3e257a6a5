"""Which database faults pass by themselves or by an operator's hand, in words; everything else is a fault of ours."""

import sqlite3

#: SQLite's primary result codes.
_SQLITE = {
    3: "it may not be accessed",
    5: "it is busy: another process has been writing for too long",
    6: "it is locked",
    7: "there is no memory left",
    8: "it is read-only",
    9: "it was interrupted",
    10: "the disk fails",
    11: "the file is damaged: restore it from a backup",
    13: "the disk is full",
    14: "it cannot be opened: is its directory there and writable?",
    15: "its locks fail: is it on a network file system?",
    26: "the file is not a SQLite database",
}
#: PostgreSQL's SQLSTATE classes: connection, rollback, resources, wrong state, operator, system.
_POSTGRES_CLASSES = ("08", "40", "53", "55", "57", "58")
_READ_ONLY = "25006"
_POSTGRES_STATES = {
    _READ_ONLY: "it is read-only",
    "25P03": "it ended a transaction that was idle for too long",
    "42501": "its user lacks a privilege",
}
MAX_WORDS = 400


def transient(error: BaseException) -> str | None:
    """Return in words what is the matter; None for an error that no waiting mends (a constraint, a wrong statement).

    Args:
        error: the driver's own exception.
    """
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return f"{_SQLITE[code]} ({error})" if code in _SQLITE else None
    state = getattr(error, "sqlstate", None)
    text = " ".join(str(error).split())[:MAX_WORDS]
    if state in _POSTGRES_STATES:
        return f"{_POSTGRES_STATES[state]} ({text})"
    # Without a state no server has answered: refused, timed out, or the connection broke.
    unanswered = state is None and type(error).__name__ in {"OperationalError", "ConnectionTimeout"}
    return text if unanswered or (state or "").startswith(_POSTGRES_CLASSES) else None


def demoted(error: BaseException) -> bool:
    """Tell whether the server refuses to write at all, as one that a failover has left behind does."""
    return getattr(error, "sqlstate", None) == _READ_ONLY
