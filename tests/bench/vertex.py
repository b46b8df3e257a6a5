"""From an event to the call of CreatePipelineJob, in a warm worker, against that call alone at the same server."""

import json
import logging
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from config.schema import SHIPPED
from config.settings import Settings
from tests.bench.measure import Figure, median_s
from tests.worker.adapters.engine.vertex_server import VertexServer
from worker.app import App
from worker.clock import wall_clock
from worker.heap import settle
from worker.intake.port import Message
from worker.models.port import Artifact, Deployment, ModelVersion

#: The first of them warm everything up.
EVENTS, WARM = 26, 5
NOW = datetime(2002, 10, 1, tzinfo=UTC)
_FIRST = "spam-guard"


class Server(VertexServer):
    """A stand-in that says when a Create came in."""

    def __init__(self) -> None:
        """Listen."""
        self.created = threading.Event()
        self.created_at = 0.0
        super().__init__()

    def _create(self, request: Any, context: Any) -> Any:
        self.created_at = time.perf_counter()
        self.created.set()
        return super()._create(request, context)


class Subscription:
    """A bus on which nothing waits: the bench itself hands the messages over."""

    def ack(self, messages: Sequence[Message]) -> None:
        """Nothing to do."""


def bench(directory: Path) -> list[Figure]:
    """Return milliseconds."""
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    server = Server()
    _configure(directory / "config")
    settings = Settings(
        home=directory / "home",
        config=directory / "config",
        ledger="sqlite",  # type: ignore[arg-type] # as the environment has it
        project="bench",
        pipeline_bucket="bench",
        vertex_endpoint=server.address,
        # The bench submits more in a moment than the quota lets through.
        vertex_submissions=10_000,
        features="local",
        models="local",
        metrics="local",
        bus="local",
    )
    app = App(settings, wall_clock)
    try:
        ours = _ours(app, server)
        bare = _bare(app, server)
    finally:
        app.close()
        server.close()
        structlog.reset_defaults()
        logging.disable(logging.NOTSET)
    return [Figure("vertex: event until CreatePipelineJob arrives", ours * 1e3, bare * 1e3, "ms", "that call alone")]


def _configure(directory: Path) -> None:
    """Write a bee for each event, all as the shipped one: a bee has one run in flight."""
    (directory / "bees").mkdir(parents=True)
    text = (SHIPPED / "bees" / f"{_FIRST}.yaml").read_text(encoding="utf-8")
    for name in _bees():
        (directory / "bees" / f"{name}.yaml").write_text(
            text.replace(f"bee: {_FIRST}", f"bee: {name}"), encoding="utf-8"
        )


def _bees() -> list[str]:
    return [f"{_FIRST}-{number}" for number in range(EVENTS)]


def _ours(app: App, server: Server) -> float:
    """Return the median seconds from the hand-over of an event until the server has the call that it led to."""
    app.define_features()
    with app.ledger.begin() as transaction:
        for bee in _bees():
            artifact = Artifact("file:///none", "0" * 64)
            transaction.models.add(ModelVersion(bee, "1", "deployed", artifact, None, NOW, gate_passed=True))
            transaction.models.deploy(Deployment(bee, 1, "1", None, NOW, "bench", None))
    app.subscription = Subscription()  # type: ignore[assignment, misc]
    consumer, loops = app.consumer(), app.loops()
    settle()
    for loop in loops:
        loop.start()
    took = []
    for number, bee in enumerate(_bees()):
        # Long enough for every loop to rest, as it does between events that are rare.
        time.sleep(0.3)
        server.created.clear()
        begun = time.perf_counter()
        consumer.handle([_event(bee, number)])
        if not server.created.wait(60):
            raise TimeoutError(f"no job came of the event about {bee}")
        took.append(server.created_at - begun)
    for loop in loops:
        loop.stop()
    for loop in loops:
        loop.join()
    return statistics.median(took[WARM:])


def _event(bee: str, number: int) -> Message:
    """Return a bad evaluation as a CloudEvent in structured mode."""
    data: Mapping[str, Any] = {
        "beeId": bee,
        "modelVersion": "1",
        "evaluatedAt": NOW.isoformat(),
        "window": {"id": "w", "sampleCount": 437, "positiveCount": 90},
        "metrics": {"f1": 0.45},
        "baseline": {"f1": 0.9},
    }
    event = {"specversion": "1.0", "id": f"e{number}", "source": "//bench", "type": "model.evaluated", "data": data}
    return Message(json.dumps(event).encode(), {}, message_id=str(number))


def _bare(app: App, server: Server) -> float:
    """Return the median seconds of the same call by the client alone, until its answer is there."""
    from worker.adapters.engine.vertex_client import client

    talk = client(app.settings.region, server.address)
    first = server.asked("CreatePipelineJob")[-1]
    numbers = iter(range(10**6))

    def create() -> None:
        request = {"parent": first.parent, "pipeline_job": first.pipeline_job, "pipeline_job_id": f"b-{next(numbers)}"}
        talk.create_pipeline_job(request=request, timeout=10.0)

    create()
    took = median_s(create, repeats=EVENTS - WARM)
    talk.transport.close()
    return took
