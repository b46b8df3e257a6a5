"""An example of each call for the API's description: what is sent, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Example:
    """One call.

    Attributes:
        answer: the body of the good answer.
        body: of the request, None if it has none.
        parameters: name → value, of path, query and header.
    """

    answer: Any
    body: Any = None
    parameters: Mapping[str, str | int] = field(default_factory=dict)


_RUN_ID = "auto-retrain-spam-guard-9e511d5e8479471e8866"
_SUMMARY: dict[str, Any] = {
    "runId": _RUN_ID, "pipeline": "auto-retrain", "beeId": "spam-guard", "trigger": "manual", "reason": "new data",
    "incidentId": None, "attempt": 1, "asOf": "2002-10-01T00:00:00Z", "status": "pending", "verdict": None,
    "settled": False, "cancelRequested": False, "error": None, "createdAt": "2026-11-23T07:48:32.654916Z",
    "startedAt": None, "endedAt": None,
}  # fmt: skip
_ENDED = _SUMMARY | {
    "status": "succeeded", "verdict": "deployed", "settled": True, "startedAt": "2026-11-23T07:48:32.741634Z",
    "endedAt": "2026-11-23T07:48:37.200774Z",
}  # fmt: skip
_STEP = {
    "stepId": "train_model", "status": "succeeded", "attempt": 1, "startedAt": "2026-11-23T07:48:34.785671Z",
    "endedAt": "2026-11-23T07:48:36.455749Z", "error": None, "logTail": "random_forest: f1 0.93 on 1,307 rows\n",
}  # fmt: skip
_ARTIFACT = {"name": "model", "type": "system.Model", "uri": "gs://bucket/runs/…/model.skops", "metadata": {}}
_VERSION = {
    "beeId": "spam-guard", "version": "2", "state": "deployed", "champion": True, "gatePassed": True, "forced": None,
    "metrics": {"f1": 0.897, "roc_auc": 0.985}, "runId": _RUN_ID, "createdAt": "2026-11-23T07:48:37.1Z",
    "artifact": {"uri": "file:///data/models/94/94a0….skops", "sha256": "94a0432ada4af41829e3da0f26530e1dd678c158…"},
    "lineage": {"algorithm": "random_forest", "trainedUntil": "2002-09-25T09:23:34Z", "snapshotId": "snap-a39e26…"},
}  # fmt: skip
_DEPLOYMENT = {
    "beeId": "spam-guard", "epoch": 3, "version": "2", "previous": "1", "deployedAt": "2026-11-23T08:00:00Z",
    "reason": "the new one is worse for users",
}  # fmt: skip
_DECISION = {
    "eventId": "2002-09-28-spam-guard", "source": "//colony/monitor", "beeId": "spam-guard", "modelVersion": "1",
    "evaluatedAt": "2002-09-28T00:00:00Z", "decidedAt": "2002-09-28T00:00:02Z", "action": "trigger",
    "rules": [{"name": "drop", "fired": True, "inputs": {"metric": "f1", "value": "0.638", "baseline": "0.912"}}],
    "reason": "f1 fell by 30 %, more than 20 %", "runId": _RUN_ID, "incidentId": "6d1f…", "policyVersion": "b1946ac9",
}  # fmt: skip
_TEMPLATE = {
    "name": "batch-score", "version": "1", "description": "Score the entities of the last window.", "trigger": "manual",
    "parameters": {
        "window": {"type": "string", "default": None, "required": False, "description": "How far back, as in 7d."}
    },
    "steps": [{"id": "score", "type": "score", "after": []}], "error": None,
}  # fmt: skip
_RUN = {"runId": _RUN_ID}
_CURSOR = "WzE3OTU0MTkzMTI2NTQ5MTYsImF1dG8tcmV0cmFpbi0xIl0"

#: Operation → its example.
EXAMPLES: Mapping[str, Example] = {
    "healthz": Example({"status": "ok"}),
    "readyz": Example({"status": "ok", "faults": {}}),
    "trigger": Example(
        _SUMMARY,
        body={
            "pipeline": "auto-retrain",
            "parameters": {"beeId": "spam-guard", "asOf": "2002-10-01T00:00:00Z"},
            "reason": "new data",
        },
        parameters={"Idempotency-Key": "monday"},
    ),
    "getRun": Example(_ENDED | {"steps": [_STEP], "artifacts": [_ARTIFACT], "outcome": {"verdict": "deployable"}},
                      parameters=_RUN),
    "listRuns": Example(
        {"runs": [_ENDED], "nextCursor": _CURSOR},
        parameters={
            "beeId": "spam-guard", "pipeline": "auto-retrain", "status": "succeeded", "since": "2026-11-01T00:00:00Z",
            "cursor": _CURSOR, "limit": 50,
        },
    ),
    "cancel": Example(_SUMMARY | {"status": "running", "cancelRequested": True}, parameters=_RUN),
    "listTemplates": Example({"templates": [_TEMPLATE]}),
    "followRun": Example(None, parameters={**_RUN, "Last-Event-ID": "5d41402abc4b2a76"}),
    "listModels": Example({"models": [_VERSION]}, parameters={"beeId": "spam-guard"}),
    "getModel": Example(
        {
            "beeId": "spam-guard", "version": "2", "epoch": 2, "deployedAt": "2026-11-23T07:48:37.1Z",
            "trafficSplit": {"2": 100}, "settings": None, "versions": [_VERSION],
        },
        parameters={"beeId": "spam-guard"},
    ),
    "predict": Example(
        {"prediction": 1.0, "score": 0.97, "version": "2", "missing": []},
        body={"entityId": "c-1017"},
        parameters={"beeId": "spam-guard"},
    ),
    "promote": Example(
        _DEPLOYMENT, body={"version": "2", "reason": "the new one is worse for users"},
        parameters={"beeId": "spam-guard"},
    ),
    "rollback": Example(
        _DEPLOYMENT | {"version": "1", "previous": "2"}, body={"reason": "the new one is worse for users"},
        parameters={"beeId": "spam-guard"},
    ),
    "listDecisions": Example(
        {"decisions": [_DECISION], "nextCursor": None},
        parameters={"beeId": "spam-guard", "cursor": "WzQyXQ", "limit": 50},
    ),
}  # fmt: skip


def add_examples(document: dict[str, Any]) -> None:
    """Put the examples into an OpenAPI document, where an operation has none of its own."""
    for operations in document["paths"].values():
        for operation in operations.values():
            example = EXAMPLES.get(operation["operationId"])
            if example:
                _add(operation, example)


def _add(operation: dict[str, Any], example: Example) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["name"] in example.parameters:
            parameter.setdefault("example", example.parameters[parameter["name"]])
    if example.body is not None:
        operation["requestBody"]["content"]["application/json"].setdefault("example", example.body)
    for status, answer in operation["responses"].items():
        if status.startswith("2") and example.answer is not None:
            answer["content"]["application/json"].setdefault("example", example.answer)
