from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.api.metric_pb2 import MetricDescriptor
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.metric_service.transports import MetricServiceGrpcTransport
from google.protobuf import empty_pb2

from worker.adapters.metrics.monitoring import MonitoringMetrics, Task

START = datetime(2026, 1, 1, tzinfo=UTC)


class Monitoring:
    """A local MetricService: keeps each request, and answers with a fault while there is one."""

    def __init__(self) -> None:
        self.requests: list[monitoring_v3.CreateTimeSeriesRequest] = []
        self.fault: grpc.StatusCode | None = None
        self._server = grpc.server(ThreadPoolExecutor(2))
        handler = grpc.unary_unary_rpc_method_handler(
            self._create,
            request_deserializer=monitoring_v3.CreateTimeSeriesRequest.deserialize,
            response_serializer=empty_pb2.Empty.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler(
            "google.monitoring.v3.MetricService", {"CreateTimeSeries": handler}
        )
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _create(self, request: monitoring_v3.CreateTimeSeriesRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        self.requests.append(request)
        if self.fault:
            context.abort(self.fault, "as asked for")
        return empty_pb2.Empty()

    def close(self) -> None:
        """Stop serving."""
        self._server.stop(None)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        """Return the time it was moved to."""
        return self.now

    def move(self, seconds: float) -> None:
        """Go forward."""
        self.now += timedelta(seconds=seconds)


@pytest.fixture(name="server")
def _server() -> Iterator[Monitoring]:
    server = Monitoring()
    yield server
    server.close()


@pytest.fixture(name="clock")
def _clock() -> Hand:
    return Hand()


@pytest.fixture(name="metrics")
def _metrics(server: Monitoring, clock: Hand) -> Iterator[MonitoringMetrics]:
    channel = grpc.insecure_channel(f"127.0.0.1:{server.port}")
    client = monitoring_v3.MetricServiceClient(transport=MetricServiceGrpcTransport(channel=channel))
    yield MonitoringMetrics(Task("my-project", "europe-west1", "task-7"), clock, client=client)
    channel.close()


def test_a_counter_is_cumulative_since_the_start(server: Monitoring, metrics: MonitoringMetrics, clock: Hand) -> None:
    """A counter goes out as CUMULATIVE from the process's start, on `generic_task` with this task's id."""
    metrics.count("colony_messages_total", 3, verdict="ack")
    clock.move(60)
    metrics.flush()

    (request,) = server.requests
    (series,) = request.time_series
    assert request.name == "projects/my-project"
    assert series.metric.type == "custom.googleapis.com/colony/messages_total"
    assert dict(series.metric.labels) == {"verdict": "ack"}
    assert (series.resource.type, series.resource.labels["task_id"]) == ("generic_task", "task-7")
    assert set(series.resource.labels) == {"project_id", "location", "namespace", "job", "task_id"}
    assert series.metric_kind == MetricDescriptor.MetricKind.CUMULATIVE
    interval = series.points[0].interval
    assert (interval.start_time, interval.end_time) == (START, START + timedelta(seconds=60))
    assert series.points[0].value.double_value == 3


def test_a_gauge_has_a_point_in_time(server: Monitoring, metrics: MonitoringMetrics, clock: Hand) -> None:
    """A gauge goes out as GAUGE with only an end time."""
    clock.move(1)
    metrics.gauge("colony_outbox_waiting", 4)
    metrics.flush()

    (series,) = server.requests[0].time_series
    assert series.metric_kind == MetricDescriptor.MetricKind.GAUGE
    assert "start_time" not in series.points[0].interval
    assert series.points[0].value.double_value == 4


def test_a_series_is_written_at_most_once_a_minute(server: Monitoring, metrics: MonitoringMetrics, clock: Hand) -> None:
    """Flushes within the minute write only the series that have not been written."""
    clock.move(1)
    metrics.gauge("colony_outbox_waiting", 1)
    metrics.flush()
    clock.move(59)
    metrics.gauge("colony_outbox_waiting", 2)
    metrics.gauge("colony_runs_active", 7)
    metrics.flush()
    clock.move(1)
    metrics.flush()

    written = [[series.metric.type.rpartition("/")[2] for series in r.time_series] for r in server.requests]
    assert written == [["outbox_waiting"], ["runs_active"], ["outbox_waiting"]]


def test_no_call_has_more_than_200_series(server: Monitoring, metrics: MonitoringMetrics, clock: Hand) -> None:
    """450 series leave in three calls."""
    for number in range(450):
        metrics.count("colony_predictions_total", bee=f"bee-{number}", version="1")
    clock.move(60)
    metrics.flush()

    assert [len(request.time_series) for request in server.requests] == [200, 200, 50]


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INVALID_ARGUMENT])
def test_a_failure_loses_no_count(
    server: Monitoring, metrics: MonitoringMetrics, clock: Hand, code: grpc.StatusCode
) -> None:
    """When Monitoring refuses, nothing is raised, and the next minute's point has the whole sum."""
    server.fault = code
    metrics.count("colony_messages_total", 3, verdict="ack")
    clock.move(60)
    metrics.flush()
    server.fault = None
    metrics.count("colony_messages_total", 4, verdict="ack")
    clock.move(60)
    metrics.flush()

    assert server.requests[-1].time_series[0].points[0].value.double_value == 7


def test_the_last_flush_keeps_the_least_distance(server: Monitoring, metrics: MonitoringMetrics, clock: Hand) -> None:
    """Closing writes what is newer than the last write by five seconds, and nothing sooner."""
    clock.move(60)
    metrics.gauge("colony_outbox_waiting", 1)
    metrics.flush()
    clock.move(3)
    metrics.gauge("colony_runs_active", 9)
    metrics.close()

    written = [[series.metric.type.rpartition("/")[2] for series in r.time_series] for r in server.requests]
    assert written == [["outbox_waiting"], ["runs_active"]]
