"""The client of Vertex AI's PipelineService: the channel, and what its errors mean."""

from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from worker.adapters import google_calls
from worker.adapters.google_calls import TRANSIENT, Patience, call
from worker.errors import ColonyError, Rejected, TryLater

__all__ = ["TRANSIENT", "Patience", "call", "client", "meaning"]

_GRANT = (
    "Grant roles/aiplatform.user on the project and iam.serviceAccounts.actAs on the run's service account, "
    "and enable aiplatform.googleapis.com."
)
_MENDS: dict[type[Exception], str] = {
    exceptions.InvalidArgument: "Correct the pipeline or its parameters; Vertex AI says which.",
    exceptions.OutOfRange: "Correct the pipeline or its parameters; Vertex AI says which.",
    exceptions.FailedPrecondition: "Correct the project's set-up; Vertex AI says what is missing.",
    exceptions.PermissionDenied: _GRANT,
    exceptions.MethodNotImplemented: "Check GOOGLE_CLOUD_REGION: Vertex AI Pipelines is not offered everywhere.",
}
#: A run is not to blame for credentials that expired: it waits until they are renewed.
_CREDENTIALS = (exceptions.Unauthenticated, DefaultCredentialsError)
#: A connection that died without a word is found out, and one that was refused is tried again soon.
_CHANNEL = (
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)


def client(region: str, endpoint: str = "") -> Any:
    """Return a PipelineServiceClient.

    Args:
        region: the Google region, whose own host is called.
        endpoint: `host:port` of a stand-in that speaks gRPC in plain text and takes no credentials.

    Raises:
        TryLater: no credentials.
    """
    from google.cloud.aiplatform_v1 import PipelineServiceClient
    from google.cloud.aiplatform_v1.services.pipeline_service.transports.grpc import PipelineServiceGrpcTransport

    if endpoint:
        import grpc

        channel = grpc.insecure_channel(endpoint, _CHANNEL)
    else:
        try:
            host = f"{region}-aiplatform.googleapis.com"
            channel = PipelineServiceGrpcTransport.create_channel(host, options=_CHANNEL)
        except GoogleAuthError as error:
            raise meaning("Vertex AI", error) from error
    return PipelineServiceClient(transport=PipelineServiceGrpcTransport(channel=channel))


def meaning(what: str, error: Exception) -> ColonyError:
    """Return Google's error as one of ours: Rejected where a person has to mend something, else TryLater."""
    found = google_calls.meaning(what, error, _MENDS)
    return TryLater(str(found)) if isinstance(error, _CREDENTIALS) and isinstance(found, Rejected) else found
