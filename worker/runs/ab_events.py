"""What is told of an A/B test: the data of its events, and the numbers that a change of what is served stands on."""

from collections.abc import Mapping
from typing import Any

from worker.abtest.machine import AbTest
from worker.clock import to_text


def numbers(test: AbTest, results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was compared, as a rollout tells its evidence: the winner, or else the first, against the control."""
    effects = results.get("effects") or []
    one = next((effect for effect in effects if effect["version"] == test.winner), effects[0] if effects else None)
    if one is None:
        return {}
    means = dict(zip(test.plan.versions, results["means"], strict=True))
    told = {name: one[name] for name in ("difference", "lower", "upper")}
    both = {"champion": means[test.plan.control], "challenger": means[one["version"]]}
    return {"metric": results["metric"], **both, **told, "source": "outcomes", "count": sum(one["counted"])}


def _told(test: AbTest) -> dict[str, Any]:
    return {
        "beeId": test.bee,
        "testId": test.id,
        "runId": test.run_id,
        "versions": list(test.plan.versions),
        "control": test.plan.control,
    }


def told_start(test: AbTest, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of `ab_test.started`; `seen` has the forecast."""
    forecast = seen.get("forecast") or {}
    return {
        **_told(test),
        "trafficSplit": dict(test.plan.traffic(test.id).shares),
        "metric": forecast.get("metric") or test.plan.metric,
        "minimumEffect": test.plan.minimum_effect,
        "requiredSample": (forecast.get("requiredSample") or {}).get("sequential") or None,
        "startedAt": to_text(test.started_at),
        "endsBy": to_text(test.ends_by),
        "forced": dict(test.forced),
    }


def told_end(test: AbTest, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of `ab_test.concluded` and `ab_test.stopped`; `seen` has what the last look found."""
    results = seen.get("results") or {}
    return {
        **_told(test),
        "state": test.state.value,
        "winner": test.winner,
        "reason": test.reason,
        "startedAt": to_text(test.started_at),
        "endedAt": to_text(test.changed_at),
        "metric": results.get("metric") or (seen.get("forecast") or {}).get("metric") or test.plan.metric,
        "exposed": results.get("exposed"),
        "effects": results.get("effects"),
    }
