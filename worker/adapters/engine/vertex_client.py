"""Calls to Vertex AI's PipelineService: the channel, the patience, and errors in our own words.

The generated client has no timeout and no retry of its own for this service.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tenacity
from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from worker.errors import ColonyError, NotFound, Rejected, TryLater

TRANSIENT = (
    exceptions.ServiceUnavailable,
    exceptions.DeadlineExceeded,
    exceptions.InternalServerError,
    exceptions.ResourceExhausted,
    exceptions.Aborted,
    exceptions.Unknown,
)
_GRANT = (
    "Grant roles/aiplatform.user on the project and iam.serviceAccounts.actAs on the run's service account, "
    "and enable aiplatform.googleapis.com."
)
_MENDS: dict[type[Exception], str] = {
    exceptions.InvalidArgument: "Correct the pipeline or its parameters; Vertex AI says which.",
    exceptions.OutOfRange: "Correct the pipeline or its parameters; Vertex AI says which.",
    exceptions.FailedPrecondition: "Correct the project's set-up; Vertex AI says what is missing.",
    exceptions.PermissionDenied: _GRANT,
    exceptions.Unauthenticated: "Check GOOGLE_APPLICATION_CREDENTIALS or the service account.",
    exceptions.MethodNotImplemented: "Check GOOGLE_CLOUD_REGION: Vertex AI Pipelines is not offered everywhere.",
    DefaultCredentialsError: "Run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS.",
}


@dataclass(frozen=True)
class Patience:
    """How long a call may take, in seconds: one attempt, all attempts, and the pauses between them."""

    attempt_s: float = 10.0
    total_s: float = 20.0
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0


def client(region: str, endpoint: str = "") -> Any:
    """Return a PipelineServiceClient.

    Args:
        region: the Google region, whose own host is called.
        endpoint: `host:port` of a stand-in that speaks gRPC in plain text and takes no credentials.

    Raises:
        Rejected: no credentials.
    """
    from google.cloud.aiplatform_v1 import PipelineServiceClient
    from google.cloud.aiplatform_v1.services.pipeline_service.transports.grpc import PipelineServiceGrpcTransport

    if endpoint:
        import grpc

        return PipelineServiceClient(transport=PipelineServiceGrpcTransport(channel=grpc.insecure_channel(endpoint)))
    try:
        return PipelineServiceClient(client_options={"api_endpoint": f"{region}-aiplatform.googleapis.com"})
    except GoogleAuthError as error:
        raise meaning("Vertex AI", error) from error


def call(method: Callable[..., Any], request: dict[str, Any], patience: Patience) -> Any:
    """Call a method of the client, again with back-off while the fault is transient; Google's errors pass through."""
    attempts = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TRANSIENT),
        wait=tenacity.wait_random_exponential(multiplier=patience.first_pause_s, max=patience.longest_pause_s),
        stop=tenacity.stop_before_delay(patience.total_s),
        reraise=True,
    )
    return attempts(method, request=request, timeout=patience.attempt_s, retry=None)


def meaning(what: str, error: Exception) -> ColonyError:
    """Return Google's error as one of ours: Rejected where a person has to mend something, else TryLater."""
    reason = str(getattr(error, "message", None) or error).rstrip(".")
    if isinstance(error, exceptions.NotFound):
        return NotFound(f"{what}: {reason}")
    mend = next((mend for kind, mend in _MENDS.items() if isinstance(error, kind)), "")
    return Rejected(reason, field=what, mend=mend) if mend else TryLater(f"{what}: {reason}")
