from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.api import metric_pb2
from google.cloud.aiplatform_v1 import types
from google.cloud.monitoring_v3 import types as monitoring
from google.protobuf import empty_pb2

from tests.google_server import Rpc, answering, plus
from tests.worker.adapters.google_checks.answers import Answers, Body
from tests.worker.adapters.google_checks.conftest import PROJECT
from worker.adapters.google_checks import checks, live_checks, metrics, vertex
from worker.adapters.metrics.monitoring import metric_type
from worker.checkup import Doubt
from worker.errors import Rejected
from worker.telemetry import METRICS

Placed = Callable[..., Any]
STORE = f"projects/{PROJECT}/locations/europe-west1/featureOnlineStores/colony"


def services(body: Callable[[str], Body]) -> Mapping[str, Mapping[str, Rpc]]:
    """Return what of Vertex AI and Monitoring a check-up asks."""

    def method(name: str) -> Rpc:
        request = getattr(types, f"{name}Request")
        answers = {"GetFeatureOnlineStore": types.FeatureOnlineStore}
        return plus(body(name), request, answers.get(name) or getattr(types, f"{name}Response"))

    return {
        "google.cloud.aiplatform.v1.FeatureOnlineStoreAdminService": {
            name: method(name) for name in ("GetFeatureOnlineStore", "ListFeatureViews")
        },
        "google.cloud.aiplatform.v1.EndpointService": {"ListEndpoints": method("ListEndpoints")},
        "google.cloud.aiplatform.v1.PipelineService": {"ListPipelineJobs": method("ListPipelineJobs")},
        "google.monitoring.v3.MetricService": {
            "ListMetricDescriptors": plus(
                body("ListMetricDescriptors"),
                monitoring.ListMetricDescriptorsRequest,
                monitoring.ListMetricDescriptorsResponse,
            ),
            "CreateTimeSeries": answering(
                body("CreateTimeSeries"), monitoring.CreateTimeSeriesRequest, empty_pb2.Empty
            ),
        },
    }


@pytest.fixture(name="cloud")
def _cloud() -> Iterator[Answers]:
    answers = Answers(services)
    yield answers
    answers.server.close()


def test_an_online_store_serves_its_views(place: Placed, cloud: Answers) -> None:
    """Its views are named; one without any is a doubt, a missing one wrong, each with the command."""
    where = place({"vertex": cloud.address})
    cloud.refuse("GetFeatureOnlineStore", grpc.StatusCode.NOT_FOUND)
    with pytest.raises(Rejected, match="does not exist") as refused:
        vertex.online_store(where)
    assert (refused.value.field, refused.value.mend) == (STORE, "colony features init")

    cloud.answers["GetFeatureOnlineStore"] = lambda _: types.FeatureOnlineStore(name=STORE)
    cloud.answers["ListFeatureViews"] = lambda _: types.ListFeatureViewsResponse()
    assert vertex.online_store(where) == Doubt(f"{STORE} serves no view yet", "colony features init")

    view = types.FeatureView(name=f"{STORE}/featureViews/content")
    cloud.answers["ListFeatureViews"] = lambda _: types.ListFeatureViewsResponse(feature_views=[view])
    assert vertex.online_store(where) == "colony serves content"


def test_endpoints_and_jobs_are_listed(place: Placed, cloud: Answers) -> None:
    """How many endpoints there are, and the newest job; of jobs one is asked for."""
    where = place({"vertex": cloud.address})
    endpoint = types.Endpoint(deployed_models=[types.DeployedModel(id="1")])
    cloud.answers["ListEndpoints"] = lambda _: types.ListEndpointsResponse(endpoints=[endpoint])
    assert vertex.endpoints(where) == "1 endpoints with 1 deployed models"

    cloud.answers["ListPipelineJobs"] = lambda _: types.ListPipelineJobsResponse()
    assert vertex.one_job(where) == "there is none yet"
    job = types.PipelineJob(name="projects/p/locations/l/pipelineJobs/run-1", state=4)
    cloud.answers["ListPipelineJobs"] = lambda _: types.ListPipelineJobsResponse(pipeline_jobs=[job])
    assert vertex.one_job(where) == "the newest is run-1: PIPELINE_STATE_SUCCEEDED"
    assert cloud.asked[-1].page_size == 1


def test_who_may_not_is_told_the_grant(place: Placed, cloud: Answers) -> None:
    """A refusal names the role."""
    cloud.refuse("ListEndpoints", grpc.StatusCode.PERMISSION_DENIED)

    with pytest.raises(Rejected, match=r"add-iam-policy-binding colony-test .*roles/aiplatform\.user"):
        vertex.endpoints(place({"vertex": cloud.address}))


def test_metrics_that_are_not_described_are_a_doubt(place: Placed, cloud: Answers) -> None:
    """Every declared metric is looked for; those that Monitoring does not know are named."""
    where = place({"monitoring": cloud.address})

    def known(names: list[str]) -> None:
        found = [metric_pb2.MetricDescriptor(type=metric_type(name)) for name in names]
        answer = monitoring.ListMetricDescriptorsResponse(metric_descriptors=found)
        cloud.answers["ListMetricDescriptors"] = lambda _: answer

    known(list(METRICS))
    assert metrics.descriptors(where) == f"{len(METRICS)} metrics are described"
    known([name for name in METRICS if name != "colony_runs_total"])
    found = metrics.descriptors(where)
    assert found == Doubt("not described yet: colony_runs_total", "terraform -chdir=deploy/terraform apply")


def test_one_point_is_written_once(place: Placed, cloud: Answers) -> None:
    """One point of one series, of a task of its own, now; a refusal is not tried again."""
    where = place({"monitoring": cloud.address})
    cloud.answers["CreateTimeSeries"] = lambda _: empty_pb2.Empty()
    before = datetime.now(UTC)

    said = metrics.one_point(where)

    assert said == "a zero of custom.googleapis.com/colony/outbox_waiting was written"
    (asked,) = cloud.asked
    (series,) = asked.time_series
    assert (series.resource.type, series.resource.labels["task_id"]) == ("generic_task", "doctor-1")
    (point,) = series.points
    assert point.value.double_value == 0
    assert abs((point.interval.end_time - before).total_seconds()) < 60

    cloud.refuse("CreateTimeSeries", grpc.StatusCode.PERMISSION_DENIED)
    with pytest.raises(Rejected, match=r"roles/monitoring\.metricWriter"):
        metrics.one_point(where)
    assert cloud.server.count("CreateTimeSeries") == 2


def test_only_what_is_used_is_checked(place: Placed) -> None:
    """The checks are those of the backends in use; whatever writes has `live` in its name."""
    everything, live = checks(place()), live_checks(place())

    assert {"deliveries", "bucket", "dataset", "online store", "endpoints", "metrics"} <= set(everything)
    assert all(part.startswith("live: ") for part in live)
    assert not any(part.startswith("live") for part in everything)
    only_bus = place(used={"bus": "pubsub"})
    assert set(checks(only_bus)) == {"deliveries", "bus rights", "dead letter rights", "project rights"}
    assert set(live_checks(only_bus)) == {"live: message"}
    assert checks(place(used={})) == {}


def test_each_check_of_the_tables_exists(place: Placed, cloud: Answers) -> None:
    """No line of the tables names what is not there: each answers or refuses in our own words."""
    from worker.checkup import Severity, finding

    stand_ins = dict.fromkeys(("vertex", "monitoring", "projects"), cloud.address)
    stand_ins |= dict.fromkeys(("storage", "bigquery", "iam"), "http://127.0.0.1:1")
    found = [
        finding(part, check)
        for part, check in {**checks(place(stand_ins)), **live_checks(place(stand_ins))}.items()
        if part in {"endpoints", "live: pipeline jobs", "online store"}
    ]
    # What the server was told no answer for is unimplemented: a region where it is not offered says so.
    assert {each.severity for each in found} == {Severity.WRONG}
    assert all("correct the region" in each.mend for each in found)
