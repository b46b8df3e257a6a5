"""The services that a check-up asks, on the shared gRPC server: a test says what each method answers."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.cloud.resourcemanager_v3.types import GetProjectRequest, Project
from google.iam.v1 import iam_policy_pb2, policy_pb2

from tests.google_server import GoogleServer, Rpc, plain, plus

Body = Callable[[Any, grpc.ServicerContext], Any]


class Refusal(Exception):
    """Raised by an answer: the call ends with this status."""

    def __init__(self, code: grpc.StatusCode) -> None:
        """Keep the status."""
        super().__init__(code.name)
        self.code = code


class Answers:
    """One server of the services; `answers` is method name -> what makes its answer."""

    def __init__(self, services: Callable[[Callable[[str], Body]], Mapping[str, Mapping[str, Rpc]]]) -> None:
        """Listen; `services` is given what makes a method's body."""
        self.answers: dict[str, Callable[[Any], Any]] = {}
        self.server = GoogleServer(services(self._body))

    @property
    def address(self) -> str:
        """`host:port`."""
        return self.server.address

    @property
    def asked(self) -> list[Any]:
        """The requests that came."""
        return [request for _, request in self.server.calls]

    def refuse(self, method: str, code: grpc.StatusCode) -> None:
        """Let a method end with a status from now on."""

        def make(_asked: Any) -> Any:
            raise Refusal(code)

        self.answers[method] = make

    def _body(self, method: str) -> Body:
        def body(asked: Any, context: grpc.ServicerContext) -> Any:
            if method not in self.answers:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{method} was told no answer")
            try:
                return self.answers[method](asked)
            except Refusal as refusal:
                context.abort(refusal.code, str(refusal))

        return body


def rights(body: Callable[[str], Body]) -> Mapping[str, Mapping[str, Rpc]]:
    """Return Resource Manager's projects, and the policies of any service's resources."""
    policies = {
        "GetIamPolicy": plain(body("GetIamPolicy"), iam_policy_pb2.GetIamPolicyRequest, policy_pb2.Policy),
        "TestIamPermissions": plain(
            body("TestIamPermissions"),
            iam_policy_pb2.TestIamPermissionsRequest,
            iam_policy_pb2.TestIamPermissionsResponse,
        ),
    }
    project = {"GetProject": plus(body("GetProject"), GetProjectRequest, Project)}
    return {"google.iam.v1.IAMPolicy": policies, "google.cloud.resourcemanager.v3.Projects": {**policies, **project}}
