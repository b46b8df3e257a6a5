"""The clients of Vertex AI's ModelService and EndpointService: their channels, and what their errors mean."""

from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError

from worker.adapters import google_calls
from worker.errors import ColonyError, Conflict, NotFound, Rejected

_GRANT = (
    "Grant roles/aiplatform.user on the project, iam.serviceAccounts.actAs on the service account of the endpoint, "
    "and roles/storage.objectViewer on the bucket and roles/artifactregistry.reader to Vertex AI's service agent."
)
_MENDS: dict[type[Exception], str] = {
    exceptions.InvalidArgument: "Correct the setting that Vertex AI names.",
    exceptions.OutOfRange: "Correct the setting that Vertex AI names.",
    exceptions.FailedPrecondition: "Vertex AI says what is missing, or what it has to finish first.",
    exceptions.PermissionDenied: _GRANT,
    exceptions.MethodNotImplemented: "Check GOOGLE_CLOUD_REGION: Vertex AI's models are not offered everywhere.",
}
#: After these nobody knows whether the call had an effect; one that is cut off as the process ends is cancelled.
_UNKNOWN = (*google_calls.TRANSIENT, exceptions.Cancelled)
#: A connection that died without a word is found out, and one that was refused is tried again soon.
_CHANNEL = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
)


def clients(region: str, endpoint: str = "") -> tuple[Any, Any]:
    """Return a ModelServiceClient and an EndpointServiceClient.

    Args:
        region: the Google region, whose own host is called.
        endpoint: `host:port` of a stand-in that speaks gRPC in plain text and takes no credentials.

    Raises:
        Rejected: no credentials.
    """
    from google.cloud.aiplatform_v1 import EndpointServiceClient, ModelServiceClient

    return _made(ModelServiceClient, region, endpoint), _made(EndpointServiceClient, region, endpoint)


def _made(kind: Any, region: str, endpoint: str) -> Any:
    transport = kind.get_transport_class("grpc")
    if endpoint:
        import grpc

        return kind(transport=transport(channel=grpc.insecure_channel(endpoint, _CHANNEL)))
    host = f"{region}-aiplatform.googleapis.com"
    try:
        return kind(transport=transport(channel=transport.create_channel(host, options=_CHANNEL)))
    except GoogleAuthError as error:
        raise meaning("Vertex AI", error) from error


def meaning(what: str, error: Exception) -> ColonyError:
    """Return Google's error as one of ours: TryLater only where it is not known whether the call had an effect."""
    if isinstance(error, exceptions.NotFound):
        return NotFound(f"{what}: {error.message}")
    if isinstance(error, exceptions.AlreadyExists):
        return Conflict(f"{what}: {error.message}")
    found = google_calls.meaning(what, error, _MENDS)
    if isinstance(error, exceptions.ClientError) and not isinstance(error, _UNKNOWN):
        return found if isinstance(found, Rejected) else Rejected(str(found), field=what)
    return found
