"""Logs and metrics: the structlog set-up, the one table of declared metrics, and the port that writes them."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import structlog

from worker.errors import Rejected


class Kind(StrEnum):
    """How a metric behaves: a counter only grows, a gauge is what it is now."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True)
class Metric:
    """A declared metric: its kind, what it tells, and exactly the labels that each of its points carries."""

    kind: Kind
    help: str
    labels: tuple[str, ...] = ()


METRICS: Mapping[str, Metric] = {
    "colony_messages_total": Metric(Kind.COUNTER, "Messages received, by verdict.", ("verdict",)),
    "colony_decisions_total": Metric(Kind.COUNTER, "Decisions recorded, by action.", ("action",)),
    "colony_runs_total": Metric(Kind.COUNTER, "Runs settled, by verdict.", ("pipeline", "verdict")),
    "colony_cost_total": Metric(
        Kind.COUNTER, "What settled runs cost, and what bills added, in the price list's currency.", ("bee", "pipeline")
    ),
    "colony_cost_refunded_total": Metric(
        Kind.COUNTER, "What bills took from the cost of settled runs.", ("bee", "pipeline")
    ),
    "colony_cost_unknown_runs_total": Metric(
        Kind.COUNTER, "Settled runs whose cost was not known then.", ("bee", "pipeline")
    ),
    "colony_runs_active": Metric(Kind.GAUGE, "Runs that have not been settled."),
    "colony_rollouts": Metric(Kind.GAUGE, "Rollouts under way, by state: running, held.", ("state",)),
    "colony_events_published_total": Metric(Kind.COUNTER, "Outgoing events that the bus confirmed.", ("type",)),
    "colony_features_lag_seconds": Metric(
        Kind.GAUGE, "How far online features are behind the stored ones.", ("entity",)
    ),
    "colony_outbox_waiting": Metric(Kind.GAUGE, "Outgoing events not yet confirmed."),
    "colony_predictions_total": Metric(Kind.COUNTER, "Predictions served.", ("bee", "version")),
    "colony_predictions_logged_total": Metric(Kind.COUNTER, "Predictions stored in the prediction log.", ("bee",)),
    "colony_predictions_unlogged_total": Metric(
        Kind.COUNTER, "Predictions that will never be in the log: noEntity, full, refused, shutdown.", ("bee", "reason")
    ),
    "colony_predictions_stood_in_total": Metric(
        Kind.COUNTER,
        "Predictions of the champion instead of a live version: notLoaded, failed.",
        ("bee", "version", "reason"),
    ),
    "colony_shadow_predictions_total": Metric(
        Kind.COUNTER, "Predictions beside the answer, by outcome: scored, failed.", ("bee", "version", "outcome")
    ),
    "colony_loop_errors_total": Metric(Kind.COUNTER, "Turns of a loop that ended in an error.", ("loop",)),
}


class Metrics(Protocol):
    """Takes points of declared metrics; every method may be called from any thread."""

    def count(self, name: str, value: float = 1, **labels: str) -> None:
        """Add to a counter. Raises ValueError if the metric, its kind or its labels are not the declared ones."""
        ...

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises ValueError as `count` does."""
        ...

    def flush(self) -> None:
        """Write what is due, best effort: a failure is logged, and the next flush writes the newer values."""
        ...

    def render(self) -> str:
        """Return every series of this process as Prometheus text, version 0.0.4."""
        ...

    def close(self) -> None:
        """Write what is still owed, and release connections."""
        ...


def check(name: str, kind: Kind, labels: Mapping[str, str]) -> None:
    """Raise ValueError unless `name` is declared with this kind and exactly these labels."""
    metric = METRICS.get(name)
    if metric is None:
        msg = f"metric {name!r} is not declared in worker.telemetry.METRICS"
        raise ValueError(msg)
    if metric.kind is not kind or set(metric.labels) != set(labels):
        msg = f"metric {name!r} is a {metric.kind} with labels {metric.labels}, not a {kind} with {sorted(labels)}"
        raise ValueError(msg)


def configure(*, json: bool, level: str, project: str = "") -> None:
    """Send structlog and the standard library's logging to standard error in one form.

    Args:
        json: one JSON object per line with Cloud Logging's `severity` and `message`; else readable lines.
        level: `debug`, `info`, `warning`, `error` or `critical`.
        project: the Google project, whose traces a line's `trace_id` is one of; empty: the id stays as it is.

    Raises:
        Rejected: no such level.
    """
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise Rejected(f"no level {level!r}", field="log level", mend="Use debug, info, warning, error or critical.")
    shared = _processors(project, json=json)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, json=json))
    logging.basicConfig(handlers=[handler], level=number, force=True)
    # It tells of each of its plugins, at each migration.
    logging.getLogger("alembic").setLevel(max(number, logging.WARNING))


def _processors(project: str, *, json: bool) -> list[structlog.typing.Processor]:
    common: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time" if json else "timestamp"),
        structlog.processors.StackInfoRenderer(),
    ]
    return [*common, structlog.processors.format_exc_info, partial(_cloud_keys, project)] if json else common


def _formatter(shared: list[structlog.typing.Processor], *, json: bool) -> logging.Formatter:
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(default=str)
        if json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _cloud_keys(project: str, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Rename structlog's keys to the ones that Cloud Logging and Error Reporting read."""
    event["severity"] = str(event.pop("level", "info")).upper()
    event["message"] = event.pop("event", "")
    if "exception" in event:
        event["stack_trace"] = event.pop("exception")
    if project and "trace_id" in event:
        event["logging.googleapis.com/trace"] = f"projects/{project}/traces/{event.pop('trace_id')}"
    if project and "span_id" in event:
        event["logging.googleapis.com/spanId"] = event.pop("span_id")
    return event
