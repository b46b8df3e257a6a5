"""An example of each call for the API's description: what is sent, and what is answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from handlers.http.ab_examples import AB_TEST, TEST_ID


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
    "startedAt": None, "endedAt": None, "estimatedCost": None, "estimatedBy": None, "cost": None, "costBasis": None,
    "settledCost": None, "correctedCost": None, "correctedAt": None,
}  # fmt: skip
_ENDED = _SUMMARY | {
    "status": "succeeded", "verdict": "deployed", "settled": True, "startedAt": "2026-11-23T07:48:32.741634Z",
    "endedAt": "2026-11-23T07:48:37.200774Z", "estimatedCost": 0.000039, "cost": 0.000041, "settledCost": 0.000041,
    "estimatedBy": "median of 5 runs of auto-retrain for spam-guard, scaled to 2180 rows",
    "costBasis": "2.7 CPU seconds at 0.05 an hour, 0.000215 GB hours of memory at 0.005",
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
    "reason": "the new one is worse for users", "trafficSplit": {"2": 100},
}  # fmt: skip
_COMPARED = {
    "metric": "accuracy", "source": "outcomes", "count": 412, "champion": 0.951, "challenger": 0.968,
    "difference": 0.017, "lower": -0.012, "upper": 0.046, "margin": 0.02, "verdict": "not_worse",
}  # fmt: skip
_ROLLOUT = {
    "rolloutId": "5b1f6f1c2c0e4d8f9a7b3c1d", "beeId": "spam-guard", "state": "running", "version": "3", "champion": "2",
    "strategy": "canary", "step": 2, "stepStartedAt": "2026-11-24T08:00:00Z", "heldFrom": "2026-12-08T08:00:00Z",
    "steps": [
        {"percent": 10, "minTime": "1d", "minOutcomes": 100, "reached": True},
        {"percent": 50, "minTime": "1d", "minOutcomes": 100, "reached": True},
        {"percent": 100, "minTime": "1d", "minOutcomes": 100, "reached": False},
    ],
    "trafficSplit": {"3": 50, "2": 50}, "salt": "5b1f6f1c2c0e4d8f9a7b3c1d", "metric": "accuracy", "margin": 0.02,
    "confidence": 0.95, "startedAt": "2026-11-23T07:48:37.1Z", "changedAt": "2026-11-24T08:00:00Z",
    "reason": "not worse: accuracy 0.951 → 0.968 …; step 2 of 3: it serves 50 % of the traffic", "forced": None,
    "runId": _RUN_ID, "incidentId": "6d1f…",
    "evidence": {"asOf": "2026-11-24T20:00:00Z", "stepOutcomes": 61, "primary": _COMPARED, "guards": {}},
    "missing": "it lasts until 2026-11-25T08:00:00Z at least; 61 of 100 outcomes are in",
    "story": [{"at": "2026-11-23T07:48:37.1Z", "what": "started", "step": 1, "reason": "it passed its gate",
               "percent": 10}],
}  # fmt: skip
_CHANGE = {
    "beeId": "spam-guard", "epoch": 4, "at": "2026-11-24T08:00:00Z", "version": "2", "previous": "1",
    "trafficSplit": {"3": 50, "2": 50}, "salt": "5b1f6f1c2c0e4d8f9a7b3c1d", "shadow": [],
    "reason": "not worse: accuracy 0.951 → 0.968 …; step 2 of 3: it serves 50 % of the traffic", "by": None,
    "runId": _RUN_ID, "numbers": {"metric": "accuracy", "count": 412, "champion": 0.951, "challenger": 0.968},
}  # fmt: skip
_DECISION = {
    "eventId": "2002-09-28-spam-guard", "source": "//colony/monitor", "beeId": "spam-guard", "modelVersion": "1",
    "evaluatedAt": "2002-09-28T00:00:00Z", "decidedAt": "2002-09-28T00:00:02Z", "action": "trigger",
    "rules": [{"name": "drop", "fired": True, "inputs": {"metric": "f1", "value": "0.638", "baseline": "0.912"}}],
    "reason": "f1 fell by 30 %, more than 20 %", "runId": _RUN_ID, "incidentId": "6d1f…", "policyVersion": "b1946ac9",
}  # fmt: skip
_EVENT_SCHEMA = {
    "type": "model.deployed", "direction": "out", "version": 1, "about": "A version went into production.",
    "dataschema": "/api/mlops/events/schemas/model.deployed/v1",
}  # fmt: skip
_TEMPLATE = {
    "name": "batch-score", "version": "1", "description": "Score the entities of the last window.", "trigger": "manual",
    "parameters": {
        "window": {"type": "string", "default": None, "required": False, "description": "How far back, as in 7d."}
    },
    "steps": [{"id": "score", "type": "score", "after": []}], "error": None,
}  # fmt: skip
_SUMS = {
    "runs": 2, "open": 0, "estimated": 0.24, "settled": 0.23, "corrected": 0.25, "cost": 0.25, "difference": 0.01,
    "unestimated": 0, "unknown": 0, "uncorrected": 0,
}  # fmt: skip
_GATE = {"before": 0.41, "after": 0.93, "gain": 0.52, "gainPerCost": 2.08, "windows": None}
_MEASURED = {"before": 0.64, "after": 0.91, "gain": 0.27, "gainPerCost": 1.08, "windows": [1, 4]}
_GAIN = {
    "beeId": "spam-guard", "version": "2", "previous": "1", "deployedAt": "2002-09-28T00:10:00Z", "metric": "f1",
    "lowerIsBetter": False, "gate": _GATE, "measured": _MEASURED, "gain": 0.27, "runs": 2, "cost": 0.25,
    "costUnknown": None, "gainPerCost": 1.08, "forced": None,
}  # fmt: skip
_COSTS_SPAN = {"since": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}
_RUN = {"runId": _RUN_ID}
_INCIDENT_ID, _APPROVAL_ID = "9f2c6b0f5b7a4d0c8e1f2a3b", "5f1d7a84db00d2fce00b"
_HELD = {"at": "2002-09-28T00:00:00Z", "what": "held", "reason": "paused by ann (moving house) until it is resumed"}
_INCIDENT = {
    "incidentId": _INCIDENT_ID, "beeId": "spam-guard", "modelVersion": "1", "state": "open", "attempt": 0,
    "openedAt": "2002-09-28T00:00:00Z", "changedAt": "2002-09-28T00:00:00Z", "waitsFor": _HELD["reason"],
    "waitsUntil": None, "next": "Attempt 1 of 3 waits: paused by ann (moving house) until it is resumed. …",
    "cost": _SUMS | {"runs": 0, "estimated": 0, "settled": 0, "corrected": 0, "cost": 0, "difference": 0},
    "story": [_HELD],
    "timeline": [
        {"at": _HELD["at"], "what": "held", "said": f"the next attempt waits: {_HELD['reason']}", "details": []}
    ],
}  # fmt: skip
_APPROVAL = {
    "approvalId": _APPROVAL_ID, "kind": "deployment", "beeId": "spam-guard", "incidentId": _INCIDENT_ID,
    "runId": _RUN_ID, "attempt": 1, "version": "3", "askedAt": "2002-09-28T00:10:00Z",
    "expiresAt": "2002-09-29T00:10:00Z", "onExpiry": "refuse",
    "evidence": {"reason": "f1 fell by 30 %", "champion": "1", "gate": {"champion": 0.41, "challenger": 0.93}},
    "answer": "waiting", "by": None, "answeredAt": None, "reason": None,
}  # fmt: skip
_APPROVED = _APPROVAL | {
    "answer": "approved", "by": "ann@example.org", "answeredAt": "2002-09-28T08:00:00Z", "reason": "looks good",
}  # fmt: skip
_PAUSE = {"beeId": "spam-guard", "by": "ann", "reason": "moving house", "since": "2002-09-28T00:00:00Z", "until": None}
_WHY = {
    "subject": "2002-09-28-spam-guard", "kind": "event",
    "summary": ["It triggered a retrain (version 1 of spam-guard, evaluated for 2002-09-28T00:00:00Z).",
                "Because: f1 0.638 against 0.912: 30.0% worse, more than 20.0%."],
    "sections": [{"title": "What the rules said", "lines": [
        {"name": "performance_drop", "outcome": "fired", "why": "f1 0.638 against 0.912: 30.0% worse, more than 20.0%",
         "inputs": {"value": 0.638, "baseline": 0.912, "threshold": 0.2}}]}],
    "next": "The run of attempt 1 is in flight; its gate decides.",
}  # fmt: skip
_CLOSED = {"reason": "known, and mended by hand"}
_CURSOR = "WzE3OTU0MTkzMTI2NTQ5MTYsImF1dG8tcmV0cmFpbi0xIl0"

#: Operation → its example.
EXAMPLES: Mapping[str, Example] = {
    "healthz": Example({"status": "ok"}),
    "readyz": Example({"status": "ok", "faults": {}, "paused": []}),
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
    "listCosts": Example(
        {
            "by": "bee", "currency": "USD", "pricesAsOf": "2026-10-07", **_COSTS_SPAN,
            "groups": [{"name": "spam-guard", **_SUMS}], "total": _SUMS, "unknown": [],
        },
        parameters={"by": "bee", **_COSTS_SPAN},
    ),
    "listGains": Example(
        {"currency": "USD", "gains": [_GAIN], "bees": [
            {"beeId": "spam-guard", "metric": "f1", "versions": 1, "counted": 1, "gain": 0.27, "cost": 0.25,
             "gainPerCost": 1.08}
        ]},
        parameters=_COSTS_SPAN,
    ),
    "listTemplates": Example({"templates": [_TEMPLATE]}),
    "followRun": Example(None, parameters={**_RUN, "Last-Event-ID": "5d41402abc4b2a76"}),
    "listModels": Example({"models": [_VERSION]}, parameters={"beeId": "spam-guard"}),
    "getModel": Example(
        {
            "beeId": "spam-guard", "version": "2", "epoch": 2, "deployedAt": "2026-11-23T07:48:37.1Z",
            "trafficSplit": {"3": 50, "2": 50},
            "split": [{"version": "3", "percent": 50}, {"version": "2", "percent": 50}],
            "salt": _ROLLOUT["salt"], "shadow": [], "rollout": _ROLLOUT,
            "settings": None, "versions": [_VERSION],
        },
        parameters={"beeId": "spam-guard"},
    ),
    "getRollout": Example(_ROLLOUT, parameters={"beeId": "spam-guard"}),
    "getHistory": Example({"changes": [_CHANGE]}, parameters={"beeId": "spam-guard"}),
    "predict": Example(
        {"prediction": 1.0, "score": 0.97, "version": "2", "missing": []},
        body={"entityId": "c-1017"},
        parameters={"beeId": "spam-guard"},
    ),
    "promote": Example(
        _DEPLOYMENT, body={"version": "2", "reason": "the new one is worse for users", "immediate": True},
        parameters={"beeId": "spam-guard"},
    ),
    "rollback": Example(
        _DEPLOYMENT | {"version": "1", "previous": "2"}, body={"reason": "the new one is worse for users"},
        parameters={"beeId": "spam-guard"},
    ),
    "why": Example({"explanations": [_WHY]}, parameters={"subject": "2002-09-28-spam-guard"}),
    "listIncidents": Example(
        {"incidents": [_INCIDENT], "nextCursor": _CURSOR},
        parameters={"beeId": "spam-guard", "state": "open", "cursor": _CURSOR, "limit": 50},
    ),
    "getIncident": Example(_INCIDENT, parameters={"incidentId": _INCIDENT_ID}),
    "close": Example(_INCIDENT | {"state": "closed"}, body=_CLOSED, parameters={"incidentId": _INCIDENT_ID}),
    "retry": Example(
        {"incident": _INCIDENT | {"state": "retraining", "attempt": 1}, "runId": _RUN_ID},
        body={"reason": "the label feed is mended"}, parameters={"incidentId": _INCIDENT_ID},
    ),
    "listApprovals": Example(
        {"approvals": [_APPROVAL], "nextCursor": None},
        parameters={"beeId": "spam-guard", "answer": "waiting", "cursor": _CURSOR, "limit": 50},
    ),
    "getApproval": Example(_APPROVAL, parameters={"approvalId": _APPROVAL_ID}),
    "approve": Example(
        {"approval": _APPROVED, "said": "version 3 deployed: approved by ann@example.org (looks good)", "runId": None},
        body={"reason": "looks good"}, parameters={"approvalId": _APPROVAL_ID},
    ),
    "refuse": Example(
        {"approval": _APPROVED | {"answer": "refused", "reason": "not on a Friday"}, "runId": None,
         "said": "version 3 rejected: refused by ann@example.org (not on a Friday)"},
        body={"reason": "not on a Friday"}, parameters={"approvalId": _APPROVAL_ID},
    ),
    "listAbTests": Example(
        {"abTests": [AB_TEST]}, parameters={"beeId": "spam-guard", "state": "concluded", "limit": 50}
    ),
    "getAbTest": Example(AB_TEST, parameters={"testId": TEST_ID}),
    "stopAbTest": Example(
        AB_TEST | {"state": "stopped", "winner": None, "reason": "users complain", "stoppedBy": "ann@example.org"},
        body={"reason": "users complain"}, parameters={"testId": TEST_ID},
    ),
    "listPauses": Example({"pauses": [_PAUSE]}),
    "listEventSchemas": Example({"schemas": [_EVENT_SCHEMA]}),
    "getEventSchema": Example(None, parameters={"eventType": "model.deployed"}),
    "getEventSchemaVersion": Example(None, parameters={"eventType": "model.deployed", "version": 1}),
    "pauseBee": Example(_PAUSE, body={"beeId": "spam-guard", "reason": "moving house"}),
    "resumeBee": Example(_PAUSE, body={"beeId": "spam-guard"}),
    "pushEvent": Example(
        None,
        body={
            "message": {
                "data": "eyJiZWVJZCI6ICJzcGFtLWd1YXJkIn0=", "messageId": "2070443601311540",
                "attributes": {"ce-specversion": "1.0", "ce-id": "7", "ce-source": "//m", "ce-type": "model.evaluated"},
                "publishTime": "2026-02-26T19:13:55.749Z",
            },
            "subscription": "projects/p/subscriptions/colony-push",
        },
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
