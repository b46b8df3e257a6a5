"""Calls to Google's gRPC services: patience, retry with back-off, and errors in our own words.

The generated clients of Vertex AI have no time-out and no retry of their own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import tenacity
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError

from worker.errors import ColonyError, NotFound, Rejected, TryLater

TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.Aborted,
    exceptions.Unknown,
)
#: Whatever a call can raise.
GOOGLE = (exceptions.GoogleAPICallError, exceptions.RetryError, GoogleAuthError)
#: What to do about an error, whichever service it comes from; a service adds its own.
MENDS: Mapping[type[Exception], str] = {
    exceptions.Unauthenticated: "Check GOOGLE_APPLICATION_CREDENTIALS or the service account.",
    DefaultCredentialsError: "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
}
#: How gRPC begins what it says of credentials that gave no token for a call.
_FROM_CREDENTIALS = "Getting metadata from plugin failed"
_RENEW = (
    "Renew them: `gcloud auth application-default login`, a new key in GOOGLE_APPLICATION_CREDENTIALS, "
    "or see that the service account is enabled; what waits goes on by itself"
)


@dataclass(frozen=True)
class Patience:
    """How long a call may take, in seconds: one attempt, all attempts, and the pauses between them."""

    attempt_s: float = 10.0
    total_s: float = 20.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0


def call(
    method: Callable[..., Any],
    request: Mapping[str, Any],
    patience: Patience,
    *,
    transient: tuple[type[Exception], ...] = TRANSIENT,
) -> Any:
    """Call a method of a client, again with back-off while the fault is transient; Google's errors pass through.

    Only for what may be done twice; for anything else there is `call_once`.
    """
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(transient),
        wait=tenacity.wait_random_exponential(multiplier=patience.first_pause_s, max=patience.longest_pause_s),
        stop=tenacity.stop_before_delay(patience.total_s),
        reraise=True,
    )
    return attempts(call_once, method, request, patience)


def call_once(method: Callable[..., Any], request: Mapping[str, Any], patience: Patience) -> Any:
    """Call a method of a client once; whether a transient fault came before or after the effect nobody knows."""
    return method(request=request, timeout=patience.attempt_s, retry=None)


def meaning(what: str, error: Exception, mends: Mapping[type[Exception], str] = MENDS) -> ColonyError:
    """Return Google's error as one of ours: Rejected where a person has to mend something, else TryLater."""
    reason = str(getattr(error, "message", None) or error).rstrip(".")
    if isinstance(error, exceptions.NotFound):
        return NotFound(f"{what}: {reason}")
    if isinstance(error, RefreshError) or _FROM_CREDENTIALS in reason:
        return TryLater(f"{what}: the credentials could not be refreshed ({reason}). {_RENEW}")
    mend = next((mend for kind, mend in {**mends, **MENDS}.items() if isinstance(error, kind)), "")
    return Rejected(reason, field=what, mend=mend) if mend else TryLater(f"{what}: {reason}")
