"""Google ID tokens: who signed in, verified by Google's own library against its certificates, which are kept."""

import json
import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import structlog

from handlers.http.rate import Buckets
from worker.errors import TryLater

log = structlog.get_logger()

_FETCH_S = 5.0
#: How long certificates are believed without asking again, and for how long when asking fails, in seconds.
KEEP_S, KEEP_ON_FAILURE_S = 3600.0, 60.0
#: How often per minute a key that is not known makes us ask: anybody can name one.
RENEWALS = 6
_OK = 200
Request = Callable[..., Any]


class GoogleIdentity:
    """Verifies ID tokens made for one audience; thread-safe."""

    def __init__(
        self, audience: str, request: Request | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`request` fetches the certificates (google.auth.transport.Request); None for HTTPS."""
        self._audience = audience
        self._tokens = GoogleTokens(request, now)

    def email(self, credential: str) -> str | None:
        """Return the verified e-mail address, in small letters; None if the token is not valid for us.

        Raises:
            TryLater: Google's certificates cannot be had.
        """
        claims = self._tokens.claims(credential)
        return verified_email(claims) if claims and claims.get("aud") == self._audience else None


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """Return the address that a token names, in small letters, if Google has verified it."""
    email = claims.get("email")
    return email.lower() if isinstance(email, str) and claims.get("email_verified") is True else None


class GoogleTokens:
    """Reads ID tokens that Google signed, for whomever they were made; thread-safe."""

    def __init__(self, request: Request | None = None, now: Callable[[], float] = time.monotonic) -> None:
        """`request` fetches the certificates (google.auth.transport.Request); None for HTTPS."""
        self._certificates = Kept(request or _fetch, now)

    def claims(self, credential: str) -> Mapping[str, Any] | None:
        """Return what a token says, its signature, issuer and time checked; None if it counts for nothing.

        Whether it was made for us is for the caller to check: `aud`.

        Raises:
            TryLater: Google's certificates cannot be had.
        """
        found = self._verified(credential)
        if found is None and self._certificates.renew_for(_key_id(credential)):
            # Google changes its keys from time to time, and this one may be newer than the certificates kept.
            found = self._verified(credential)
        return found

    def _verified(self, credential: str) -> Mapping[str, Any] | None:
        from google.auth import exceptions
        from google.oauth2 import id_token

        verify: Any = id_token.verify_oauth2_token
        try:
            claims: Mapping[str, Any] = verify(credential, self._certificates, clock_skew_in_seconds=10)
        except exceptions.TransportError as error:
            raise TryLater(f"Google's certificates cannot be had: {error}") from error
        except (exceptions.GoogleAuthError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # Whatever a stranger writes into a token, it is at worst not a token.
            return None
        return claims


def _key_id(credential: str) -> str:
    """Return the key that a token says it was signed with; empty if it names none."""
    from google.auth import exceptions, jwt

    try:
        key = jwt.decode_header(credential).get("kid")  # type: ignore[no-untyped-call]
    except (exceptions.GoogleAuthError, ValueError, TypeError, AttributeError, RecursionError):
        return ""
    return key if isinstance(key, str) else ""


class Kept:
    """Google's `Request`, whose answers are kept; when asking again fails, the last answer holds on."""

    def __init__(self, request: Request, now: Callable[[], float]) -> None:
        """Fetch nothing yet."""
        self._request = request
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Any, float]] = {}
        self._renewals = Buckets(RENEWALS, now)

    def renew_for(self, key: str) -> bool:
        """Fetch anew with the next request, if a key is not among what is kept; not more often than now and then."""
        with self._lock:
            known = any(key in _names(answer) for answer, _ in self._kept.values())
            if not key or known or not self._kept or self._renewals.take(""):
                return False
            self._kept = {url: (answer, 0.0) for url, (answer, _) in self._kept.items()}
            return True

    def __call__(self, url: str, method: str = "GET", **_options: Any) -> Any:
        """Return the answer for a URL. Raises google.auth.exceptions.TransportError if there never was one."""
        from google.auth.exceptions import TransportError

        with self._lock:
            answer, until = self._kept.get(url, (None, 0.0))
            if answer is not None and self._now() < until:
                return answer
            try:
                fresh = self._request(url, method=method, timeout=_FETCH_S)
                failed = None if fresh.status == _OK else f"status {fresh.status}"
            except TransportError as error:
                if answer is None:
                    raise
                failed = str(error)
            if failed and answer is not None:
                log.warning("certificates could not be renewed", reason=failed)
                self._kept[url] = (answer, self._now() + KEEP_ON_FAILURE_S)
                return answer
            if not failed:
                self._kept[url] = (fresh, self._now() + KEEP_S)
            return fresh


def _names(answer: Any) -> Collection[str]:
    """Return the keys of an answer with certificates."""
    try:
        found = json.loads(answer.data)
    except ValueError:
        return ()
    return found if isinstance(found, dict) else ()


def _fetch(url: str, **options: Any) -> Any:
    from google.auth.transport import requests

    request: Any = requests.Request()
    return request(url, **options)
