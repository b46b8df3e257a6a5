"""Credentials that are missing, expired or revoked: everything waits with a clear word, and nothing fails for it."""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError
from google.auth.transport.grpc import AuthMetadataPlugin
from google.cloud.aiplatform_v1 import PipelineServiceClient
from google.cloud.aiplatform_v1.services.pipeline_service.transports.grpc import PipelineServiceGrpcTransport

from tests.worker.adapters.engine.vertex_server import SERVICE, Fault, VertexServer
from tests.worker.adapters.engine.vertex_world import PATIENCE, QUOTA, engine_at
from tests.worker.engine.recipe import Recipe
from worker.adapters.engine.vertex import VertexEngine
from worker.adapters.engine.vertex_calls import Calls
from worker.adapters.engine.vertex_client import Patience, client
from worker.errors import TryLater
from worker.runs.port import Submission


class Expiring(Credentials):  # type: ignore[misc, unused-ignore]
    """Credentials that give no token while they are `expired`, as a key that was deleted."""

    def __init__(self) -> None:
        """Begin with a token."""
        super().__init__()  # type: ignore[no-untyped-call, unused-ignore]
        self.expired_for_good = False

    def refresh(self, _request: Any) -> None:
        """Get a token."""
        if self.expired_for_good:
            raise RefreshError("invalid_grant: Invalid JWT Signature.")
        self.token = "token"

    def before_request(self, request: Any, _method: str, _url: str, headers: dict[str, str]) -> None:
        """Get a token for each call, so that its loss is felt at once."""
        self.refresh(request)
        headers["authorization"] = f"Bearer {self.token}"


@pytest.fixture(name="server")
def _server() -> Iterator[VertexServer]:
    server = VertexServer(advance_on_get=True)
    yield server
    server.close()


@pytest.fixture(name="credentials")
def _credentials() -> Expiring:
    return Expiring()


@pytest.fixture(name="engine")
def _engine(server: VertexServer, credentials: Expiring) -> Iterator[VertexEngine]:
    """Give an engine whose calls carry credentials, which gRPC allows on a Unix socket (whose path must be short)."""
    folder = tempfile.mkdtemp(prefix="v-")
    address = f"unix:{folder}/s"
    secure = grpc.server(ThreadPoolExecutor(2))
    secure.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, server._handlers()),))
    secure.add_secure_port(address, grpc.local_server_credentials(grpc.LocalConnectionType.UDS))
    secure.start()

    def make() -> PipelineServiceClient:
        plugin = grpc.metadata_call_credentials(AuthMetadataPlugin(credentials, lambda: None))
        both = grpc.composite_channel_credentials(grpc.local_channel_credentials(grpc.LocalConnectionType.UDS), plugin)
        return PipelineServiceClient(transport=PipelineServiceGrpcTransport(channel=grpc.secure_channel(address, both)))

    patience = Patience(attempt_s=5.0, total_s=0.05, first_pause_s=0.001, longest_pause_s=0.01)
    engine = VertexEngine("my-project", "europe-west1", Calls(make, patience, QUOTA, rest_s=0.0))
    yield engine
    engine.close()
    secure.stop(None)
    shutil.rmtree(folder)


def submission() -> Submission:
    """Return a run of one step."""
    labels = {"installation": "here", "run": "run-1"}
    return Submission("run-1", Recipe().step("only").document, {}, "gs://bucket/runs", labels)


def test_credentials_that_expire(server: VertexServer, engine: VertexEngine, credentials: Expiring) -> None:
    """While no token is to be had every call waits and says what renews it; with one again all goes on."""
    engine.submit(submission())
    credentials.expired_for_good = True
    asked = len(server.calls)

    for ask in (
        lambda: engine.submit(submission()),
        lambda: engine.state("run-1"),
        lambda: engine.cancel("run-1"),
        lambda: engine.glance("here", ["run-1", "run-2"]),
        engine.verify,
    ):
        with pytest.raises(TryLater, match=r"credentials could not be refreshed.*Renew them"):
            ask()
    assert len(server.calls) == asked

    credentials.expired_for_good = False
    assert engine.state("run-1").steps
    engine.verify()


def test_a_token_that_is_not_taken(server: VertexServer) -> None:
    """UNAUTHENTICATED makes no run fail: it waits, and what to check is told."""
    engine = engine_at(server.address)
    server.fail("CreatePipelineJob", Fault(grpc.StatusCode.UNAUTHENTICATED))

    with pytest.raises(TryLater, match="GOOGLE_APPLICATION_CREDENTIALS"):
        engine.submit(submission())
    engine.submit(submission())
    engine.close()

    assert len(server.jobs) == 1


def test_a_machine_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no credentials are found nothing fails either, and the check says how to get some."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    engine = VertexEngine("p", "r", Calls(lambda: client("europe-west1"), PATIENCE, QUOTA))

    for ask in (lambda: engine.submit(submission()), engine.verify):
        with pytest.raises(TryLater, match="gcloud auth application-default login"):
            ask()
    engine.close()


def test_an_error_of_the_library_itself() -> None:
    """A client that cannot even be made for want of a token says the same."""

    def make() -> None:
        raise RefreshError("reauth is needed")

    engine = VertexEngine("p", "r", Calls(make, PATIENCE, QUOTA))

    with pytest.raises(TryLater, match=r"reauth is needed.*Renew them"):
        engine.state("run-1")
