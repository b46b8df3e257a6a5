"""Google ID tokens: who signed in, verified by Google's own library against its certificates, which are kept."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from worker.errors import TryLater

log = structlog.get_logger()

_FETCH_S = 5.0
#: How long certificates are believed without asking again, and for how long when asking fails, in seconds.
KEEP_S, KEEP_ON_FAILURE_S = 3600.0, 60.0
_OK = 200
Request = Callable[..., Any]


class GoogleIdentity:
    """Verifies ID tokens made for one audience; thread-safe."""

    def __init__(
        self, audience: str, request: Request | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`request` fetches the certificates (google.auth.transport.Request); None for HTTPS."""
        self._audience = audience
        self._certificates = Kept(request or _fetch, now)

    def email(self, credential: str) -> str | None:
        """Return the verified e-mail address, in small letters; None if the token is not valid for us.

        Raises:
            TryLater: Google's certificates cannot be had.
        """
        from google.auth import exceptions
        from google.oauth2 import id_token

        verify: Any = id_token.verify_oauth2_token
        try:
            claims: Mapping[str, Any] = verify(
                credential, self._certificates, audience=self._audience, clock_skew_in_seconds=10
            )
        except exceptions.TransportError as error:
            raise TryLater(f"Google's certificates cannot be had: {error}") from error
        except (exceptions.GoogleAuthError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            # Whatever a stranger writes into a token, it is at worst not a token.
            return None
        email = claims.get("email")
        return email.lower() if isinstance(email, str) and claims.get("email_verified") is True else None


class Kept:
    """Google's `Request`, whose answers are kept; when asking again fails, the last answer holds on."""

    def __init__(self, request: Request, now: Callable[[], float]) -> None:
        """Fetch nothing yet."""
        self._request = request
        self._now = now
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Any, float]] = {}

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


def _fetch(url: str, **options: Any) -> Any:
    from google.auth.transport import requests

    request: Any = requests.Request()
    return request(url, **options)
