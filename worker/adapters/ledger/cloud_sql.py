"""PostgreSQL reached through Cloud SQL's connector: by the instance's name, over TLS, with no address and no proxy."""

import threading
from contextlib import suppress
from typing import Any

import sqlalchemy as sa

from worker.errors import Rejected, TryLater

#: The words of a URL's query that are ours: `?cloudsql=project:region:instance&ip=private&iam=true`.
INSTANCE, IP, IAM = "cloudsql", "ip", "iam"
_IPS = ("public", "private", "psc")
_TRUTH = {"true": True, "false": False}
_CONNECT_S = 15.0


class CloudSql:
    """Opens connections to the instance that a URL names; the connector is made at the first one.

    An instance that is paused, failing over or not yet there is TryLater, as an address that does not answer is.
    """

    def __init__(self, url: sa.URL, connector: Any = None) -> None:
        """Read the URL.

        Args:
            url: `postgresql://user[:password]@/database?cloudsql=project:region:instance[&ip=private][&iam=true]`.
            connector: a `google.cloud.sql.connector.Connector`, else one is made.

        Raises:
            Rejected: a word of the query that is not understood.
        """
        self._instance = _word(url, INSTANCE)
        self._ip = _one_of(url, IP, {name: name for name in _IPS}, "public")
        self._iam = _one_of(url, IAM, _TRUTH, "false")
        self._database, self._user, self._password = url.database or "postgres", url.username, url.password
        if self._instance.count(":") < 2:
            raise _fault(f"{INSTANCE}={self._instance} names no instance", f"{INSTANCE}=project:region:instance")
        if not self._user:
            raise _fault("the URL names no user", "postgresql://USER@/database?cloudsql=…")
        self._connector = connector
        self._lock = threading.Lock()

    @classmethod
    def of(cls, url: sa.URL) -> "CloudSql | None":
        """Return what connects for a URL that names an instance; None for any other. Raises Rejected."""
        return cls(url) if INSTANCE in url.query else None

    def connect(self) -> Any:
        """Return a new psycopg connection. Raises TryLater; Rejected if the connector is not installed."""
        words: dict[str, Any] = {"user": self._user, "db": self._database, "timeout": _CONNECT_S}
        if self._password is not None and not self._iam:
            words["password"] = self._password
        try:
            return self._made().connect(self._instance, "psycopg", enable_iam_auth=self._iam, ip_type=self._ip, **words)
        except _refusals() as error:
            raise TryLater(f"Cloud SQL instance {self._instance} cannot be reached: {error}") from error

    def close(self) -> None:
        """Stop renewing certificates."""
        with self._lock:
            connector, self._connector = self._connector, None
        if connector is not None:
            # At the interpreter's end its event loop may be gone already.
            with suppress(RuntimeError):
                connector.close()

    def _made(self) -> Any:
        with self._lock:
            if self._connector is None:
                self._connector = _connector()
            return self._connector


def _connector() -> Any:
    try:
        from google.cloud.sql.connector import Connector
    except ImportError as error:
        raise Rejected(
            "Cloud SQL's connector is not installed",
            field="COLONY_LEDGER",
            mend="install the extra `cloudsql` (pip install 'colony-mlops[cloudsql]'), or give the instance's address",
        ) from error
    # Lazy: certificates are renewed when they are asked for, as Cloud Run gives no processor time between requests.
    return Connector(refresh_strategy="lazy")


def _refusals() -> tuple[type[Exception], ...]:
    """Return what the connector, its HTTP client and Google's sign-in raise."""
    found: list[type[Exception]] = [OSError, TimeoutError]
    with suppress(ImportError):
        from aiohttp import ClientError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.sql.connector import exceptions

        own = (kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, Exception))
        found += [ClientError, GoogleAuthError, *own]
    return tuple(found)


def _word(url: sa.URL, name: str, default: str = "") -> str:
    given = url.query.get(name, default)
    if not isinstance(given, str):
        raise _fault(f"{name} is there twice", f"give {name} once")
    return given


def _one_of(url: sa.URL, name: str, known: dict[str, Any], default: str) -> Any:
    given = _word(url, name, default).lower()
    if given not in known:
        raise _fault(f"{name}={given} is not understood", f"{name} is one of {', '.join(known)}")
    return known[given]


def _fault(reason: str, mend: str) -> Rejected:
    return Rejected(reason, field="COLONY_LEDGER", mend=mend)
