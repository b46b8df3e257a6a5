from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.world import BEE, NOW
from worker.bee import BeeSpec
from worker.decide.course import Course, Situation
from worker.decide.decision import Action, Conclusion, Decision, History, decide
from worker.decide.evaluation import Drift, Evaluation
from worker.decide.memory import BeeMemory
from worker.decide.policy import Arming, Policy
from worker.decide.rules import Outcome, rules_of
from worker.decide.signal import judge
from worker.incidents.machine import State

LIVE = History(known=True, champion="1")
BAD = Evaluation(BEE.bee, "1", NOW, metrics={"f1": Decimal("0.4")}, baseline={"f1": Decimal("0.9")})
GOOD = replace(BAD, metrics={"f1": Decimal("0.9")})
UNDEFINED = replace(BAD, metrics={"f1": None})
QUIET, DRIFT = Drift(detected=False), Drift(detected=True, severity="high")
OBSERVED = BEE.model_copy(update={"mode": "observe"})

VALUES = st.none() | st.decimals(-2, 2, places=3)
EVALUATIONS = st.builds(
    Evaluation,
    bee=st.just(BEE.bee),
    version=st.sampled_from(["1", "2"]),
    evaluated_at=st.integers(-600, 600).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    sample_count=st.none() | st.integers(0, 100),
    positive_count=st.none() | st.integers(0, 100),
    metrics=st.dictionaries(st.sampled_from(["f1", "loss"]), VALUES),
    baseline=st.dictionaries(st.sampled_from(["f1", "loss"]), VALUES),
    drift=st.none() | st.builds(Drift, st.none() | st.booleans(), st.none() | st.sampled_from(["low", "high"])),
)
HISTORIES = st.builds(
    History,
    known=st.booleans(),
    champion=st.none() | st.sampled_from(["1", "2"]),
    recorded=st.dictionaries(st.just("f1"), VALUES),
    watermark=st.none() | st.integers(-600, 600).map(lambda seconds: NOW + timedelta(seconds=seconds)),
    previous=st.none() | st.just("0"),
)
ACTIVE = st.none() | st.just("r1")
BEES = st.sampled_from([BEE, OBSERVED])


def _conclude(
    evaluation: Evaluation,
    history: History = LIVE,
    *,
    bee: BeeSpec = BEE,
    policy: Policy | None = None,
    active: str | None = None,
    course: Course | None = None,
) -> Conclusion:
    return decide(evaluation, history, course or Course(), Situation(bee, policy or Policy(), NOW, active), "i1")


def _decide(evaluation: Evaluation, history: History = LIVE, **more: Any) -> Decision:
    return _conclude(evaluation, history, **more).decision


@given(EVALUATIONS, HISTORIES, BEES, ACTIVE)
def test_pure(evaluation: Evaluation, history: History, bee: BeeSpec, active: str | None) -> None:
    """The same arguments give the same conclusion."""
    first, second = (_conclude(evaluation, history, bee=bee, active=active) for _ in range(2))

    assert first == second


@given(EVALUATIONS, HISTORIES, BEES, ACTIVE)
def test_every_decision_has_its_reason(
    evaluation: Evaluation, history: History, bee: BeeSpec, active: str | None
) -> None:
    """Whatever was concluded, there is a sentence, and at least one rule or guard that says why."""
    found = _decide(evaluation, history, bee=bee, active=active)

    assert found.reason
    assert all(rule.why for rule in found.rules)
    assert found.rules


@given(EVALUATIONS, HISTORIES, BEES, ACTIVE)
def test_a_trigger_has_every_permission(
    evaluation: Evaluation, history: History, bee: BeeSpec, active: str | None
) -> None:
    """Nothing is triggered unless a rule fired, for the version in production, in order, with nothing in flight."""
    found = _conclude(evaluation, history, bee=bee, active=active)

    assert (found.decision.action is Action.TRIGGER) == bool(found.effects)
    if found.decision.action is Action.TRIGGER:
        assert found.decision.bad
        assert bee is BEE
        assert history.known
        assert history.champion == evaluation.version
        assert active is None
        assert history.watermark is None or evaluation.evaluated_at >= history.watermark
        assert evaluation.evaluated_at <= NOW + Policy().max_ahead


@given(EVALUATIONS, HISTORIES, BEES, ACTIVE)
def test_what_was_not_judged_is_not_remembered(
    evaluation: Evaluation, history: History, bee: BeeSpec, active: str | None
) -> None:
    """An evaluation that was turned away opens no incident and leaves no window, only that the bee was heard."""
    found = _conclude(evaluation, history, bee=bee, active=active)

    if not found.decision.moves_watermark:
        assert found.course == Course().heard(NOW)


@pytest.mark.parametrize(
    ("evaluation", "action", "word"),
    [
        (BAD, Action.TRIGGER, "55.6% worse"),
        (replace(GOOD, drift=DRIFT), Action.TRIGGER, "drift with severity high"),
        (replace(BAD, drift=DRIFT), Action.TRIGGER, "; drift with severity high"),
        (replace(UNDEFINED, drift=DRIFT), Action.TRIGGER, "drift with severity high"),
        (GOOD, Action.NONE, "the same"),
        (UNDEFINED, Action.NONE, "no evidence"),
        (replace(GOOD, metrics={}, drift=QUIET), Action.NONE, "no drift detected"),
        (replace(GOOD, metrics={}), Action.NONE, "no evidence of a drop; the event says nothing about drift"),
        (replace(GOOD, drift=Drift(detected=True, severity="medium")), Action.NONE, "the rule asks for high"),
        (replace(GOOD, drift=Drift(detected=False, severity="high")), Action.NONE, "no drift detected"),
    ],
)
def test_what_is_judged(evaluation: Evaluation, action: Action, word: str) -> None:
    """Either clause triggers alone, and the reason says which one did or why none."""
    found = _decide(evaluation)

    assert (found.action, found.moves_watermark) == (action, True)
    assert word in found.reason


@pytest.mark.parametrize(
    ("evaluation", "history", "action", "rule"),
    [
        (replace(BAD, evaluated_at=NOW + timedelta(minutes=5, microseconds=1)), LIVE, Action.REFUSED, "event_time"),
        (BAD, History(known=False, champion="1"), Action.REFUSED, "known_version"),
        (BAD, History(known=True, champion="2"), Action.NONE, "live_version"),
        (BAD, History(known=True, champion=None), Action.NONE, "live_version"),
        (BAD, replace(LIVE, watermark=NOW + timedelta(microseconds=1)), Action.STALE, "order"),
    ],
)
def test_what_is_turned_away(evaluation: Evaluation, history: History, action: Action, rule: str) -> None:
    """An evaluation of the future, of an unknown version, of one not live, or out of order moves nothing."""
    found = _decide(evaluation, history)

    assert (found.action, found.moves_watermark) == (action, False)
    assert [one.name for one in found.rules] == [rule]
    assert not found.bad


def test_five_minutes_ahead_are_allowed() -> None:
    """Clocks differ a little: exactly the tolerance is judged, and a policy may set it."""
    ahead = replace(BAD, evaluated_at=NOW + timedelta(minutes=5))

    assert _decide(ahead).action is Action.TRIGGER
    assert _decide(ahead, policy=Policy(max_ahead=timedelta(minutes=4))).action is Action.REFUSED


def test_the_same_time_again_is_judged() -> None:
    """Only an older evaluation is stale; two of one moment are both judged."""
    assert _decide(BAD, replace(LIVE, watermark=NOW)).action is Action.TRIGGER


def test_a_run_in_flight_holds_back() -> None:
    """While a run of another origin is in flight the incident waits for its end; the reason names it."""
    found = _conclude(BAD, active="r")

    assert found.decision.action is Action.HELD
    assert "run r of this bee is in flight" in found.decision.reason
    held = [rule.name for rule in found.decision.rules if rule.outcome is Outcome.HELD]
    assert held == ["one_run_per_bee"]
    assert found.course.incident is not None
    assert found.course.incident.state is State.OPEN


def test_an_evaluation_joins_the_incident_that_is_worked_on() -> None:
    """While the incident's own run is in flight a bad evaluation asks for nothing."""
    course = _conclude(BAD).course

    found = _conclude(replace(BAD, window_id="w2"), course=course, active="r")

    assert found.decision.action is Action.ATTACHED
    assert found.effects == ()


def test_observe() -> None:
    """A bee that is only observed is judged, and held back."""
    found = _decide(BAD, bee=OBSERVED)

    assert found.action is Action.HELD
    assert "observe" in found.reason
    assert found.bad


@pytest.mark.parametrize(
    ("evaluation", "good"),
    [
        (GOOD, True),
        (BAD, False),
        (UNDEFINED, False),
        (replace(GOOD, drift=QUIET), True),
        (replace(GOOD, drift=DRIFT), False),
        (replace(UNDEFINED, drift=QUIET), True),
        (replace(BAD, drift=QUIET), False),
        (replace(GOOD, sample_count=3, drift=QUIET), False),
        (replace(GOOD, metrics={}, drift=QUIET), True),
        (replace(GOOD, metrics={}), False),
        (replace(GOOD, drift=Drift(detected=True, severity="low")), True),
    ],
)
def test_what_is_evidence_of_health(evaluation: Evaluation, good: bool) -> None:  # noqa: FBT001
    """Where the metric is told only it heals; quiet drift alone heals only where no metric is told."""
    rules = rules_of(evaluation, BEE, Policy(), {}, bad_before=False)

    assert judge(evaluation, rules, BeeMemory(), "any", Arming()).good is good


def test_the_recorded_evaluation_is_the_baseline() -> None:
    """Without a baseline in the event the version's own recorded metrics are compared with."""
    bare = replace(BAD, baseline={})

    assert _decide(bare).action is Action.NONE
    assert _decide(bare, replace(LIVE, recorded={"f1": Decimal("0.9")})).action is Action.TRIGGER


@given(evaluation=EVALUATIONS, history=HISTORIES)
def test_a_live_challenger_is_never_judged_as_the_champion(evaluation: Evaluation, history: History) -> None:
    """However bad it is, it opens and begins nothing: it says what it adds, in its own version's order."""
    tried = replace(history, known=True, champion="1", tried="its rollout heard accuracy 0.2")
    challenger = replace(evaluation, version="2")

    found = _conclude(challenger, tried)

    assert (found.course.incident, found.effects) == (None, ())
    late = tried.watermark is not None and challenger.evaluated_at < tried.watermark
    if found.decision.moves_watermark:
        assert found.decision.action is Action.NONE
        assert found.decision.reason == "version 2 is tried beside version 1: its rollout heard accuracy 0.2"
        assert not late
    else:
        assert found.decision.action in {Action.STALE, Action.REFUSED}
    # The champion's own evaluations are judged as ever.
    assert _conclude(replace(evaluation, version="1"), tried) == _conclude(
        replace(evaluation, version="1"), replace(tried, tried="")
    )
