"""Scopes, callers and bearer tokens, of which only the SHA-256 is kept; pure, and compared in constant time."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.errors import Rejected

#: How much randomness a new token takes, in bytes.
ID_BYTES, SECRET_BYTES = 6, 32
_NOBODY = "-" * 64
_FORM = re.compile(r"colony_([0-9a-f]{12})_[0-9a-f]{64}")


class Scope(StrEnum):
    """What a caller may do; none of them contains another."""

    READ = "read"
    WRITE = "write"
    OPERATE = "operate"


ALL = frozenset(Scope)


@dataclass(frozen=True)
class Caller:
    """Who asks, and what for they may.

    Attributes:
        name: of a token its id, of a person the e-mail address; never a secret.
    """

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True)
class Token:
    """A bearer token as the ledger keeps it.

    Attributes:
        sha256: of the whole token, hex; the token itself is nowhere.
        last_used_at: known to the hour.
    """

    id: str
    name: str
    sha256: str
    scopes: frozenset[Scope]
    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


def token_text(random: bytes) -> str:
    """Return a token made of ID_BYTES + SECRET_BYTES random bytes; its prefix lets secret scanners know it."""
    return f"colony_{random[:ID_BYTES].hex()}_{random[ID_BYTES:].hex()}"


def token_id(text: str) -> str | None:
    """Return the id that a token carries; None if the text is no token of ours."""
    found = _FORM.fullmatch(text)
    return found.group(1) if found else None


def digest(text: str) -> str:
    """Return the SHA-256 of a token, hex. The secret has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(text.encode()).hexdigest()


def is_valid(text: str, token: Token | None) -> bool:
    """Tell whether the text is this token, not revoked; an unknown one takes as long as a wrong one."""
    same = hmac.compare_digest(digest(text), token.sha256 if token else _NOBODY)
    return same and token is not None and token.revoked_at is None


def parse_scopes(words: Iterable[str], *, field: str) -> frozenset[Scope]:
    """Return the scopes of words. Raises Rejected for an unknown one."""
    given = list(words)
    unknown = [word for word in given if word not in set(Scope)]
    if unknown:
        raise Rejected(f"no scope {unknown[0]!r}", field=field, mend=f"use {', '.join(Scope)}")
    return frozenset(map(Scope, given))
