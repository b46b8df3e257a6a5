"""Cloud Monitoring: which of the declared metrics it knows, and one point written."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, call, call_once, meaning
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.adapters.metrics.monitoring import metric_type
from worker.checkup import Doubt
from worker.telemetry import METRICS

#: A gauge of which a chart and an alert take the largest value: a zero more changes neither.
_HARMLESS = "colony_outbox_waiting"


def descriptors(place: Place) -> str | Doubt:
    """Check that Monitoring knows the declared metrics; a first point makes one known, but without its words."""
    request = {"name": _project(place), "filter": 'metric.type = starts_with("custom.googleapis.com/colony/")'}
    with _client(place) as client:
        known = {found.type for found in call(client.list_metric_descriptors, request, PATIENCE)}
    missing = [name for name in METRICS if metric_type(name) not in known]
    if missing:
        return Doubt(f"not described yet: {', '.join(missing)}", "terraform -chdir=deploy/terraform apply")
    return f"{len(METRICS)} metrics are described"


def one_point(place: Place) -> str:
    """Write one point of a gauge, as a task of its own."""
    labels = {
        "project_id": place.project,
        "location": place.region,
        "namespace": "colony",
        "job": "doctor",
        "task_id": place.task,
    }
    point = {"interval": {"end_time": datetime.now(UTC)}, "value": {"double_value": 0.0}}
    series = {
        "metric": {"type": metric_type(_HARMLESS)},
        "resource": {"type": "generic_task", "labels": labels},
        "metric_kind": "GAUGE",
        "value_type": "DOUBLE",
        "points": [point],
    }
    with _client(place) as client:
        # Once: a point that was written and whose answer was lost is refused the second time.
        call_once(client.create_time_series, {"name": _project(place), "time_series": [series]}, PATIENCE)
    return f"a zero of {metric_type(_HARMLESS)} was written"


def _project(place: Place) -> str:
    return f"projects/{place.project}"


@contextmanager
def _client(place: Place) -> Iterator[Any]:
    from google.cloud.monitoring_v3 import MetricServiceClient

    stand_in = place.stand_ins.get("monitoring")
    try:
        if stand_in:
            import grpc

            transport = MetricServiceClient.get_transport_class("grpc")(channel=grpc.insecure_channel(stand_in))
            client = MetricServiceClient(transport=transport)
        else:
            client = MetricServiceClient(credentials=place.credentials)
        with client:
            yield client
    except GOOGLE as error:
        member = "MEMBER" if stand_in else place.member
        grant = f"gcloud projects add-iam-policy-binding {place.project} --member={member}"
        mends: dict[type[Exception], str] = {
            exceptions.PermissionDenied: f"{grant} --role=roles/monitoring.metricWriter"
        }
        raise meaning(_project(place), error, mends) from error
