from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module

import pytest

from worker.adapters.metrics import BACKENDS
from worker.adapters.metrics.local import LocalMetrics
from worker.adapters.metrics.monitoring import MonitoringMetrics, Task
from worker.telemetry import Metrics

MAKERS: dict[str, Callable[[], Metrics]] = {
    "local": LocalMetrics,
    "monitoring": lambda: MonitoringMetrics(Task("p", "europe-west1", "t"), lambda: datetime(2026, 1, 1, tzinfo=UTC)),
}


@pytest.fixture(name="metrics", params=list(MAKERS))
def _metrics(request: pytest.FixtureRequest) -> Metrics:
    """One backend of the table."""
    return MAKERS[request.param]()


def test_the_table_names_modules_that_exist() -> None:
    """Every backend of the table can be imported, and has a maker here."""
    assert set(MAKERS) == set(BACKENDS)
    for module in BACKENDS.values():
        import_module(module)


def test_counters_add_up_and_gauges_replace(metrics: Metrics) -> None:
    """Two counts are summed, two gauges leave the last, each under its own labels."""
    metrics.count("colony_messages_total", verdict="ack")
    metrics.count("colony_messages_total", 2, verdict="ack")
    metrics.count("colony_messages_total", verdict="retry")
    metrics.gauge("colony_outbox_waiting", 5)
    metrics.gauge("colony_outbox_waiting", 2.5)

    assert metrics.render().splitlines() == [
        "# HELP colony_messages_total Messages received, by verdict.",
        "# TYPE colony_messages_total counter",
        'colony_messages_total{verdict="ack"} 3',
        'colony_messages_total{verdict="retry"} 1',
        "# HELP colony_outbox_waiting Outgoing events not yet confirmed.",
        "# TYPE colony_outbox_waiting gauge",
        "colony_outbox_waiting 2.5",
    ]


def test_label_values_are_escaped(metrics: Metrics) -> None:
    """Quotes, backslashes and line ends in a label value do not break the text."""
    metrics.count("colony_events_published_total", type='a"b\\c\nd')

    assert 'type="a\\"b\\\\c\\nd"' in metrics.render()


def test_undeclared_and_falling_points_raise(metrics: Metrics) -> None:
    """A metric outside the table, a wrong label and a counter that falls are errors of the caller."""
    with pytest.raises(ValueError, match="not declared"):
        metrics.count("colony_surprise_total")
    with pytest.raises(ValueError, match="labels"):
        metrics.gauge("colony_outbox_waiting", 1, bee="b")
    with pytest.raises(ValueError, match="cannot fall"):
        metrics.count("colony_messages_total", -1, verdict="ack")

    assert metrics.render() == ""
