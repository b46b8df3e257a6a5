"""Calls to Vertex AI's PipelineService: the channel, and what its errors mean."""

from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError

from worker.adapters import google_calls
from worker.adapters.google_calls import TRANSIENT, Patience, call
from worker.errors import ColonyError

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


def meaning(what: str, error: Exception) -> ColonyError:
    """Return Google's error as one of ours: Rejected where a person has to mend something, else TryLater."""
    return google_calls.meaning(what, error, _MENDS)
