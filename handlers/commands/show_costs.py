"""What runs cost, and what the loop gained for it, from the ledger."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.costs.gain import Change, Gain, Measured, gain, per
from worker.costs.prices import PriceList
from worker.costs.summary import RunCost, grouped, reasons, total
from worker.decide.port import Recorded
from worker.errors import Rejected
from worker.ledger import Transaction
from worker.metric import lower_is_better
from worker.models.port import Deployment, ModelVersion
from worker.runs.port import CostFilter

#: Evaluations that were judged; others are of no version in production, or too late.
_JUDGED = frozenset({"trigger", "none", "held", "attached"})


@dataclass(frozen=True)
class Asked:
    """Which runs: asked for in [since, until), and by what they are summed."""

    by: str = "bee"
    since: datetime | None = None
    until: datetime | None = None


def shown_costs(asked: Asked, transaction: Transaction, prices: PriceList) -> dict[str, Any]:
    """Return what runs cost, as one JSON object. Raises Rejected if the span ends before it begins."""
    if asked.since and asked.until and asked.until < asked.since:
        raise Rejected("lies before since", field="until", mend="give a later time")
    runs = transaction.runs.costs(CostFilter(asked.since, asked.until))
    return {
        "by": asked.by,
        "currency": prices.currency,
        "pricesAsOf": prices.as_of.isoformat(),
        "since": to_text(asked.since) if asked.since else None,
        "until": to_text(asked.until) if asked.until else None,
        "groups": [{"name": name, **sums.told()} for name, sums in grouped(runs, asked.by).items()],
        "total": total(runs).told(),
        "unknown": [{"reason": why, "runs": count} for why, count in reasons(runs).items()],
    }


def gains(asked: Asked, transaction: Transaction, bees: Mapping[str, BeeSpec]) -> list[Gain]:
    """Return what each version gained that went into production in a span, oldest first."""
    runs = transaction.runs.costs(CostFilter())
    found = []
    for bee in sorted({one.bee for one in transaction.models.deployments()}):
        firsts = _firsts(transaction.models.deployments(bee))
        judged = _measured(transaction.decisions.list(bee=bee)) if any(_within(one.at, asked) for one in firsts) else {}
        counted: set[str] = set()
        for deployment in firsts:
            version = transaction.models.get(bee, deployment.version)
            attempts = None if version is None else _attempts(version.run_id, runs, counted)
            if version is not None and _within(deployment.at, asked):
                found.append(gain(_change(deployment, version, bees.get(bee), judged, attempts)))
    return sorted(found, key=lambda one: (one.change.at, one.change.bee))


def shown_gains(found: Sequence[Gain], prices: PriceList) -> dict[str, Any]:
    """Return gains as one JSON object."""
    bees = dict.fromkeys(one.change.bee for one in found)
    totals = [_total(bee, [one for one in found if one.change.bee == bee]) for bee in bees]
    return {"currency": prices.currency, "gains": [one.told() for one in found], "bees": totals}


def _total(bee: str, found: Sequence[Gain]) -> dict[str, Any]:
    known = [(one.best.gain, one.cost) for one in found if one.best.gain is not None and one.cost is not None]
    gained = sum(value for value, _ in known if value is not None) if known else None
    cost = sum(value for _, value in known if value is not None) if known else None
    return {
        "beeId": bee,
        "metric": found[-1].change.metric,
        "versions": len(found),
        "counted": len(known),
        "gain": gained,
        "cost": cost,
        "gainPerCost": per(gained, cost),
    }


def _firsts(deployments: Iterable[Deployment]) -> list[Deployment]:
    """Return the changes that put a version into production for the first time; its return is no new gain."""
    seen: set[str] = set()
    found = []
    for one in deployments:
        if one.version not in seen:
            seen.add(one.version)
            found.append(one)
    return found


def _within(at: datetime, asked: Asked) -> bool:
    return (asked.since is None or at >= asked.since) and (asked.until is None or at < asked.until)


def _change(
    deployment: Deployment,
    version: ModelVersion,
    bee: BeeSpec | None,
    judged: Mapping[str, Sequence[Recorded]],
    attempts: Sequence[RunCost] | None,
) -> Change:
    gate = version.lineage.get("gate") or {}
    metric = bee.metric if bee else str(gate.get("metric") or "")
    scored = gate if gate.get("metric") in {None, metric} else {}
    before = [one for one in judged.get(deployment.previous or "", ()) if one.decided_at <= deployment.at]
    return Change(
        bee=deployment.bee,
        version=version.version,
        previous=deployment.previous,
        at=deployment.at,
        metric=metric,
        lower_is_better=_lower(metric, bee),
        gate=(_number(scored.get("champion")), _number(scored.get("challenger"))),
        before=list(reversed(_values(before, metric, bee))),
        after=_values(judged.get(version.version, ()), metric, bee),
        runs=attempts,
        forced=version.forced,
    )


def _lower(metric: str, bee: BeeSpec | None) -> bool:
    try:
        return lower_is_better(metric, bee.metric_direction if bee else None)
    except Rejected:
        return False


def _attempts(run_id: str | None, runs: Sequence[RunCost], counted: set[str]) -> list[RunCost] | None:
    """Return the run that made a version, with every attempt of its incident before; None: nobody knows it.

    What an earlier version of the same incident took is counted with that.
    """
    made = next((one for one in runs if one.run == run_id), None)
    if made is None:
        return None
    found = [made]
    if made.incident is not None:
        found = [one for one in runs if one.incident == made.incident and one.attempt <= made.attempt]
    found = [one for one in found if one.run not in counted]
    counted.update(one.run for one in found)
    return found


def _measured(decisions: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    found: dict[str, list[Recorded]] = {}
    for one in decisions:
        if one.action in _JUDGED:
            found.setdefault(one.model_version, []).append(one)
    return found


def _values(decisions: Iterable[Recorded], metric: str, bee: BeeSpec | None) -> list[Measured]:
    """Return what evaluations said of a metric, one for each data window with enough evidence, oldest first."""
    windows: dict[str, Measured] = {}
    for one in decisions:
        data = one.evaluation
        metrics, window = data.get("metrics"), data.get("window")
        value = _number(metrics.get(metric)) if isinstance(metrics, Mapping) else None
        told = window if isinstance(window, Mapping) else {}
        samples = _number(told.get("sampleCount"))
        if value is not None and _evidence(told, bee):
            key = str(told.get("id") or one.event_id)
            windows[key] = Measured(one.evaluated_at, value, int(samples) if samples else None)
    return sorted(windows.values(), key=lambda one: one.at)


def _evidence(window: Mapping[str, Any], bee: BeeSpec | None) -> bool:
    """Tell whether a window rests on as much as the bee asks for: else it proved nothing then, and gained nothing."""
    if bee is None:
        return True
    samples, positives = _number(window.get("sampleCount")), _number(window.get("positiveCount"))
    if samples is not None and samples < bee.evidence.min_samples:
        return False
    return bee.task == "regression" or positives is None or positives >= bee.evidence.min_positives


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
