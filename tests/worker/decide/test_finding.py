"""Findings of features as reasons to retrain."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.worker.world import BEE, NOW
from worker.decide.course import Begin, Course, Situation
from worker.decide.decision import Action, Conclusion, History, decide
from worker.decide.evaluation import Evaluation
from worker.decide.finding import FoundFeature, conclude, parse_found
from worker.decide.policy import Arming, FeatureRule, Policy, Retry
from worker.errors import Rejected
from worker.incidents.machine import State
from worker.monitor.finding import OpenFinding

DATA: dict[str, Any] = {
    "beeId": BEE.bee,
    "modelVersion": 1,
    "feature": "spam_probability",
    "kinds": ["drifted", "missing"],
    "findings": ["its values have moved: PSI 0.31", "40% are missing, 2% were"],
    "evaluatedAt": "2002-10-01T00:00:00Z",
    "window": {"id": "w1"},
}
FOUND = parse_found(DATA, event_time=NOW)
LIVE = History(known=True, champion="1")
POLICY = Policy(features=FeatureRule(trigger=("missing",)))


def _conclude(
    found: Evaluation = FOUND, history: History = LIVE, course: Course | None = None, **more: Any
) -> Conclusion:
    situation = Situation(**{"bee": BEE, "policy": POLICY, "now": NOW, **more})
    return conclude(found, history, course or Course(), situation, "i1")


def test_what_is_sent_is_read() -> None:
    """Everything that it tells is there; the time is the envelope's where it tells none."""
    assert (FOUND.bee, FOUND.version, FOUND.feature, FOUND.kinds) == (
        BEE.bee,
        "1",
        "spam_probability",
        ("drifted", "missing"),
    )
    assert FOUND.window_id == "w1"
    assert parse_found({**DATA, "evaluatedAt": None}, event_time=NOW).evaluated_at == NOW


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"feature": None}, "data.feature"),
        ({"feature": "x" * 129}, "data.feature"),
        ({"kinds": []}, "data.kinds"),
        ({"kinds": ["strange"]}, "data.kinds"),
        ({"kinds": "missing"}, "data.kinds"),
        ({"findings": ["x" * 1001]}, "data.findings"),
        ({"findings": ["x"] * 51}, "data.findings"),
        ({"beeId": "No Bee"}, "data.beeId"),
        ({"modelVersion": None}, "data.modelVersion"),
        ({"evaluatedAt": "yesterday"}, "data.evaluatedAt"),
    ],
)
def test_what_is_wrong_is_refused(change: dict[str, Any], field: str) -> None:
    """Each field says what is wrong with it."""
    with pytest.raises(Rejected) as refused:
        parse_found({**DATA, **change}, event_time=NOW)
    assert refused.value.field == field


def test_a_kind_that_the_policy_names_opens_an_incident() -> None:
    """It begins a run at once: arming is for evaluations; the model's own windows are left as they were."""
    course = Course()
    said = _conclude(course=course, policy=replace(POLICY, arming=Arming(3, 5)))
    assert said.decision.action is Action.TRIGGER
    assert [type(effect) for effect in said.effects] == [Begin]
    assert (said.course.incident and said.course.incident.state) == State.RETRAINING
    assert (said.course.memory.windows, said.decision.moves_watermark) == (course.memory.windows, False)
    assert "spam_probability: its values have moved" in said.decision.reason


@pytest.mark.parametrize(
    ("more", "action", "words"),
    [
        ({"policy": Policy()}, Action.NONE, "no reason to retrain"),
        ({"policy": Policy(features=FeatureRule(trigger=("stale",)))}, Action.NONE, "no reason to retrain"),
        ({"history": History(known=True, champion="2")}, Action.NONE, "not in production (that is 2)"),
        ({"history": History(known=False, champion=None)}, Action.NONE, "not in production (that is none)"),
        ({"history": replace(LIVE, tried="a rollout is under way")}, Action.NONE, "a rollout is under way"),
        ({"found": replace(FOUND, evaluated_at=NOW + timedelta(hours=1))}, Action.REFUSED, "ahead of the clock"),
        ({"bee": BEE.model_copy(update={"mode": "observe"})}, Action.HELD, "mode is observe"),
        ({"active_run": "r9"}, Action.HELD, "run r9 of this bee is in flight"),
        ({"findings": (OpenFinding("spam_probability", "missing", "40% are missing"),),
          "policy": Policy(features=FeatureRule(("missing",), ("missing",)))}, Action.HELD, "broken feature"),
    ],
)  # fmt: skip
def test_what_begins_nothing(more: dict[str, Any], action: Action, words: str) -> None:
    """Each reason is told; none has an effect."""
    said = _conclude(**more)
    assert (said.decision.action, said.effects) == (action, ())
    assert words in said.decision.reason


def test_it_joins_an_open_incident() -> None:
    """While a run is in flight it is noted; what the incident knew of the metric stays known."""
    bad = Evaluation(BEE.bee, "1", NOW, metrics={"f1": Decimal("0.4")}, baseline={"f1": Decimal("0.9")})
    first = decide(bad, LIVE, Course(), Situation(BEE, POLICY, NOW), "i0")
    said = _conclude(course=first.course, active_run="r1")
    assert (said.decision.action, said.effects) == (Action.ATTACHED, ())
    incident = said.course.incident
    assert incident is not None
    assert incident.newest is not None
    assert (incident.id, incident.newest.value, incident.newest.severity) == ("i0", Decimal("0.4"), 3)


def test_it_takes_on_an_incident_that_is_due() -> None:
    """One that waits for something that is over begins its attempt; one in its back-off does not."""
    held = _conclude(active_run="r9").course
    again = _conclude(replace(FOUND, feature="user_reputation_score"), course=held)
    assert (again.decision.action, [type(effect) for effect in again.effects]) == (Action.TRIGGER, [Begin])
    assert held.incident is not None
    waiting = replace(
        held.incident,
        state=State.FAILED,
        attempt=1,
        waiting=replace(held.incident.waiting, until=NOW + Retry().backoff),
    )  # type: ignore[type-var]
    assert _conclude(course=held.with_incident(waiting)).decision.action is Action.ATTACHED


def test_an_evaluation_is_decided_as_ever() -> None:
    """What is no finding takes the usual way."""
    bad = Evaluation(BEE.bee, "1", NOW, metrics={"f1": Decimal("0.4")}, baseline={"f1": Decimal("0.9")})
    situation = Situation(BEE, POLICY, NOW)
    assert conclude(bad, LIVE, Course(), situation, "i1") == decide(bad, LIVE, Course(), situation, "i1")
    assert isinstance(FOUND, FoundFeature)
