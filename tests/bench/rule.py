"""Parse, validate and apply the rule to one evaluation, against msgspec's validated parse alone; the rest apart."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from config.schema import SHIPPED, load_bees
from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.bench.events import body
from tests.bench.measure import Figure, cpu_medians_s
from worker.decide.course import Course, Situation
from worker.decide.decision import History, decide
from worker.decide.journal import recorded
from worker.decide.policy import Policy
from worker.decide.rules import rules_of
from worker.intake.port import Message
from worker.intake.quick import quick_envelope


class _Window(msgspec.Struct):
    id: str
    start: datetime
    end: datetime
    sampleCount: Annotated[int, msgspec.Meta(ge=0)]  # noqa: N815 - the event's own name
    positiveCount: Annotated[int, msgspec.Meta(ge=0)]  # noqa: N815 - the event's own name


class _Drift(msgspec.Struct):
    detected: bool
    severity: Literal["none", "low", "medium", "high", "critical"]
    score: float
    features: list[str]


class _Data(msgspec.Struct):
    beeId: Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]{0,62}$")]  # noqa: N815 - the event's own name
    modelVersion: str  # noqa: N815 - the event's own name
    evaluatedAt: datetime  # noqa: N815 - the event's own name
    window: _Window
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    drift: _Drift


class _Event(msgspec.Struct):
    specversion: str
    id: str
    source: str
    type: str
    data: _Data


COUNT = 1000
PEER = "msgspec's validated parse alone"


def bench(_: Path) -> list[Figure]:
    """Return microseconds per event."""
    text = body(1)
    message, decoder, bees = Message(text), msgspec.json.Decoder(_Event), load_bees([SHIPPED])
    bee, policy, now = bees["spam-guard"], Policy(), datetime(2003, 1, 1, tzinfo=UTC)
    handler = event_handlers(EventContext(lambda: bees, lambda: policy, "bench"))["model.evaluated"]
    course, situation = Course(), Situation(bee, policy, now)
    history = History(known=True, champion="1")

    def rule() -> None:
        for _ in range(COUNT):
            event = quick_envelope(message)
            assert event is not None
            rules_of(handler.parse(event, now), bee, policy, {}, bad_before=False)

    def whole() -> None:
        for _ in range(COUNT):
            event = quick_envelope(message)
            assert event is not None
            parsed = handler.parse(event, now)
            found = decide(parsed, history, course, situation, "i")
            recorded("s", "e", parsed, found.decision, "p", now, run_id=None, incident_id=None)

    def peer() -> None:
        for _ in range(COUNT):
            decoder.decode(text)

    ours, all_of_it, parse = (took * 1e6 / COUNT for took in cpu_medians_s([rule, whole, peer], repeats=25))
    return [
        Figure("one event: parse, check, apply the rule", ours, parse, "µs", PEER),
        Figure("the same with memory, incident and journal entry", all_of_it, parse, "µs", PEER),
    ]
