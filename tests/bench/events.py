"""Events of about 600 bytes for the benches."""

import json
from datetime import UTC, datetime, timedelta

from worker.intake.port import Message

START = datetime(2002, 8, 1, tzinfo=UTC)


def body(number: int) -> bytes:
    """Return one structured CloudEvent."""
    at = (START + timedelta(seconds=number)).isoformat().replace("+00:00", "Z")
    data = {
        "beeId": "spam-guard",
        "modelVersion": "1",
        "evaluatedAt": at,
        "window": {"id": at, "start": at, "end": at, "sampleCount": 437, "positiveCount": 47},
        "metrics": {"f1": 0.901, "roc_auc": 0.984, "accuracy": 0.97},
        "baseline": {"f1": 0.912, "roc_auc": 0.992, "accuracy": 0.98},
        "drift": {"detected": False, "severity": "low", "score": 0.11, "features": ["engagement_rate"]},
    }
    event = {"specversion": "1.0", "id": f"e-{number}", "source": "//bench", "type": "model.evaluated", "data": data}
    return json.dumps(event).encode()


def messages(count: int, start: int = 0) -> list[Message]:
    """Return distinct messages."""
    return [Message(body(number), message_id=str(number)) for number in range(start, start + count)]
