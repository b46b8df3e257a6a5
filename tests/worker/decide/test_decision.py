from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.world import BEE, NOW
from worker.decide.decision import Action, Decision, History, decide
from worker.decide.evaluation import Drift, Evaluation
from worker.decide.policy import Policy
from worker.decide.rules import Outcome

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
    incident=st.none() | st.just("i1"),
    active_run=st.none() | st.just("r1"),
)
BEES = st.sampled_from([BEE, OBSERVED])


def _decide(evaluation: Evaluation, history: History = LIVE, policy: Policy | None = None) -> Decision:
    return decide(evaluation, history, BEE, policy or Policy(), NOW)


@given(EVALUATIONS, HISTORIES, BEES)
def test_pure(evaluation: Evaluation, history: History, bee: object) -> None:
    """The same arguments give the same decision."""
    first, second = (decide(evaluation, history, bee, Policy(), NOW) for _ in range(2))  # type: ignore[arg-type]

    assert first == second


@given(EVALUATIONS, HISTORIES, BEES)
def test_every_decision_has_its_reason(evaluation: Evaluation, history: History, bee: object) -> None:
    """Whatever was concluded, there is a sentence, and at least one rule or guard that says why."""
    found = decide(evaluation, history, bee, Policy(), NOW)  # type: ignore[arg-type]

    assert found.reason
    assert all(rule.why for rule in found.rules)
    assert found.rules


@given(EVALUATIONS, HISTORIES, BEES)
def test_a_trigger_has_every_permission(evaluation: Evaluation, history: History, bee: object) -> None:
    """Nothing is triggered unless a rule fired, for the version in production, in order, with nothing in flight."""
    found = decide(evaluation, history, bee, Policy(), NOW)  # type: ignore[arg-type]

    if found.action is Action.TRIGGER:
        assert found.bad
        assert bee is BEE
        assert history.known
        assert history.champion == evaluation.version
        assert history.active_run is None
        assert history.watermark is None or evaluation.evaluated_at >= history.watermark
        assert evaluation.evaluated_at <= NOW + Policy().max_ahead


@given(EVALUATIONS, HISTORIES, BEES)
def test_good_and_bad_exclude_each_other(evaluation: Evaluation, history: History, bee: object) -> None:
    """An evaluation is evidence for the model, against it, or neither; and only one that was judged."""
    found = decide(evaluation, history, bee, Policy(), NOW)  # type: ignore[arg-type]

    assert not (found.good and found.bad)
    assert found.moves_watermark or not (found.good or found.bad)


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
    assert not found.good


def test_five_minutes_ahead_are_allowed() -> None:
    """Clocks differ a little: exactly the tolerance is judged, and a policy may set it."""
    ahead = replace(BAD, evaluated_at=NOW + timedelta(minutes=5))

    assert _decide(ahead).action is Action.TRIGGER
    assert _decide(ahead, policy=Policy(max_ahead=timedelta(minutes=4))).action is Action.REFUSED


def test_the_same_time_again_is_judged() -> None:
    """Only an older evaluation is stale; two of one moment are both judged."""
    assert _decide(BAD, replace(LIVE, watermark=NOW)).action is Action.TRIGGER


@pytest.mark.parametrize(
    ("history", "action", "guard"),
    [
        (replace(LIVE, incident="i", active_run="r"), Action.ATTACHED, "incident_open"),
        (replace(LIVE, active_run="r"), Action.HELD, "one_run_per_bee"),
    ],
)
def test_one_run_in_flight(history: History, action: Action, guard: str) -> None:
    """While a run is in flight no other is asked for; the reason names the one."""
    found = _decide(BAD, history)

    assert found.action is action
    assert found.rules[-1].name == guard
    assert found.rules[-1].outcome is Outcome.HELD
    assert "r" in found.rules[-1].inputs.values()
    assert found.bad


def test_observe() -> None:
    """A bee that is only observed is judged, and held back."""
    found = decide(BAD, LIVE, OBSERVED, Policy(), NOW)

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
    assert _decide(evaluation).good is good


def test_the_recorded_evaluation_is_the_baseline() -> None:
    """Without a baseline in the event the version's own recorded metrics are compared with."""
    bare = replace(BAD, baseline={})

    assert _decide(bare).action is Action.NONE
    assert _decide(bare, replace(LIVE, recorded={"f1": Decimal("0.9")})).action is Action.TRIGGER
