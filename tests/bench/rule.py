"""Parse, validate and apply the rule to one evaluation, against msgspec's validated parse alone."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from config.schema import SHIPPED, load_bees
from tests.bench.events import body
from tests.bench.measure import Figure, median_s
from worker.decide.course import Course, Situation
from worker.decide.decision import History, decide
from worker.decide.evaluation import parse_evaluation
from worker.decide.policy import Policy
from worker.intake.envelope import open_envelope
from worker.intake.port import Message


class _Data(msgspec.Struct):
    beeId: str  # noqa: N815 - the event's own name
    modelVersion: str  # noqa: N815 - the event's own name
    evaluatedAt: datetime  # noqa: N815 - the event's own name
    metrics: dict[str, float | None]
    baseline: dict[str, float | None]
    drift: dict[str, object]


class _Event(msgspec.Struct):
    id: str
    source: str
    type: str
    data: _Data


COUNT = 2000


def bench(_: Path) -> list[Figure]:
    """Return microseconds per event."""
    text = body(1)
    decoder = msgspec.json.Decoder(_Event)
    bee, policy, now = load_bees([SHIPPED])["spam-guard"], Policy(), datetime(2003, 1, 1, tzinfo=UTC)
    course, situation = Course(), Situation(bee, policy, now)
    history = History(known=True, champion="1", recorded={"f1": Decimal("0.9")})

    def ours() -> None:
        for _ in range(COUNT):
            event = open_envelope(Message(text))
            decide(parse_evaluation(event.data, event_time=now), history, course, situation, "i")

    def peer() -> None:
        for _ in range(COUNT):
            decoder.decode(text)

    scale = 1e6 / COUNT
    figures = (median_s(ours, repeats=5) * scale, median_s(peer, repeats=5) * scale)
    return [Figure("one event: parse, check, decide", *figures, "µs", "msgspec's validated parse alone")]
