"""With `recover` an incident closes only once the bee's metric is near to what it was before it; pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.world import BEE, NOW
from worker.bee import BeeSpec
from worker.decide import course as courses
from worker.decide import rollouts
from worker.decide.course import Begin, Course, Ending, Situation
from worker.decide.decision import Action, Conclusion, Decision, History, decide
from worker.decide.evaluation import Drift, Evaluation, Metrics
from worker.decide.policy import Arming, MetricRule, Policy, Retry, Verify
from worker.decide.rules import Outcome, RuleResult
from worker.incidents import machine
from worker.incidents.machine import Incident, State

HOUR = timedelta(hours=1)
RECOVER = Policy(verify=Verify(recover=True), retry=Retry(limit=3, backoff=HOUR))
LOSS = BEE.model_copy(update={"metric": "loss"})
QUIET, DRIFT = Drift(detected=False), Drift(detected=True, severity="high")


@dataclass
class Life:
    """A bee whose evaluations come a day apart; each deployment makes the next version."""

    policy: Policy = RECOVER
    bee: BeeSpec = BEE
    course: Course = field(default_factory=Course)
    champion: int = 1
    days: int = 0
    labels: int | None = None
    recorded: Metrics = field(default_factory=dict)
    begun: int = 0

    @property
    def incident(self) -> Incident:
        """The incident as it stands."""
        assert self.course.incident is not None
        return self.course.incident

    @property
    def situation(self) -> Situation:
        """What is around the bee today."""
        now = NOW + self.days * 24 * HOUR
        return Situation(self.bee, self.policy, now, None, 0, Decimal(1), new_labels=self.labels)

    def told(
        self, value: str | None, baseline: str | None = "0.94", window: str = "", drift: Drift | None = None
    ) -> Decision:
        """Let the next day's evaluation of the version in production come in."""
        self.days += 1
        name = self.bee.metric
        metrics = {name: None if value is None else Decimal(value)}
        base = {} if baseline is None else {name: Decimal(baseline)}
        key = window or f"w{self.days}"
        return self.judged(
            Evaluation(self.bee.bee, str(self.champion), self.situation.now, key, None, None, metrics, base, drift)
        )

    def judged(self, evaluation: Evaluation) -> Decision:
        """Take an evaluation."""
        previous = str(self.champion - 1) if self.champion > 1 else None
        history = History(known=True, champion=str(self.champion), recorded=self.recorded, previous=previous)
        found: Conclusion = decide(evaluation, history, self.course, self.situation, f"i{self.days}")
        begun = sum(isinstance(effect, Begin) for effect in found.effects)
        assert begun == (found.decision.action is Action.TRIGGER)
        self.begun, self.course = self.begun + begun, found.course
        return found.decision

    def ends(self, state: State = State.DEPLOYED) -> None:
        """Let the run in flight end."""
        self.champion += state is State.DEPLOYED
        self.course = courses.ended(self.course, self.situation, Ending(state, "so it was", "r"))

    def passes(self) -> None:
        """Let a day pass without an evaluation."""
        self.days += 1
        self.course, effects = courses.tick(self.course, self.situation)
        self.begun += sum(isinstance(effect, Begin) for effect in effects)


def _fallen(policy: Policy = RECOVER, *, bee: BeeSpec = BEE) -> Life:
    """Return a bee that fell from 0.94 to 0.30, and whose first challenger has just been deployed."""
    life = Life(policy, bee)
    life.told("0.30")
    life.ends()
    return life


def _rule(decision: Decision) -> RuleResult:
    (found,) = [rule for rule in decision.rules if rule.name == "recovery"]
    return found


def test_a_low_gate_value_is_no_recovery() -> None:
    """The first challenger is well by its own 0.60; the incident goes on until a model is near to 0.94 again."""
    life = _fallen()

    again = life.told("0.61", "0.60")

    assert again.action is Action.TRIGGER
    assert "better than before, but not recovered: f1 0.61 against 0.94 when the incident opened" in again.reason
    assert (life.incident.state, life.incident.attempt) == (State.RETRAINING, 2)
    assert [entry["what"] for entry in life.incident.story][-2:] == ["unrecovered", "retraining"]
    life.ends()
    closing = life.told("0.85", "0.60")
    assert (closing.action, life.incident.state) == (Action.NONE, State.CLOSED)
    assert _rule(closing).why == "recovered: f1 0.85 against 0.94 when the incident opened"


def test_without_the_word_the_first_well_one_closes() -> None:
    """As it always was: nothing is remembered, and well by its own baseline is the end."""
    life = _fallen(replace(RECOVER, verify=Verify()))

    found = life.told("0.61", "0.60")

    assert (found.action, life.incident.state, life.incident.baseline) == (Action.NONE, State.CLOSED, None)
    assert all(rule.name != "recovery" for rule in found.rules)


@pytest.mark.parametrize(
    ("bee", "opening", "values"),
    [
        (BEE, ("0.30", "0.90"), {"0.72": True, "0.7199999999999999999999": False}),
        (LOSS, ("1.90", "0.40"), {"0.48": True, "0.4800000000000000000001": False}),
    ],
)
def test_the_bar_is_exact(bee: BeeSpec, opening: tuple[str, str], values: dict[str, bool]) -> None:
    """A drop of exactly maxDrop has recovered, a digit more has not; whichever way is better."""
    for value, recovers in values.items():
        life = Life(bee=bee)
        life.told(*opening)
        life.ends()

        found = life.told(value, value)

        assert (life.incident.state is State.CLOSED) == recovers
        assert _rule(found).outcome is (Outcome.CLEAR if recovers else Outcome.FIRED)


def test_well_but_worse_than_before_is_told_so() -> None:
    """What is well by its own low baseline and below the fallen champion is not called better; nothing goes back."""
    life = _fallen()

    found = life.told("0.25", "0.25")

    assert "well by its own baseline, but not recovered: f1 0.25 against 0.94" in found.reason
    assert (found.action, life.champion) == (Action.TRIGGER, 2)


def test_the_limit_of_attempts_asks_a_person_and_a_recovery_still_closes() -> None:
    """After the last attempt the incident is escalated; what is no recovery joins it there, a recovery ends it."""
    life = _fallen(replace(RECOVER, retry=Retry(limit=2)))
    life.told("0.61", "0.60")
    life.ends()

    last = life.told("0.65", "0.60")

    assert (last.action, life.incident.state, life.begun) == (Action.HELD, State.ESCALATED, 2)
    assert "2 of 2 attempts did not mend it, a person must look" in str(life.incident.story[-1]["reason"])
    assert life.told("0.66", "0.60").action is Action.ATTACHED
    life.told("0.90", "0.60")
    assert life.incident.state is State.CLOSED


def test_the_guards_hold_it_back() -> None:
    """Without a new label no attempt begins; with one it does by itself once the bar has lifted."""
    life = _fallen()
    life.labels = 0

    held = life.told("0.61", "0.60")

    assert held.action is Action.HELD
    assert "not recovered" in held.reason
    assert "nothing new: no label has become known" in held.reason
    life.labels = 7
    life.passes()
    assert (life.incident.state, life.begun) == (State.RETRAINING, 2)
    assert "not recovered" in str(life.incident.story[-1]["reason"])


def test_one_window_asks_once() -> None:
    """The same data window told again joins the incident; the next window asks for another attempt."""
    life = _fallen()
    life.told("0.61", "0.60", "w")
    life.ends(State.REFUSED)
    life.passes()
    life.ends(State.OPEN)

    assert life.told("0.61", "0.60", "w").action is Action.ATTACHED
    assert life.told("0.61", "0.60", "later").action is Action.TRIGGER


def test_what_comes_while_a_run_is_in_flight_is_no_recovery() -> None:
    """A refused run does not close the incident for evaluations that were well, but not recovered."""
    life = _fallen()
    life.told("0.61", "0.60")
    assert life.told("0.62", "0.60").action is Action.ATTACHED

    life.ends(State.REFUSED)

    assert life.incident.state is State.REFUSED
    life.passes()
    assert life.incident.state is State.RETRAINING
    life.told("0.92", "0.60")
    life.ends(State.REFUSED)
    assert life.incident.state is State.CLOSED


def test_windows_that_are_well_count_only_in_a_row() -> None:
    """One that has not recovered lets the ones before it be forgotten."""
    life = _fallen(replace(RECOVER, verify=Verify(windows=2, recover=True)))
    life.told("0.90", "0.60")
    assert life.incident.well == ("w2",)
    life.told("0.61", "0.60")
    assert life.incident.well == ()
    life.ends()
    life.told("0.90", "0.60")
    life.told("0.90", "0.60")
    assert life.incident.state is State.CLOSED


def test_windows_in_flight_count_only_in_a_row() -> None:
    """While a run is in flight one that has not recovered is as a bad one: what was well before it counts no more."""
    life = _fallen(replace(RECOVER, verify=Verify(windows=2, recover=True)))
    life.told("0.61", "0.60")
    for value in ("0.90", "0.61"):
        life.told(value, "0.60")
    assert life.incident.newest is not None
    assert life.incident.newest.bad is True
    life.told("0.90", "0.60")

    life.ends(State.REFUSED)

    assert (life.incident.state, life.incident.well) == (State.REFUSED, ("w5",))


def test_quiet_drift_is_no_recovery() -> None:
    """An evaluation whose metric is undefined neither closes the incident nor asks for another attempt."""
    life = _fallen()
    before = life.incident

    found = life.told(None, "0.60", drift=QUIET)

    assert (found.action, life.incident) == (Action.NONE, before)
    assert "f1 is undefined or missing: no evidence that it has recovered" in found.reason


@pytest.mark.parametrize("baseline", [None, "0"])
def test_without_a_baseline_there_is_no_bar(baseline: str | None) -> None:
    """Where none is defined as it opens (none at all, or 0), the incident closes as it always did."""
    life = Life()
    life.told("0.30", baseline, drift=DRIFT)
    assert (life.incident.state, life.incident.baseline) == (State.RETRAINING, None)
    life.ends()

    life.told("0.61", "0.60", drift=QUIET)

    assert life.incident.state is State.CLOSED


def test_drift_alone_sets_no_bar() -> None:
    """An incident that an event without the metric opened is closed by quiet drift: nothing else will be told."""
    life = Life(recorded={"f1": Decimal("0.94")})
    life.days += 1
    drifted = Evaluation(BEE.bee, "1", life.situation.now, drift=DRIFT)
    life.judged(drifted)
    life.ends()
    life.days += 1

    life.judged(replace(drifted, version="2", evaluated_at=life.situation.now, drift=QUIET))

    assert life.incident.state is State.CLOSED


def test_the_versions_own_record_is_remembered() -> None:
    """Where the event has no baseline it is the recorded metric by which the version was judged."""
    life = Life(recorded={"f1": Decimal("0.94")})

    life.told("0.30", None)

    assert life.incident.baseline == Decimal("0.94")


def test_without_max_drop_nothing_is_asked() -> None:
    """A policy that judges by a floor alone has no bar for a recovery."""
    life = _fallen(replace(RECOVER, metric=MetricRule(floor=Decimal("0.5"))))

    life.told("0.61", "0.60")

    assert life.incident.state is State.CLOSED


@pytest.mark.parametrize("recover", [True, False])
def test_a_verified_rollout_is_still_to_recover(recover: bool) -> None:  # noqa: FBT001 - a parameter of a test
    """It was compared with the fallen champion: with the word its evaluations end the incident, without it it ends."""
    life = Life(replace(RECOVER, verify=Verify(recover=recover)))
    life.told("0.30")
    life.ends(State.ROLLOUT)

    after = rollouts.verified(life.course, life.situation, life.incident.id, "proven")

    assert after.incident is not None
    assert after.incident.state is (State.DEPLOYED if recover else State.CLOSED)
    life.course, life.champion = after, 2
    if recover:
        assert life.told("0.61", "0.60").action is Action.TRIGGER


POLICIES = st.builds(
    Policy,
    metric=st.sampled_from([MetricRule(Decimal("0.2")), MetricRule(Decimal("0.2"), Decimal("0.05"))]),
    arming=st.sampled_from([Arming(), Arming(2, 3)]),
    retry=st.builds(Retry, limit=st.integers(1, 4), backoff=st.sampled_from([timedelta(0), HOUR, 30 * HOUR])),
    verify=st.builds(Verify, windows=st.integers(1, 2), roll_back=st.booleans(), recover=st.just(value=True)),
)
VALUES = ["0.9", "0.75", "0.72", "0.61", "0.5", "0.3"]
#: What happens on a day: an evaluation (value, baseline, window, drift), or time alone; and how its run ends.
DAYS = st.tuples(
    st.none() | st.tuples(
        st.none() | st.sampled_from(VALUES), st.none() | st.sampled_from(["0.9", "0.6", "0"]),
        st.sampled_from(["", "w"]), st.sampled_from([None, QUIET, DRIFT]),
    ),
    st.none() | st.sampled_from([State.DEPLOYED, State.DEPLOYED, State.REFUSED, State.FAILED, State.OPEN]),
)  # fmt: skip


def _lived(life: Life, days: Sequence[tuple[tuple[str | None, ...] | None, State | None]], *, forgets: bool) -> list:  # type: ignore[type-arg]
    """Return the decisions and incidents of each day; `forgets`: the remembered baseline is taken away each time."""
    said: list[tuple[Decision | None, Incident | None]] = []
    for told, end in days:
        decision = None
        if told is None:
            life.passes()
        else:
            before = life.course.incident
            decision = life.told(*told)  # type: ignore[arg-type]
            _check_closing(before, life)
        flying = life.course.incident is not None and life.course.incident.state is State.RETRAINING
        if end is not None and flying:
            before = life.course.incident
            life.ends(end)
            _check_closing(before, life)
        incident = life.course.incident
        if forgets and incident is not None:
            incident = replace(incident, baseline=None)
            life.course = replace(life.course, incident=incident)
        said.append((decision, incident))
    return said


def _check_closing(before: Incident | None, life: Life) -> None:
    """Whatever closed an incident that remembers a baseline, its newest value is within a fifth of it."""
    after = life.course.incident
    if before is None or after is None or before.id != after.id or after.state is not State.CLOSED:
        return
    if before.state is State.CLOSED or after.baseline is None or not life.policy.verify.recover:
        return
    assert after.newest is not None
    assert after.newest.value is not None
    assert Fraction(after.newest.value) >= Fraction(4, 5) * Fraction(after.baseline)


@settings(deadline=None, max_examples=150)
@given(policy=POLICIES, days=st.lists(DAYS, max_size=25))
def test_it_never_closes_below_the_bar_and_off_nothing_changes(
    policy: Policy, days: list[tuple[tuple[str | None, ...] | None, State | None]]
) -> None:
    """Over random histories: on, no evaluation closes below the bar; off, all is as if nothing had been remembered."""
    off = replace(policy, verify=replace(policy.verify, recover=False))

    _lived(Life(policy), days, forgets=False)
    found = _lived(Life(off), days, forgets=False)

    assert all(incident is None or incident.baseline is None for _, incident in found)
    assert found == _lived(Life(policy), days, forgets=True)


def test_the_check_above_can_fail() -> None:
    """An incident that is closed below its bar is found out."""
    life = _fallen()
    before = life.incident
    life.course = life.course.with_incident(machine.closed(before, "well", NOW))

    with pytest.raises(AssertionError):
        _check_closing(before, life)
