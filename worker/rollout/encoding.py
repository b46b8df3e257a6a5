"""A rollout as the ledger keeps it: a trial whose detail is JSON, and back."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from worker.clock import parse_time, to_text
from worker.models.trials import Trial, TrialKind
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import Rollout, State
from worker.rollout.measure import Measure
from worker.rollout_plan import RolloutSpec

_PLAIN = ("version", "champion", "epoch", "step", "gate_passed", "forced", "run", "incident", "reason")


def encoded(rollout: Rollout) -> Trial:
    """Return a rollout as a trial."""
    detail: dict[str, Any] = {name: getattr(rollout, name) for name in _PLAIN}
    detail |= {
        "plan": rollout.plan.model_dump(mode="json", by_alias=True),
        "primary": asdict(rollout.primary),
        "step_at": to_text(rollout.step_at),
        # What events told is of no use once all is decided; the numbers stay in the story.
        "windows": {version: dict(told) for version, told in rollout.windows.items()} if rollout.active else {},
        "newest": None if rollout.newest is None else _evidence(rollout.newest),
        "story": [dict(entry) for entry in rollout.story],
    }
    return Trial(
        id=rollout.id,
        bee=rollout.bee,
        kind=TrialKind.ROLLOUT,
        state=rollout.state.value,
        active=rollout.active,
        started_at=rollout.started_at,
        changed_at=rollout.changed_at,
        detail=detail,
    )


def decoded(trial: Trial) -> Rollout:
    """Return the rollout that a trial keeps. Raises ValueError if the trial is of another kind."""
    if trial.kind is not TrialKind.ROLLOUT:
        raise ValueError(f"trial {trial.id} is no rollout but {trial.kind}")
    detail = trial.detail
    primary, bounds = detail["primary"], detail["primary"]["bounds"]
    return Rollout(
        id=trial.id,
        bee=trial.bee,
        plan=RolloutSpec.model_validate(detail["plan"]),
        primary=Measure(**{**primary, "bounds": None if bounds is None else (bounds[0], bounds[1])}),
        started_at=trial.started_at,
        step_at=parse_time(detail["step_at"]),
        changed_at=trial.changed_at,
        state=State(trial.state),
        windows=detail["windows"],
        newest=None if detail["newest"] is None else _evidence_of(detail["newest"]),
        story=tuple(detail["story"]),
        **{name: detail[name] for name in _PLAIN},
    )


def _evidence(evidence: Evidence) -> dict[str, Any]:
    return asdict(evidence) | {"as_of": to_text(evidence.as_of)}


def _evidence_of(told: Mapping[str, Any]) -> Evidence:
    as_of: datetime = parse_time(told["as_of"])
    guards = {name: Compared(**one) for name, one in told["guards"].items()}
    return Evidence(
        told["rollout"], told["step"], as_of, Compared(**told["primary"]), guards, int(told["step_outcomes"])
    )
