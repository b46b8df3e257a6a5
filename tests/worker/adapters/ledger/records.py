"""Values to put into a ledger."""

from datetime import UTC, datetime, timedelta
from typing import Any

from worker.decide.port import Recorded
from worker.incidents.machine import Incident, State
from worker.intake.port import DeadLetter
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.runs.lifecycle import Run

#: A time whose microseconds tell whether they survive.
NOW = datetime(2002, 9, 28, 23, 59, 59, 999999, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
#: Text that has met every way of being stored wrongly.
UNICODE = "ünï·蜂🐝 'quoted\" %s :name \\ \u202e"


def run(id_: str = "auto-retrain-spam-guard-1", **changed: Any) -> Run:
    """Return a new loop run of spam-guard."""
    values = {
        "id": id_,
        "template": "auto-retrain",
        "bee": "spam-guard",
        "trigger": "drift",
        "reason": "f1 fell",
        "as_of": NOW,
        "created_at": NOW,
    }
    return Run(**{**values, **changed})


def decision(event_id: str = "e-1", **changed: Any) -> Recorded:
    """Return a decision about spam-guard's version 3."""
    values: dict[str, Any] = {
        "source": "//colony/plain",
        "event_id": event_id,
        "bee": "spam-guard",
        "model_version": "3",
        "evaluated_at": NOW,
        "decided_at": NOW + MICROSECOND,
        "action": "none",
        "reason": "nothing fired",
        "rules": [{"name": "drop", "inputs": {"f1": 0.638}, "fired": False}],
        "run_id": None,
        "incident_id": None,
        "policy_version": "p1",
        "evaluation": {"beeId": "spam-guard", "note": UNICODE},
    }
    return Recorded(**{**values, **changed})


def incident(id_: str = "i-1", **changed: Any) -> Incident:
    """Return an incident whose first run is in flight."""
    values: dict[str, Any] = {
        "id": id_,
        "bee": "spam-guard",
        "state": State.RETRAINING,
        "attempt": 1,
        "opened_at": NOW,
        "changed_at": NOW + MICROSECOND,
        "version": "3",
        "story": ({"at": "2002-09-28T23:59:59Z", "what": "opened", "reason": UNICODE},),
    }
    return Incident(**{**values, **changed})


def version(number: str = "1", **changed: Any) -> ModelVersion:
    """Return a registered version of spam-guard."""
    values: dict[str, Any] = {
        "bee": "spam-guard",
        "version": number,
        "state": "registered",
        "artifact": Artifact("file:///models/1", "ab" * 32),
        "run_id": f"run-{number}",
        "created_at": NOW,
        "gate_passed": True,
        "metrics": {"f1": 0.912, "undefined": None},
        "lineage": {"snapshotId": "s", "deep": {"er": [1, 2.5, None, UNICODE]}},
    }
    return ModelVersion(**{**values, **changed})


def deployment(epoch: int = 1, number: str = "1", **changed: Any) -> Deployment:
    """Return a change of spam-guard's champion."""
    values = {"bee": "spam-guard", "epoch": epoch, "version": number, "previous": None, "at": NOW, "reason": "better"}
    return Deployment(**{**values, "run_id": None, **changed})


def letter(id_: str = "d-1", **changed: Any) -> DeadLetter:
    """Return a message that was turned away."""
    values: dict[str, Any] = {
        "id": id_,
        "source": "//colony/plain",
        "event_id": "e-1",
        "reason": "not JSON",
        "received_at": NOW,
        "deliveries": 1,
        "attributes": {"ce-id": UNICODE},
        "body": b"\x00\xff{not json",
    }
    return DeadLetter(**{**values, **changed})
