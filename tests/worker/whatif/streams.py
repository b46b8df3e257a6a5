"""Random recordings: several bees, versions that change, duplicates, disorder, malformed messages."""

# ruff: noqa: E501, FBT003 - tables of what is drawn

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.worker.world import BEE, message, plain
from worker.decide.policy import (
    Approval,
    Arming,
    Breaker,
    Budget,
    Colony,
    DriftRule,
    FeatureRule,
    MetricRule,
    Policy,
    Retry,
    Verify,
)
from worker.intake.port import Message

START = datetime(2002, 8, 1, tzinfo=UTC)
WALL = datetime(2003, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEES = {name: BEE.model_copy(update={"bee": name}) for name in ("ant", "bee", "cow")}
BEES["cow"] = BEES["cow"].model_copy(update={"metric": "loss"})
ORDER = {"ant": ["1", "2", "3"], "bee": ["1", "2"], "cow": ["1"]}
BROKEN = [b"{broken", b"[]", b'{"type": "model.evaluated", "beeId": 1}', b'{"type": "other"}', b"\xff"]

_HOURS = st.sampled_from([timedelta(0), HOUR, 5 * HOUR, 30 * HOUR])
_BREAKERS = st.one_of(
    st.just(Breaker()),
    st.builds(
        Breaker, failures=st.integers(1, 3), within=st.just(90 * HOUR), pause=st.sampled_from([9 * HOUR, 40 * HOUR])
    ),
)
_BUDGETS = st.one_of(
    st.just(Budget()),
    st.builds(Budget, runs_per_day=st.integers(0, 2)),
    st.builds(Budget, cost_per_month=st.sampled_from([Decimal(3), Decimal(7)])),
)
METRIC = st.sampled_from(
    [
        MetricRule(Decimal("0.2")),
        MetricRule(Decimal("0.2"), Decimal("0.05")),
        MetricRule(Decimal("0.2"), floor=Decimal("0.6"), clear_floor=Decimal("0.7")),
    ]
)
POLICIES = st.builds(
    Policy,
    metric=METRIC,
    drift=st.sampled_from([DriftRule(), DriftRule("medium", at_least=True, score=Decimal("0.5"), clear_score=Decimal("0.3"))]),
    vote=st.sampled_from(["any", "any", "all", 2]),
    arming=st.sampled_from([Arming(), Arming(2, 3)]),
    cooldown=_HOURS,
    retry=st.builds(Retry, limit=st.integers(1, 4), backoff=_HOURS),
    verify=st.builds(Verify, windows=st.integers(1, 2), roll_back=st.just(False), within=st.sampled_from([None, 40 * HOUR]), recover=st.booleans()),
    breaker=_BREAKERS,
    budget=_BUDGETS,
    features=st.sampled_from([FeatureRule(), FeatureRule(("stale",), ("drifted", "missing"))]),
    approval=st.builds(Approval, runs=st.sampled_from(["never", "always"]), expires=st.just(7 * HOUR), on_expiry=st.sampled_from(["refuse", "approve"])),
    colony=st.builds(Colony, breaker=_BREAKERS, budget=_BUDGETS, runs=st.sampled_from([None, 1, 2]), starving=st.sampled_from([HOUR, 50 * HOUR])),
)  # fmt: skip


@st.composite
def recordings(draw: st.DrawFn) -> list[Message]:
    """Draw a recording of up to 40 messages."""
    found: list[Message] = []
    at = START
    for number in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from(["new"] * 7 + ["found", "again", "broken"]))
        at += draw(st.sampled_from([timedelta(0), HOUR, 6 * HOUR, 24 * HOUR]))
        if kind == "broken":
            found.append(plain(draw(st.sampled_from(BROKEN)), f"m{number}"))
        elif kind == "again" and found:
            found.append(draw(st.sampled_from(found)))
        elif kind == "found":
            found.append(_event(f"e{number}", at, draw(_found(at)), "feature.found"))
        else:
            found.append(_event(f"e{number}", at, draw(_data(at))))
    return found


def _event(id_: str, at: datetime, data: dict[str, Any], type_: str = "model.evaluated") -> Message:
    """Return a delivery of a CloudEvent, binary or structured by turns."""
    if at.hour % 2:
        sent = message(id_, json.dumps(data).encode())
        return replace(sent, attributes={**sent.attributes, "ce-type": type_, "ce-time": at.isoformat()})
    event = {"specversion": "1.0", "id": id_, "source": "//monitor", "type": type_, "time": at.isoformat()}
    return Message(json.dumps({**event, "data": data}).encode(), {}, message_id=f"bus-{id_}")


@st.composite
def _found(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    """Draw a finding of a feature, some of them nonsense."""
    return {
        "beeId": draw(st.sampled_from(["ant"] * 4 + ["bee", "cow", "nobody"])),
        "modelVersion": draw(st.sampled_from(["1"] * 9 + ["2"])),
        "feature": draw(st.sampled_from(["age", "size", ""])),
        "kinds": draw(st.sampled_from([["drifted"], ["missing", "stale"], ["range"], ["strange"]])),
        "findings": ["its values have moved"],
        "evaluatedAt": (at - draw(st.sampled_from([timedelta(0), 7 * HOUR]))).isoformat(),
    }


@st.composite
def _data(draw: st.DrawFn, at: datetime) -> dict[str, Any]:
    bee = draw(st.sampled_from(["ant"] * 4 + ["bee", "cow"] * 2 + ["nobody"]))
    late = draw(st.sampled_from([timedelta(0)] * 20 + [7 * HOUR, -9000 * HOUR]))
    when = at - late
    metric = "loss" if bee == "cow" else "f1"
    value = draw(st.sampled_from([0.9, 0.74, 0.72, 0.719, 0.5, 0.5, 0.3, None]))
    data: dict[str, Any] = {"beeId": bee, "modelVersion": draw(st.sampled_from(["1"] * 20 + ["2", "3", "9"]))}
    if draw(st.integers(0, 9)):
        data["evaluatedAt"] = when.isoformat()
    if draw(st.integers(0, 9)):
        data["metrics"] = {metric: value}
        if draw(st.integers(0, 3)):
            data["baseline"] = {metric: draw(st.sampled_from([0.9, 0.9, 0.5])) if metric == "f1" else 0.4}
    window = draw(st.sampled_from([None, "w1", "w2"]))
    if window:
        data["window"] = {"id": window, "sampleCount": draw(st.sampled_from([20, 437]))}
    if draw(st.booleans()):
        severity = draw(st.sampled_from(["none", "low", "medium", "high", "critical"]))
        data["drift"] = {
            "detected": draw(st.booleans()),
            "severity": severity,
            "score": draw(st.sampled_from([0.1, 0.4, 0.6])),
        }
    return data
