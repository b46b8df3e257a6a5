"""A judgement as the `model.evaluated` event that takes it to the intake; pure."""

import math
from collections.abc import Mapping
from typing import Any

from worker.clock import to_text
from worker.monitor.drift import Drift
from worker.monitor.judge import TYPE, Judgement
from worker.publish.port import Outgoing

SOURCE = "//colony/monitor"


def outgoing(judgement: Judgement) -> Outgoing:
    """Return the event of a judgement; its id is the same whenever the same version's window is judged."""
    asked = judgement.asked
    return Outgoing(
        id=asked.event_id,
        type=TYPE,
        bee=asked.bee.bee,
        sequence=0,
        time=asked.as_of,
        data=evaluation(judgement),
        source=SOURCE,
    )


def evaluation(judgement: Judgement) -> dict[str, Any]:
    """Return the event's data, in JSON's own types; what is undefined is null."""
    asked, found = judgement.asked, judgement.results
    window = {
        "id": asked.window.id,
        "start": to_text(asked.window.start),
        "end": to_text(asked.window.end),
        "sampleCount": found.rows,
        **({} if found.positives is None else {"positiveCount": found.positives}),
        **({"loggedCount": judgement.logged} if judgement.logged else {}),
        **({} if judgement.labelled is None else {"labelledShare": judgement.labelled}),
    }
    told: dict[str, Any] = {
        "beeId": asked.bee.bee,
        "modelVersion": asked.version.version,
        "evaluatedAt": to_text(asked.as_of),
        "window": window,
        "metrics": {name: one.value for name, one in found.metrics.items()},
        "intervals": {name: _interval(one.lower, one.upper) for name, one in found.metrics.items()},
        "sampleCounts": {name: one.rows for name, one in found.metrics.items()},
        "baseline": dict(judgement.baseline),
    }
    return told if judgement.drift is None else {**told, "drift": _drift(judgement, judgement.drift)}


def _interval(lower: float | None, upper: float | None) -> list[float | None] | None:
    return None if lower is None and upper is None else [lower, upper]


def _drift(judgement: Judgement, drift: Drift) -> Mapping[str, Any]:
    columns = [*drift.features, *([drift.predictions] if drift.predictions else [])]
    asked = judgement.asked
    reference = asked.reference if isinstance(asked.reference, str) else "previous"
    bounds = {} if reference == "training" else {"start": to_text(asked.before.start), "end": to_text(asked.before.end)}
    return {
        "detected": drift.severity != "none",
        "severity": drift.severity,
        "score": drift.score,
        "features": list(drift.drifted)[:200],
        "findings": {one.name: list(one.findings) for one in columns if one.findings},
        "psi": {one.name: one.psi for one in columns if not math.isnan(one.psi)},
        "reference": {"kind": reference, "sampleCount": judgement.reference_rows, **bounds},
    }
