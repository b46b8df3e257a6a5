"""A run in the published form, for `--json` and HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from worker.clock import to_text
from worker.runs.lifecycle import Run
from worker.runs.port import StepState


def shown_run(run: Run, steps: Sequence[StepState]) -> dict[str, Any]:
    """Return the run as one JSON object, with its steps, its artifacts and its outcome."""
    outcome = run.outcome or {}
    return {
        **shown_summary(run),
        "steps": [
            {
                "stepId": step.step_id,
                "status": step.status.value,
                "attempt": step.attempt,
                "startedAt": _time(step.started_at),
                "endedAt": _time(step.ended_at),
                "error": step.error,
                "logTail": step.log_tail,
            }
            for step in steps
        ],
        "artifacts": _artifacts(outcome.get("artifacts")),
        "outcome": run.outcome,
    }


def shown_summary(run: Run) -> dict[str, Any]:
    """Return the run as one JSON object of a list."""
    return {
        "runId": run.id,
        "pipeline": run.template,
        "beeId": run.bee,
        "trigger": run.trigger,
        "reason": run.reason,
        "incidentId": run.incident_id,
        "attempt": run.attempt,
        "asOf": to_text(run.as_of),
        "status": run.status.value,
        "verdict": run.verdict.value if run.verdict else None,
        "settled": run.settled,
        "cancelRequested": run.cancel_requested,
        "error": run.error,
        "createdAt": to_text(run.created_at),
        "startedAt": _time(run.started_at),
        "endedAt": _time(run.ended_at),
        "estimatedCost": run.estimate,
        "estimatedBy": run.estimate_basis or None,
        "cost": run.cost,
        "costBasis": run.cost_basis or None,
        "settledCost": run.settled_cost,
        "correctedCost": run.billed_cost,
        "correctedAt": _time(run.billed_at),
    }


def _artifacts(found: Any) -> list[dict[str, Any]]:
    """Return an outcome's artifacts in their form, whatever a step of someone else's has written there."""
    return [
        {
            "name": str(item.get("name") or ""),
            "type": str(item.get("type") or ""),
            "uri": str(item.get("uri") or ""),
            "metadata": item["metadata"] if isinstance(item.get("metadata"), dict) else {},
        }
        for item in (found if isinstance(found, list) else [])
        if isinstance(item, dict)
    ]


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
