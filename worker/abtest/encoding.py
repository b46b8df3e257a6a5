"""A test as the ledger keeps it, and back; pure."""

from collections.abc import Mapping
from typing import Any

from worker.abtest.machine import AbTest, State
from worker.abtest.plan import AbPlan
from worker.clock import parse_time, to_text
from worker.models.trials import Trial, TrialKind


def trial_of(test: AbTest, seen: Mapping[str, Any]) -> Trial:
    """Return a test as a trial; `seen` is what the newest look has found, and what was forecast, as JSON values."""
    detail = {
        "plan": test.plan.as_json(),
        "champion": test.champion,
        "epoch": test.epoch,
        "runId": test.run_id,
        "before": dict(test.before),
        "forced": dict(test.forced),
        "endedAt": to_text(test.ended_at) if test.ended_at else None,
        "reason": test.reason,
        "winner": test.winner,
        "by": test.by,
        "seen": dict(seen),
    }
    return Trial(
        test.id, test.bee, TrialKind.AB_TEST, test.state, test.running, test.started_at, test.changed_at, detail
    )


def test_of(trial: Trial) -> AbTest:
    """Return the test that a trial tells of."""
    detail = trial.detail
    return AbTest(
        id=trial.id,
        bee=trial.bee,
        plan=AbPlan.of(detail["plan"]),
        champion=detail["champion"],
        epoch=detail["epoch"],
        started_at=trial.started_at,
        changed_at=trial.changed_at,
        run_id=detail["runId"],
        state=State(trial.state),
        before=detail["before"],
        forced=detail["forced"],
        ended_at=parse_time(detail["endedAt"]) if detail["endedAt"] else None,
        reason=detail["reason"],
        winner=detail["winner"],
        by=detail["by"],
    )


def seen_of(trial: Trial) -> dict[str, Any]:
    """Return what was forecast and found so far."""
    return dict(trial.detail.get("seen") or {})
