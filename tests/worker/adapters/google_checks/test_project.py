from collections.abc import Callable, Iterable
from typing import Any

import grpc
import pytest
from google.iam.v1 import iam_policy_pb2, policy_pb2

from tests.worker.adapters.google_checks.answers import Answers
from tests.worker.adapters.google_checks.conftest import NAMES, PROJECT, WORKER, RestServer
from worker.adapters.google_checks import project
from worker.adapters.google_checks.project import NEEDED
from worker.errors import Rejected, TryLater

Placed = Callable[..., Any]
ALL = {permission for permissions in NEEDED.values() for permission in permissions}


def holds(google: Answers, held: Iterable[str]) -> None:
    """Let the caller have these permissions."""

    def make(asked: Any) -> Any:
        both = [permission for permission in asked.permissions if permission in set(held)]
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=both)

    google.answers["TestIamPermissions"] = make


def test_all_that_the_worker_needs_is_asked_for(place: Placed, google: Answers) -> None:
    """One call names every permission of the backends in use, and no other."""
    holds(google, ALL)

    said = project.rights(place({"projects": google.address}))

    assert said == f"serviceAccount:{WORKER} has the {len(ALL)} permissions that the worker needs"
    (asked,) = google.asked
    assert (asked.resource, set(asked.permissions)) == (f"projects/{PROJECT}", ALL)


def test_what_is_missing_is_told_with_the_grants(place: Placed, google: Answers) -> None:
    """Missing permissions are named, and the commands grant a role for each kind to whoever asks."""
    holds(google, ALL - {"aiplatform.pipelineJobs.create", "monitoring.timeSeries.create"})

    with pytest.raises(Rejected) as refused:
        project.rights(place({"projects": google.address}))

    assert "lacks aiplatform.pipelineJobs.create, monitoring.timeSeries.create" in refused.value.reason
    grant = f"gcloud projects add-iam-policy-binding {PROJECT} --member=serviceAccount:{WORKER} --role=roles/"
    assert refused.value.mend == f"{grant}aiplatform.user && {grant}monitoring.metricWriter"


def test_only_what_is_used_is_needed(place: Placed, google: Answers) -> None:
    """A colony that only takes its events from Google needs nothing of the project."""
    assert project.rights(place({"projects": google.address}, used={"bus": "pubsub"})) == "nothing is needed"
    assert google.asked == []


def test_a_stand_in_is_not_asked_for_rights(place: Placed) -> None:
    """Where Vertex AI is imitated nothing is asked of Google."""
    said = project.rights(place({"vertex": "127.0.0.1:1"}))

    assert said == "not asked: a stand-in knows no rights (vertex at 127.0.0.1:1)"
    assert project.steps_account(place({"vertex": "127.0.0.1:1"})) == said


@pytest.mark.parametrize(
    ("code", "kind", "word"),
    [
        (grpc.StatusCode.PERMISSION_DENIED, Rejected, "services enable cloudresourcemanager"),
        (grpc.StatusCode.UNAUTHENTICATED, Rejected, "GOOGLE_APPLICATION_CREDENTIALS"),
        (grpc.StatusCode.INVALID_ARGUMENT, TryLater, "projects/colony-test"),
    ],
)
def test_what_google_refuses_is_said_in_our_words(
    place: Placed, google: Answers, code: grpc.StatusCode, kind: type[Exception], word: str
) -> None:
    """What a person has to mend is told with the mend, the rest may come back."""
    google.refuse("TestIamPermissions", code)
    with pytest.raises(kind, match=word):
        project.rights(place({"projects": google.address}))


def test_the_worker_may_act_as_the_steps_account(place: Placed, rest: RestServer) -> None:
    """The account is asked who may act as it; a right that is missing is told with its grant."""
    account = NAMES["steps_account"]
    asked = f"POST /v1/projects/-/serviceAccounts/{account}:testIamPermissions"
    where = place({"iam": rest.url, "projects": "nobody"})
    rest.answers[asked] = (200, {"permissions": ["iam.serviceAccounts.actAs"]})

    assert project.steps_account(where) == f"serviceAccount:{WORKER} may act as {account}"
    assert rest.calls == [(asked, {"permissions": ["iam.serviceAccounts.actAs"]})]

    rest.answers[asked] = (200, {})
    with pytest.raises(Rejected) as refused:
        project.steps_account(where)
    assert refused.value.mend == (
        f"gcloud iam service-accounts add-iam-policy-binding {account} --project={PROJECT} "
        f"--member=serviceAccount:{WORKER} --role=roles/iam.serviceAccountUser"
    )
    rest.answers[asked] = (503, {})
    with pytest.raises(TryLater, match="503"):
        project.steps_account(where)


def test_without_an_account_of_their_own_steps_take_the_default(place: Placed) -> None:
    """Nothing is asked then."""
    assert "default account" in project.steps_account(place(steps_account=""))


def test_members_of_a_role_are_nobody_to_whoever_may_not_know(place: Placed, google: Answers) -> None:
    """A policy that may not be read has no members."""
    where = place({"projects": google.address})
    policy = policy_pb2.Policy(bindings=[policy_pb2.Binding(role="roles/x", members=["user:ada@example.org"])])
    google.answers["GetIamPolicy"] = lambda _: policy
    assert list(project.project_members(where, "roles/x")) == ["user:ada@example.org"]
    assert list(project.project_members(where, "roles/y")) == []
    google.refuse("GetIamPolicy", grpc.StatusCode.PERMISSION_DENIED)
    assert list(project.project_members(where, "roles/x")) == []
