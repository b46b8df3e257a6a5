"""The project: its number, who has rights in it, and which the caller has."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, call, meaning
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.errors import Rejected, TryLater

_READ_FEATURES = (
    "aiplatform.featureGroups.get",
    "aiplatform.featureGroups.list",
    "aiplatform.featureOnlineStores.get",
    "aiplatform.featureOnlineStores.list",
    "aiplatform.featureViewSyncs.get",
    "aiplatform.featureViewSyncs.list",
    "aiplatform.featureViews.fetchFeatureValues",
    "aiplatform.featureViews.get",
    "aiplatform.featureViews.list",
    "aiplatform.features.get",
    "aiplatform.features.list",
)
_DEPLOY = tuple(f"aiplatform.endpoints.{word}" for word in ("create", "deploy", "get", "list", "undeploy", "update"))
_REGISTER = tuple(f"aiplatform.models.{word}" for word in ("get", "list", "update", "upload"))
_RUN = tuple(f"aiplatform.pipelineJobs.{word}" for word in ("cancel", "create", "get", "list"))

#: What a port's backend needs of the project: port → permissions; Terraform's role of the worker holds the same.
NEEDED: Mapping[str, Sequence[str]] = {
    "engine": _RUN,
    "features": ("bigquery.jobs.create",),
    "online": _READ_FEATURES,
    "models": _REGISTER,
    "serving": _DEPLOY,
    "metrics": ("monitoring.timeSeries.create",),
}
#: The beginning of a permission → a predefined role that has it.
_ROLES = {
    "aiplatform.": "roles/aiplatform.user",
    "bigquery.": "roles/bigquery.jobUser",
    "monitoring.": "roles/monitoring.metricWriter",
}
_ACT_AS = "iam.serviceAccounts.actAs"


def rights(place: Place) -> str:
    """Check what the caller may do in the project, of what the backends in use need."""
    wanted = [permission for port in place.used for permission in NEEDED.get(port, ())]
    if _unasked(place) or not wanted:
        return _unasked(place) or "nothing is needed"
    request = {"resource": f"projects/{place.project}", "permissions": wanted}
    with closing(_Projects(place)) as projects:
        held = set(projects.ask("test_iam_permissions", request).permissions)
    missing = [permission for permission in wanted if permission not in held]
    if missing:
        roles = dict.fromkeys(
            role for permission in missing for start, role in _ROLES.items() if permission.startswith(start)
        )
        mend = " && ".join(
            f"gcloud projects add-iam-policy-binding {place.project} --member={place.member} --role={role}"
            for role in roles
        )
        raise Rejected(f"{place.member} lacks {', '.join(missing)}", field=f"projects/{place.project}", mend=mend)
    return f"{place.member} has the {len(wanted)} permissions that the worker needs"


def steps_account(place: Place) -> str:
    """Check that the caller may start pipelines that act as the steps' account."""
    account = place.steps_account
    if _unasked(place):
        return _unasked(place)
    if not account:
        return "steps act as Compute Engine's default account"
    from google.auth.transport.requests import AuthorizedSession

    base = place.stand_ins.get("iam", "https://iam.googleapis.com")
    authorized: Any = AuthorizedSession
    session = authorized(place.credentials)
    try:
        answer = session.post(
            f"{base}/v1/projects/-/serviceAccounts/{account}:testIamPermissions",
            json={"permissions": [_ACT_AS]},
            timeout=PATIENCE.attempt_s,
        )
    except (OSError, *GOOGLE) as error:
        raise TryLater(f"{account}: {error}") from error
    if answer.ok and _ACT_AS in answer.json().get("permissions", ()):
        return f"{place.member} may act as {account}"
    if answer.status_code >= 500:
        raise TryLater(f"{account}: {answer.status_code} {answer.reason}")
    mend = (
        f"gcloud iam service-accounts add-iam-policy-binding {account} --project={place.project} "
        f"--member={place.member} --role=roles/iam.serviceAccountUser"
    )
    reason = f"{place.member} may not act as it, or it does not exist"
    raise Rejected(reason, field=f"COLONY_VERTEX_SERVICE_ACCOUNT {account}", mend=mend)


def project_number(place: Place) -> str:
    """Return the project's number, by which Google's own accounts are named. Raises Rejected, TryLater."""
    with closing(_Projects(place)) as projects:
        name: str = projects.ask("get_project", {"name": f"projects/{place.project}"}).name
    return name.removeprefix("projects/")


def project_members(place: Place, role: str) -> Sequence[str]:
    """Return who has a role in the whole project; nobody, if the caller may not know."""
    with closing(_Projects(place)) as projects:
        try:
            policy = projects.raw("get_iam_policy", {"resource": f"projects/{place.project}"})
        except exceptions.PermissionDenied:
            return ()
    return [member for binding in policy.bindings if binding.role == role for member in binding.members]


def _unasked(place: Place) -> str:
    asked = "projects" in place.stand_ins or not place.imitated
    return "" if asked else f"not asked: a stand-in knows no rights ({place.imitated})"


class _Projects:
    """A client of Resource Manager."""

    def __init__(self, place: Place) -> None:
        from google.cloud.resourcemanager_v3 import ProjectsClient
        from google.cloud.resourcemanager_v3.services.projects.transports.grpc import ProjectsGrpcTransport

        self._place = place
        self._client: Any
        address = place.stand_ins.get("projects")
        if address:
            import grpc

            self._client = ProjectsClient(transport=ProjectsGrpcTransport(channel=grpc.insecure_channel(address)))
        else:
            self._client = ProjectsClient(credentials=place.credentials)

    def raw(self, method: str, request: Mapping[str, Any]) -> Any:
        """Call a method; Google's errors pass through."""
        return call(getattr(self._client, method), request, PATIENCE)

    def ask(self, method: str, request: Mapping[str, Any]) -> Any:
        """Call a method. Raises Rejected, TryLater, NotFound."""
        try:
            return self.raw(method, request)
        except GOOGLE as error:
            project = self._place.project
            mends: dict[type[Exception], str] = {
                exceptions.PermissionDenied: f"gcloud services enable cloudresourcemanager.googleapis.com "
                f"--project={project}; or grant roles/browser, or correct GOOGLE_CLOUD_PROJECT",
            }
            raise meaning(f"projects/{project}", error, mends) from error

    def close(self) -> None:
        """Close the channel."""
        self._client.transport.close()
