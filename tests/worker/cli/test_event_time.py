import json
from datetime import UTC, datetime, timedelta
from typing import Any

from worker.cli.event_time import EventTime
from worker.intake.port import Message

WALL = datetime(2026, 1, 1, tzinfo=UTC)
THEN = datetime(2002, 9, 1, tzinfo=UTC)


def _message(evaluated_at: datetime | None = None) -> Message:
    data: dict[str, Any] = {"type": "model.evaluated", "beeId": "b", "modelVersion": "1", "metrics": {"f1": 0.4}}
    return Message(json.dumps(data | ({"evaluatedAt": evaluated_at.isoformat()} if evaluated_at else {})).encode())


def test_a_recording_begins_where_its_first_times_are() -> None:
    """An event without a time that comes first happens at the first time told after it, not today."""
    time_ = EventTime(lambda: WALL)
    time_.begin([_message(), Message(b"not JSON"), _message(WALL + timedelta(days=1)), _message(THEN), _message(WALL)])

    assert time_.now() == THEN


def test_a_recording_without_times_happens_now() -> None:
    """Where nothing tells a time, it is the wall clock's, and what comes later does not begin it anew."""
    time_ = EventTime(lambda: WALL)
    time_.begin([_message()])
    time_.begin([_message(THEN)])

    assert time_.now() == WALL


def test_what_goes_on_does_not_begin_again() -> None:
    """A clock that has moved stays where it is."""
    time_ = EventTime(lambda: WALL)
    time_.clock.advance(THEN + timedelta(days=1))
    time_.begin([_message(THEN)])

    assert time_.now() == THEN + timedelta(days=1)
