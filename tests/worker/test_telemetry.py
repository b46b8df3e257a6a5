import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from worker.errors import Rejected
from worker.telemetry import METRICS, Kind, check, configure


@pytest.fixture(name="stderr")
def _stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written to standard error; logging is as before afterwards."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield lambda: capsys.readouterr().err
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


def test_json_lines_carry_the_keys_of_cloud_logging(stderr: Callable[[], str]) -> None:
    """A log line in JSON has `severity`, `message`, `time` and the bound facts."""
    configure(json=True, level="info")

    structlog.get_logger("colony").warning("run failed", bee="spam-guard")

    line = json.loads(stderr())
    assert (line["severity"], line["message"], line["bee"]) == ("WARNING", "run failed", "spam-guard")
    assert line["time"].endswith("Z")


def test_the_standard_library_logs_in_the_same_form(stderr: Callable[[], str], tmp_path: Path) -> None:
    """A library that logs with `logging` comes out as the same JSON, with its traceback as `stack_trace`."""
    configure(json=True, level="info")

    try:
        (tmp_path / "missing").read_text()
    except OSError:
        logging.getLogger("library").exception("write failed")

    line = json.loads(stderr())
    assert (line["severity"], line["message"], line["logger"]) == ("ERROR", "write failed", "library")
    assert "FileNotFoundError" in line["stack_trace"]


def test_a_trace_is_named_as_cloud_logging_wants_it(stderr: Callable[[], str]) -> None:
    """With a project, what is bound as trace and span becomes the two keys by which Cloud Logging joins lines."""
    configure(json=True, level="info", project="my-project")

    with structlog.contextvars.bound_contextvars(trace_id="a" * 32, span_id="b" * 16):
        logging.getLogger("library").warning("slow")

    line = json.loads(stderr())
    assert line["logging.googleapis.com/trace"] == f"projects/my-project/traces/{'a' * 32}"
    assert line["logging.googleapis.com/spanId"] == "b" * 16
    assert "trace_id" not in line


def test_lines_under_the_level_are_left_out(stderr: Callable[[], str]) -> None:
    """A level of `error` lets no warning through."""
    configure(json=False, level="error")

    structlog.get_logger("colony").warning("nothing to see")
    structlog.get_logger("colony").error("broken")

    text = stderr()
    assert "nothing to see" not in text
    assert "broken" in text


def test_an_unknown_level_is_refused_with_its_mend() -> None:
    """A level that does not exist names the ones that do."""
    with pytest.raises(Rejected, match="Use debug, info"):
        configure(json=True, level="loud")


def test_every_declared_metric_says_what_it_is() -> None:
    """Counters end in `_total`, gauges do not, and each has help."""
    for name, metric in METRICS.items():
        assert (metric.kind is Kind.COUNTER) == name.endswith("_total")
        assert metric.help.endswith(".")


@pytest.mark.parametrize(
    ("name", "kind", "labels"),
    [
        ("colony_unheard_of", Kind.COUNTER, {}),
        ("colony_messages_total", Kind.GAUGE, {"verdict": "ack"}),
        ("colony_messages_total", Kind.COUNTER, {}),
        ("colony_messages_total", Kind.COUNTER, {"verdict": "ack", "bee": "b"}),
    ],
)
def test_an_undeclared_point_is_an_error(name: str, kind: Kind, labels: dict[str, str]) -> None:
    """A metric, a kind or a label outside the table raises at once."""
    with pytest.raises(ValueError, match="colony_"):
        check(name, kind, labels)
