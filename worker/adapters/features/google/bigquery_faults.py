"""What BigQuery's errors mean: what passes by itself, what has had no effect, and what a person has to mend."""

from collections.abc import Iterator
from contextlib import contextmanager

from google.api_core import exceptions

from worker.adapters.features.google.warehouse import Absent
from worker.adapters.google_calls import GOOGLE, MENDS, meaning
from worker.errors import TryLater

_INIT = "Run `colony features init`, and check FEATURE_STORE_NAME, FEATURE_STORE_REGION and GOOGLE_CLOUD_PROJECT."
_GRANT = "Grant roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the data set."
_MENDS: dict[type[Exception], str] = {
    exceptions.Forbidden: _GRANT,
    exceptions.Unauthorized: MENDS[exceptions.Unauthenticated],
    exceptions.BadRequest: _INIT,
}
#: Reasons for which a job is broken off without effect, or a call refused, though nothing is wrong with it.
_PASSING = frozenset(
    {
        "backendError",
        "internalError",
        "badGateway",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "quotaExceeded",
        "tableUnavailable",
    }
)
#: What a statement that names a dropped column is told.
_NO_COLUMN = ("Unrecognized name", "not found inside", "is not present in table")
_ABORTED = "aborted due to concurrent update"


class Again(Exception):
    """A job ended without effect, and may simply be run again."""


def _reasons(error: BaseException) -> set[str]:
    return {str(one.get("reason", "")) for one in getattr(error, "errors", None) or () if isinstance(one, dict)}


def passing(error: exceptions.GoogleAPICallError) -> bool:
    """Tell whether a job that ended with this may simply be run again."""
    if _ABORTED in str(error):
        return True
    if isinstance(error, exceptions.InternalServerError | exceptions.ServiceUnavailable):
        return True
    return bool(_reasons(error) & (_PASSING - {"quotaExceeded"}))


def unknown_end(error: BaseException) -> bool:
    """Tell whether a call may have had its effect, or may have it the next time."""
    if isinstance(error, exceptions.ServerError | exceptions.TooManyRequests | OSError):
        return True
    return isinstance(error, exceptions.GoogleAPICallError) and bool(_reasons(error) & (_PASSING - {"quotaExceeded"}))


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what Google's client and the HTTP library below it raise as errors of ours."""
    try:
        yield
    except Again as error:
        raise TryLater(f"{what}: {error.__cause__}") from error
    except GOOGLE as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) and error.cause else error
        if _reasons(cause) & _PASSING or isinstance(cause, OSError):
            raise TryLater(f"{what}: {cause}") from error
        if isinstance(cause, exceptions.NotFound) or any(word in str(cause) for word in _NO_COLUMN):
            raise Absent(str(cause).rstrip("."), field=what, mend=_INIT) from error
        raise meaning(what, cause, _MENDS) from error
    except OSError as error:
        # Time-outs and the HTTP library's errors are OSErrors.
        raise TryLater(f"{what}: {error}") from error
