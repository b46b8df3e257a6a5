"""What every call to Pub/Sub has in common: names, patience, and errors in our own words."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type

from worker.adapters.google_calls import GOOGLE, MENDS, TRANSIENT
from worker.errors import ColonyError, Rejected, TryLater

#: One attempt of a call, and all its attempts together, in seconds.
ATTEMPT_S = 10.0
TOTAL_S = 20.0

_MENDS: Mapping[type[Exception], str] = {
    exceptions.NotFound: "Create it with `colony pubsub init` or Terraform, and check its name and project.",
    exceptions.PermissionDenied: "Grant roles/pubsub.subscriber or publisher, and roles/pubsub.viewer for this check.",
    **MENDS,
    exceptions.InvalidArgument: "Check the names of project, topic and subscription.",
}


def path(project: str, kind: str, name: str) -> str:
    """Return the full name of a topic or subscription; one that is full already stays as it is."""
    return name if name.startswith("projects/") else f"projects/{project}/{kind}/{name}"


def retrying() -> Retry:
    """Return the retry with back-off that the client library applies to one call."""
    return Retry(
        predicate=if_exception_type(*TRANSIENT), initial=0.1, multiplier=2.0, maximum=2.0, timeout=TOTAL_S - ATTEMPT_S
    )


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise Google's errors as TryLater: a live bus may come back, and what was taken is not lost."""
    try:
        yield
    except GOOGLE as error:
        raise TryLater(_words(what, error)) from error
    except ValueError as error:
        if "closed channel" not in str(error):
            raise
        raise TryLater(f"{what}: this process ends") from error


@contextmanager
def verified(what: str) -> Iterator[None]:
    """Raise what a person has to mend as Rejected, and the rest as TryLater."""
    try:
        yield
    except GOOGLE as error:
        raise _verdict(what, error) from error


def _verdict(what: str, error: Exception) -> ColonyError:
    mend = _mend(error)
    return Rejected(_reason(error), field=what, mend=mend) if mend else TryLater(_words(what, error))


def _words(what: str, error: Exception) -> str:
    return " ".join(filter(None, (f"{what}: {_reason(error)}.", _mend(error))))


def _reason(error: Exception) -> str:
    last = getattr(error, "cause", None) or error  # a retry that ran out of time holds what it last met
    return str(getattr(last, "message", None) or last).rstrip(".")


def _mend(error: Exception) -> str:
    return next((mend for kind, mend in _MENDS.items() if isinstance(error, kind)), "")
