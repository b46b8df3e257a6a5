"""When a call is sent again, and how long before: only where that cannot do harm, and never before the server says."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from worker.features.client.calls import Call, Unreachable, error_of

if TYPE_CHECKING:
    import httpx

_OK, _NOT_NOW = range(200, 300), (429, 503)
#: Answers of a proxy before us: whether the call came through is not known.
_GATEWAY = (502, 504)


@dataclass(frozen=True)
class Patience:
    """How long a caller waits.

    Attributes:
        attempts: how often a call is sent at most.
        first_wait_s, longest_wait_s: before the second one, doubled each time, and half of it left to chance.
        longest_retry_after_s: a server that asks for more than that is taken at its word: the call fails at once.
        timeout_s: of each attempt, for connecting and between bytes.
    """

    attempts: int = 4
    first_wait_s: float = 0.2
    longest_wait_s: float = 5.0
    longest_retry_after_s: float = 60.0
    timeout_s: float = 10.0


PATIENT = Patience()


class Again(Exception):
    """This attempt failed, and another may go better; `wait_s` is what the server asks for, `error` what to raise."""

    def __init__(self, error: Exception, wait_s: float = 0.0) -> None:
        """Keep both."""
        super().__init__(str(error))
        self.error = error
        self.wait_s = wait_s


def read_answer(call: "Call[Any]", answer: "httpx.Response", patience: Patience) -> Any:
    """Return what an answer means. Raises Again if the call may be sent again, else the error."""
    status = answer.status_code
    if status in _OK:
        return call.read(answer.content)
    error = error_of(status, answer.content)
    # Neither 429 nor 503 was done anything about.
    if status in _NOT_NOW or (status in _GATEWAY and call.repeatable):
        wait_s = retry_after_s(answer.headers.get("retry-after", ""), datetime.now(tz=UTC))
        if wait_s <= patience.longest_retry_after_s:
            raise Again(error, wait_s)
    raise error


def lost(call: "Call[Any]", error: "httpx.TransportError") -> Exception:
    """Return what to raise when there was no answer: Again where nothing was sent, or a second one does no harm."""
    import httpx

    unreachable = Unreachable(f"{call.method} {call.path}: {error or type(error).__name__}")
    never_sent = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
    return Again(unreachable) if call.repeatable or never_sent else unreachable


def retry_after_s(header: str, now: datetime) -> float:
    """Return the seconds of a Retry-After header, in either of its forms; 0 if there is none or it says nothing."""
    try:
        wait_s = float(header)
    except ValueError:
        from email.utils import parsedate_to_datetime

        try:
            wait_s = (parsedate_to_datetime(header) - now).total_seconds()
        except (ValueError, TypeError):
            return 0.0
    return max(wait_s, 0.0) if math.isfinite(wait_s) else 0.0


def controls(patience: Patience) -> dict[str, Any]:
    """Return the arguments of tenacity's Retrying and AsyncRetrying."""
    import tenacity

    backoff = tenacity.wait_exponential_jitter(
        initial=patience.first_wait_s, max=patience.longest_wait_s, jitter=patience.first_wait_s
    )

    def wait(state: tenacity.RetryCallState) -> float:
        asked = state.outcome.exception() if state.outcome else None
        return max(backoff(state), asked.wait_s if isinstance(asked, Again) else 0.0)

    return {
        "retry": tenacity.retry_if_exception_type(Again),
        "stop": tenacity.stop_after_attempt(patience.attempts),
        "wait": wait,
        "reraise": True,
    }
