"""Metrics of this process, written to Cloud Monitoring as time series of the resource `generic_task`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import GoogleAuthError
from google.cloud import monitoring_v3

from worker.adapters.metrics.local import LocalMetrics, Series
from worker.adapters.options import Options
from worker.clock import Clock
from worker.telemetry import METRICS, Kind

SERIES_PER_CALL = 200
PERIOD = timedelta(seconds=60)
#: Monitoring refuses points of one series that are closer than this.
CLOSEST = timedelta(seconds=5)
CALL_S = 10.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Task:
    """Which process writes: the labels of `generic_task`; `task_id` is unique per process, else two collide."""

    project: str
    location: str
    task_id: str
    namespace: str = "colony"
    job: str = "worker"


class MonitoringMetrics:
    """Accumulates in memory; `flush` writes each series at most once in 60 seconds, in calls of at most 200 series."""

    def __init__(self, task: Task, clock: Clock, *, client: Any = None) -> None:
        """Count from `clock()` on; without a `client` one is made at the first flush, with default credentials."""
        self._task = task
        self._clock = clock
        self._client = client
        self._local = LocalMetrics()
        self._started = clock()
        self._written: dict[Series, datetime] = {}

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._local.count(name, value, **labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._local.gauge(name, value, **labels)

    def render(self) -> str:
        """Return the same values as Prometheus text."""
        return self._local.render()

    def flush(self) -> None:
        """Write the series whose last write is a minute ago."""
        self._write(PERIOD)

    def close(self) -> None:
        """Write the last values where Monitoring would take them, and close the channel."""
        self._write(CLOSEST)
        if self._client is not None:
            self._client.transport.close()

    def _write(self, apart: timedelta) -> None:
        now = self._clock()
        due = [item for item in self._local.snapshot().items() if self._due(item[0], now, apart)]
        for start in range(0, len(due), SERIES_PER_CALL):
            batch = due[start : start + SERIES_PER_CALL]
            # Also after a failure: whether it was written is not known, and a point too early is an error.
            self._written.update({series: now for series, _ in batch})
            self._send([self._time_series(series, value, now) for series, value in batch])

    def _due(self, series: Series, now: datetime, apart: timedelta) -> bool:
        # A cumulative point needs an interval that is not empty.
        last = self._written.get(series)
        return now > self._started if last is None else now - last >= apart

    def _send(self, batch: Sequence[monitoring_v3.TimeSeries]) -> None:
        try:
            if self._client is None:
                self._client = monitoring_v3.MetricServiceClient()
            self._client.create_time_series(
                name=f"projects/{self._task.project}", time_series=batch, timeout=CALL_S, retry=None
            )
        except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
            log.warning("metrics were not written", series=len(batch), error=str(error))

    def _time_series(self, series: Series, value: float, now: datetime) -> monitoring_v3.TimeSeries:
        counter = METRICS[series.name].kind is Kind.COUNTER
        kind = "CUMULATIVE" if counter else "GAUGE"
        interval = {"start_time": self._started, "end_time": now} if counter else {"end_time": now}
        return monitoring_v3.TimeSeries(
            metric={"type": metric_type(series.name), "labels": dict(series.labels)},
            resource={"type": "generic_task", "labels": self._resource()},
            metric_kind=kind,
            value_type="DOUBLE",
            points=[{"interval": interval, "value": {"double_value": value}}],
        )

    def _resource(self) -> dict[str, str]:
        task = self._task
        return {
            "project_id": task.project,
            "location": task.location,
            "namespace": task.namespace,
            "job": task.job,
            "task_id": task.task_id,
        }


def from_options(options: Options) -> MonitoringMetrics:
    """Return the writer of the project's time series; each process has series of its own."""
    task = Task(options.values["project"], options.values["region"], options.owner)
    return MonitoringMetrics(task, options.clock)


def metric_type(name: str) -> str:
    """Return the name of a declared metric in Cloud Monitoring: `custom.googleapis.com/colony/runs_total`."""
    return "custom.googleapis.com/colony/" + name.removeprefix("colony_")
