"""A test as JSON values: for the API, the command line, events and the ledger; undefined is null."""

from collections.abc import Mapping
from typing import Any

from worker.abtest.analysis import Analysis, GuardResult, Point, SliceResult
from worker.abtest.machine import AbTest
from worker.abtest.plan import AbPlan
from worker.clock import to_text
from worker.evidence.effect import Effect


def shown_test(test: AbTest, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return a test with what was forecast and found."""
    traffic = test.traffic
    return {
        "testId": test.id,
        "beeId": test.bee,
        "state": test.state.value,
        "versions": list(test.plan.versions),
        "control": test.plan.control,
        "plannedSplit": dict(zip(test.plan.versions, test.plan.shares, strict=True)),
        "trafficSplit": dict(traffic.shares) if traffic else {test.champion: 100},
        "plan": test.plan.as_json(),
        "champion": test.champion,
        "runId": test.run_id,
        "forced": dict(test.forced),
        "startedAt": to_text(test.started_at),
        "endsBy": to_text(test.ends_by),
        "endedAt": to_text(test.ended_at) if test.ended_at else None,
        "reason": test.reason,
        "winner": test.winner,
        "stoppedBy": test.by,
        "forecast": seen.get("forecast"),
        "results": seen.get("results"),
        "fault": seen.get("fault"),
    }


def shown_plan(bee: str, plan: AbPlan, forecast: Mapping[str, Any], champion: str) -> dict[str, Any]:
    """Return a test that has not begun, in the shape of one that has."""
    return {
        "testId": None,
        "beeId": bee,
        "state": "planned",
        "versions": list(plan.versions),
        "control": plan.control,
        "plannedSplit": dict(zip(plan.versions, plan.shares, strict=True)),
        "plan": plan.as_json(),
        "champion": champion,
        "forecast": dict(forecast),
    }


def shown_results(found: Analysis, plan: AbPlan) -> dict[str, Any]:
    """Return what one look found."""
    now = found.now
    pairs = zip(plan.versions[1:], now.effects, strict=True)
    return {
        "asOf": to_text(found.at),
        "metric": found.measure.name,
        "lowerIsBetter": found.measure.lower_is_better,
        "exposed": list(now.exposed),
        "counted": list(now.counted),
        "means": list(now.means),
        "effects": [{"version": name, **_effect(one), "spared": one.spared} for name, one in pairs],
        "ratio": {"p": found.ratio.p_value, "served": found.served.p_value, "crossed": found.crossed},
        "early": found.early,
        "unanswered": found.unanswered,
        "guards": [_guard(one) for one in found.guards],
        "slices": [_slice(one) for one in found.slices],
        "history": [_point(one) for one in found.points],
    }


def _guard(one: GuardResult) -> dict[str, Any]:
    ours, theirs = one.effect.challenger, one.effect.champion
    return {
        "metric": one.metric,
        "version": one.version,
        "control": None if theirs is None else one.sign * theirs,
        "value": None if ours is None else one.sign * ours,
        "margin": one.margin,
        "verdict": one.verdict.value,
        **_effect(one.effect),
    }


def _slice(one: SliceResult) -> dict[str, Any]:
    told = {"feature": one.feature, "value": one.value, "version": one.version, **_effect(one.found.effect)}
    return {**told, "p": one.found.p_value, "adjustedP": one.found.adjusted, "found": one.found.found}


def _effect(one: Effect) -> dict[str, Any]:
    lower, upper = one.interval.finite()
    # What no outcome bounds yet is not known, whatever the metric's own bounds let say.
    known = one.difference is not None
    told = {"difference": one.difference, "lower": lower if known else None, "upper": upper if known else None}
    return {"counted": list(one.rows), **told}


def _point(one: Point) -> dict[str, Any]:
    effects = [_effect(effect) for effect in one.effects]
    slim = [{name: effect[name] for name in ("difference", "lower", "upper")} for effect in effects]
    return {"at": to_text(one.at), "exposed": list(one.exposed), "counted": list(one.counted), "effects": slim}
