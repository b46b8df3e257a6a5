"""Who is let in: whether callers must say who they are, and the limits for each; made of the settings."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urlsplit

from worker.access.token import ALL, Scope, parse_scopes
from worker.errors import Rejected

#: Per minute and caller beyond loopback, unless COLONY_RATE_LIMIT says otherwise.
DEFAULT_REQUESTS = 6000


@dataclass(frozen=True)
class Access:
    """The rules; the default is that of loopback, where whoever reaches us is a user of this machine.

    Attributes:
        guarded: callers must show a token.
        audience: Google ID tokens for it are accepted; empty: none are.
        emails: who may sign in with Google, and what for (address in small letters → scopes).
        failures: wrong tokens per minute and address before it has to wait.
        requests: requests per minute and caller; 0 for any number.
        streams: event streams at a time in this process.
        origins: web origins whose pages may call us.
        proxies: addresses whose X-Forwarded-For is believed (comma-separated, or `*`).
    """

    guarded: bool = False
    audience: str = ""
    emails: Mapping[str, frozenset[Scope]] = field(default_factory=dict)
    failures: int = 10
    requests: int = 0
    streams: int = 64
    origins: tuple[str, ...] = ()
    proxies: str = ""


class AccessSettings(Protocol):
    """The settings that access is made of."""

    @property
    def auth(self) -> str:
        """`auto` (beyond loopback) or `required`."""

    @property
    def auth_audience(self) -> str:
        """The audience of Google ID tokens."""

    @property
    def auth_emails(self) -> str:
        """`a@example.org, b@example.org=read+write`."""

    @property
    def auth_failures(self) -> int:
        """Wrong tokens per minute and address."""

    @property
    def rate_limit(self) -> int | None:
        """Requests per minute and caller; None for the default."""

    @property
    def max_streams(self) -> int:
        """Event streams at a time."""

    @property
    def cors_origins(self) -> str:
        """Web origins, comma-separated."""

    @property
    def trusted_proxies(self) -> str:
        """Addresses of proxies, comma-separated."""


def access_for(host: str, settings: AccessSettings) -> Access:
    """Return the rules for listening on `host`. Raises Rejected for a setting that is wrong, or too open."""
    guarded = settings.auth == "required" or not is_loopback(host)
    limit = settings.rate_limit
    return Access(
        guarded=guarded,
        audience=settings.auth_audience,
        emails=_emails(settings.auth_emails),
        failures=settings.auth_failures,
        requests=(DEFAULT_REQUESTS if guarded else 0) if limit is None else limit,
        streams=settings.max_streams,
        origins=_origins(settings.cors_origins, guarded=guarded),
        proxies=settings.trusted_proxies,
    )


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address (or the name `localhost`)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _emails(text: str) -> dict[str, frozenset[Scope]]:
    found = {}
    for item in _words(text):
        email, equals, scopes = item.partition("=")
        if email.count("@") != 1 or email.startswith("@") or email.endswith("@"):
            mend = "write a@example.org, b@example.org=read+write"
            raise Rejected(f"{email!r} is not an e-mail address", field="COLONY_AUTH_EMAILS", mend=mend)
        found[email.lower()] = parse_scopes(scopes.split("+"), field="COLONY_AUTH_EMAILS") if equals else ALL
    return found


def _origins(text: str, *, guarded: bool) -> tuple[str, ...]:
    origins = tuple(_words(text))
    for origin in origins:
        parts = urlsplit(origin)
        if origin == "*" and not guarded:
            mend = "name the origins, or set COLONY_AUTH=required"
            raise Rejected("any web page could act for this machine's user", field="COLONY_CORS_ORIGINS", mend=mend)
        if origin != "*" and (parts.scheme not in {"http", "https"} or origin != f"{parts.scheme}://{parts.netloc}"):
            mend = "write https://console.example.org, without a path"
            raise Rejected(f"{origin!r} is not a web origin", field="COLONY_CORS_ORIGINS", mend=mend)
    return origins


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
