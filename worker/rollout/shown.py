"""A rollout, the traffic and its changes in the published form, for `--json` and HTTP; pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.bee import duration_text
from worker.clock import to_text
from worker.evidence.verdict import Verdict, verdict
from worker.models.port import Deployment
from worker.models.traffic import place
from worker.models.trials import Trial, TrialKind
from worker.rollout.encoding import decoded
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import Rollout, concluded


def shown_rollout(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout as one JSON object."""
    return {
        "rolloutId": rollout.id,
        "beeId": rollout.bee,
        "state": rollout.state.value,
        "version": rollout.version,
        "champion": rollout.champion,
        "strategy": rollout.plan.strategy,
        "steps": shown_steps(rollout),
        "step": rollout.step + 1,
        "stepStartedAt": to_text(rollout.step_at),
        "heldFrom": to_text(rollout.step_at + rollout.plan.limit) if rollout.active else None,
        "trafficSplit": dict(rollout.traffic.shares),
        "salt": rollout.id,
        "metric": rollout.primary.metric,
        "margin": rollout.plan.margin,
        "confidence": rollout.plan.confidence,
        "startedAt": to_text(rollout.started_at),
        "changedAt": to_text(rollout.changed_at),
        "reason": rollout.reason,
        "forced": rollout.forced,
        "runId": rollout.run,
        "incidentId": rollout.incident,
        "evidence": None if rollout.newest is None else shown_evidence(rollout, rollout.newest),
        "missing": missing(rollout),
        "story": [dict(entry) for entry in rollout.story],
    }


def shown_steps(rollout: Rollout) -> list[dict[str, Any]]:
    """Return the plan's steps."""
    return [
        {
            "percent": step.percent,
            "minTime": duration_text(step.min_time),
            "minOutcomes": step.min_outcomes,
            "reached": number <= rollout.step,
        }
        for number, step in enumerate(rollout.plan.planned)
    ]


def shown_evidence(rollout: Rollout, evidence: Evidence) -> dict[str, Any]:
    """Return what a look went by, with what each metric proves."""
    plan = rollout.plan
    guards = {
        name: _shown(evidence.guards.get(name, Compared(name)), _margin(guard, evidence.guards.get(name)))
        for name, guard in plan.guards.items()
    }
    return {
        "asOf": to_text(evidence.as_of),
        "stepOutcomes": evidence.step_outcomes,
        "primary": _shown(evidence.primary, plan.margin),
        "guards": guards,
    }


def missing(rollout: Rollout) -> str | None:
    """Return what the step still lacks to be advanced, in words; None where the rollout is over."""
    if not rollout.active:
        return None
    return "it was not looked at yet" if rollout.newest is None else concluded(rollout, rollout.newest).reason


def shown_split(champion: Deployment, trial: Trial | None, entity: str | None = None) -> dict[str, Any]:
    """Return who is served by what; with an entity, by what it is."""
    traffic = champion.traffic
    found: dict[str, Any] = {
        "beeId": champion.bee,
        "version": champion.version,
        "epoch": champion.epoch,
        "since": to_text(champion.at),
        "trafficSplit": dict(traffic.shares),
        "split": traffic.ordered,
        "salt": traffic.salt or None,
        "shadow": list(traffic.shadow),
        "trial": None if trial is None else _trial(trial),
    }
    if entity is not None:
        at = place(traffic.salt, entity)
        found["entity"] = {"entityId": entity, "place": at, "version": traffic.version_for(entity)}
    return found


def shown_change(change: Deployment) -> dict[str, Any]:
    """Return one change of what is served."""
    return {
        "beeId": change.bee,
        "epoch": change.epoch,
        "at": to_text(change.at),
        "version": change.version,
        "previous": change.previous,
        "trafficSplit": dict(change.traffic.shares),
        "salt": change.traffic.salt or None,
        "shadow": list(change.traffic.shadow),
        "reason": change.reason,
        "by": change.by,
        "runId": change.run_id,
        "numbers": dict(change.numbers),
    }


def newest_rollout(trials: Sequence[Trial]) -> Rollout | None:
    """Return the newest rollout among a bee's trials, one under way before all others; None without any."""
    found = [trial for trial in trials if trial.kind is TrialKind.ROLLOUT]
    return decoded(max(found, key=lambda trial: (trial.active, trial.started_at, trial.id))) if found else None


def _shown(found: Compared, margin: float | None) -> dict[str, Any]:
    proven = Verdict.OPEN if margin is None or not found.known else verdict(found.interval, margin)
    return {**found.printed(), "margin": margin, "verdict": proven.value}


def _margin(guard: Any, found: Compared | None) -> float | None:
    if not guard.relative:
        return float(guard.margin)
    return None if found is None or found.champion is None else float(guard.margin * abs(found.champion))


def _trial(trial: Trial) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "id": trial.id,
        "kind": trial.kind.value,
        "state": trial.state,
        "startedAt": to_text(trial.started_at),
    }
    if trial.kind is TrialKind.ROLLOUT:
        rollout = decoded(trial)
        told |= {"step": rollout.step + 1, "steps": shown_steps(rollout)}
    return told
