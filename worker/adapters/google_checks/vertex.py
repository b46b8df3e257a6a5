"""Vertex AI: the online store with its views, the endpoints of models, and the list of pipeline jobs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, call, meaning
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.checkup import Doubt
from worker.errors import Rejected

_GRANT = "gcloud projects add-iam-policy-binding {project} --member={member} --role=roles/aiplatform.user"


def online_store(place: Place) -> str | Doubt:
    """Check that the online store is there and that something is served from it."""
    from google.cloud.aiplatform_v1 import FeatureOnlineStoreAdminServiceClient as Client

    parent = f"projects/{place.project}/locations/{place.store_region}/featureOnlineStores/{place.store}"
    mend = "colony features init"
    with _client(place, Client, place.store_region, parent) as client:
        try:
            call(client.get_feature_online_store, {"name": parent}, PATIENCE)
        except exceptions.NotFound as error:
            raise Rejected("does not exist", field=parent, mend=mend) from error
        views = [view.name.rpartition("/")[2] for view in call(client.list_feature_views, {"parent": parent}, PATIENCE)]
    return f"{place.store} serves {', '.join(views)}" if views else Doubt(f"{parent} serves no view yet", mend)


def endpoints(place: Place) -> str:
    """Check that endpoints can be listed."""
    from google.cloud.aiplatform_v1 import EndpointServiceClient as Client

    parent = f"projects/{place.project}/locations/{place.region}"
    with _client(place, Client, place.region, parent) as client:
        found = list(call(client.list_endpoints, {"parent": parent}, PATIENCE))
    deployed = sum(len(endpoint.deployed_models) for endpoint in found)
    return f"{len(found)} endpoints with {deployed} deployed models"


def one_job(place: Place) -> str:
    """List one pipeline job."""
    from google.cloud.aiplatform_v1 import PipelineServiceClient as Client

    parent = f"projects/{place.project}/locations/{place.region}"
    with _client(place, Client, place.region, parent) as client:
        answer = call(client.list_pipeline_jobs, {"parent": parent, "page_size": 1}, PATIENCE)
        newest = next(iter(answer.pipeline_jobs), None)
    return f"the newest is {newest.name.rpartition('/')[2]}: {newest.state.name}" if newest else "there is none yet"


@contextmanager
def _client(place: Place, kind: Any, region: str, what: str) -> Iterator[Any]:
    """Give a client of the region's own host, or of the stand-in; Google's errors are raised in our own words."""
    stand_in = place.stand_ins.get("vertex")
    try:
        if stand_in:
            import grpc

            channel = grpc.insecure_channel(stand_in)
            client = kind(transport=kind.get_transport_class("grpc")(channel=channel))
        else:
            options = {"api_endpoint": f"{region}-aiplatform.googleapis.com"}
            client = kind(credentials=place.credentials, client_options=options)
        with client:
            yield client
    except GOOGLE as error:
        member = "MEMBER" if stand_in else place.member
        mends: dict[type[Exception], str] = {
            exceptions.PermissionDenied: _GRANT.format(project=place.project, member=member),
            exceptions.MethodNotImplemented: "correct the region: the service is not offered everywhere",
        }
        raise meaning(what, error, mends) from error
