"""The course of a bee as a whole: whatever happens in whatever order, its promises hold."""
# ruff: noqa: D102, E501, FBT001 - hypothesis calls the rules, the invariants are named for what they hold

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.worker.world import BEE, NOW
from worker.decide import course as courses
from worker.decide import people
from worker.decide.course import AskPerson, Begin, Course, Effect, Ending, OverBudget, RollBack, Situation
from worker.decide.decision import Action, History, decide
from worker.decide.evaluation import Drift, Evaluation
from worker.decide.memory import Pause
from worker.decide.policy import Approval, Arming, Breaker, Budget, Colony, Policy, Retry, Verify
from worker.errors import Conflict
from worker.incidents.machine import WAITING, State

HOUR = timedelta(hours=1)
POLICIES = st.builds(
    Policy,
    arming=st.sampled_from([Arming(), Arming(2, 3)]),
    cooldown=st.sampled_from([timedelta(0), 6 * HOUR]),
    retry=st.builds(Retry, limit=st.integers(1, 4), backoff=st.sampled_from([timedelta(0), 5 * HOUR])),
    verify=st.builds(Verify, windows=st.integers(1, 2), roll_back=st.booleans(), within=st.sampled_from([None, 40 * HOUR]), recover=st.booleans()),
    breaker=st.sampled_from([Breaker(), Breaker(failures=2, pause=9 * HOUR)]),
    budget=st.sampled_from([Budget(), Budget(runs_per_day=1), Budget(cost_per_month=Decimal(5))]),
    approval=st.builds(Approval, runs=st.sampled_from(["never", "always"]), on_expiry=st.sampled_from(["refuse", "approve"])),
    colony=st.sampled_from([Colony(), Colony(breaker=Breaker(failures=3, pause=9 * HOUR))]),
)  # fmt: skip
#: Open: a person cancelled the run.
ENDS = [State.DEPLOYED, State.REFUSED, State.FAILED, State.ESCALATED, State.GATED, State.OPEN]


class Bees(RuleBasedStateMachine):
    """One bee under a random policy: evaluations, ends of runs, time, pauses and people in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.course = Course()
        self.now, self.policy = NOW, Policy()
        self.active: str | None = None
        self.champion, self.previous = 1, 0
        self.gates: set[int] = {1}
        self.begun = 0
        self.number = 0
        self.labels: int | None = None

    @initialize(policy=POLICIES)
    def begin(self, policy: Policy) -> None:
        self.policy = policy

    @property
    def situation(self) -> Situation:
        flying = int(self.active is not None)
        return Situation(BEE, self.policy, self.now, self.active, flying, Decimal(1), new_labels=self.labels)

    def _do(self, course: Course, effects: tuple[Effect, ...]) -> None:
        closed = course.incident is not None and course.incident.state is State.CLOSED
        self.course = replace(course, incident=None) if closed else course
        for effect in effects:
            if isinstance(effect, Begin):
                assert self.active is None, "two runs of one bee at once"
                assert course.incident is not None
                self.begun += 1
                self.active = f"r{self.begun}"
            elif isinstance(effect, RollBack):
                assert int(effect.to) in self.gates, "rolled back to a version that never passed a gate"
                self.champion, self.previous = int(effect.to), self.champion
            else:
                assert isinstance(effect, AskPerson | OverBudget)

    @rule(
        value=st.sampled_from(["0.9", "0.5", "0.3", None]),
        base=st.sampled_from(["0.9", "0.5"]),
        drift=st.booleans(),
        back=st.booleans(),
    )
    def evaluation(self, value: str | None, base: str, drift: bool, back: bool) -> None:
        self.number += 1
        evaluation = Evaluation(
            BEE.bee,
            str(self.champion),
            self.now - (HOUR if back else timedelta(0)),
            window_id=f"w{self.number // 2}",
            metrics={"f1": None if value is None else Decimal(value)},
            baseline={"f1": Decimal(base)},
            drift=Drift(detected=drift, severity="high"),
        )
        history = History(
            known=True, champion=str(self.champion), previous=str(self.previous) if self.previous else None
        )
        before = self.course.incident
        found = decide(evaluation, history, self.course, self.situation, f"i{self.number}")
        begins = any(isinstance(effect, Begin) for effect in found.effects)
        assert (found.decision.action is Action.TRIGGER) == begins
        if found.decision.action is Action.HELD and found.course.incident is not None:
            assert found.course.incident.state in {*WAITING, State.ESCALATED}, "a held trigger that nothing waits for"
        if before is not None and before.state is State.RETRAINING:
            assert not begins
        self._do(found.course, found.effects)

    @precondition(lambda self: self.active is not None and self.course.incident.state is State.RETRAINING)
    @rule(state=st.sampled_from(ENDS), cost=st.sampled_from([Decimal(-1), Decimal(0), Decimal(3)]))
    def run_ends(self, state: State, cost: Decimal) -> None:
        run, self.active = str(self.active), None
        if state is State.DEPLOYED:
            self._deploy()
        failures = self._failures()
        self._do(courses.ended(self.course, self.situation, Ending(state, "so it was", run, cost)), ())
        if state is State.OPEN:
            assert self._failures() == failures, "a person's will is no failure of the model"

    def _failures(self) -> tuple[Any, ...]:
        memory, colony = self.course.memory.tally, self.course.colony.tally
        return memory.failures, memory.open_until, colony.failures, colony.open_until

    @rule(fails=st.booleans())
    def another_bee_ends(self, fails: bool) -> None:
        """Another bee's run opens the colony's breaker, or closes it before its time."""
        tally, breaker = self.course.colony.tally, self.policy.colony.breaker
        went = (
            tally.went_wrong(self.now, breaker.failures, breaker.within, breaker.pause) if fails else tally.went_well()
        )
        self.course = replace(self.course, colony=replace(self.course.colony, tally=went))

    def _deploy(self) -> None:
        self.champion, self.previous = max(self.gates) + 1, self.champion
        self.gates.add(self.champion)

    @precondition(lambda self: self.course.incident is not None and self.course.incident.state is State.GATED)
    @rule(approve=st.booleans())
    def deployment_ruled(self, approve: bool) -> None:
        if approve:
            self._deploy()
        self._do(courses.ruled(self.course, self.situation, approve=approve, reason="looked at", by="ann"), ())

    @precondition(lambda self: self.course.incident is not None and self.course.incident.asked_until is not None)
    @rule(approve=st.booleans())
    def run_ruled(self, approve: bool) -> None:
        incident: Any = self.course.incident
        if incident.state not in WAITING:
            return
        if approve:
            course, effects, _ = people.approve_run(self.course, self.situation, "ann", "go")
            self._do(course, effects)
        else:
            self._do(people.refuse_run(self.course, self.situation, "ann", "no"), ())

    @precondition(lambda self: self.course.incident is not None)
    @rule()
    def asked_for_again(self) -> None:
        state = self.course.incident.state  # type: ignore[union-attr]
        if state in {*WAITING, State.ESCALATED}:
            course, effects, _ = people.retry(self.course, self.situation, "ann", "mended")
            assert course.incident is not None
            assert course.incident.state is not State.ESCALATED, "a person's word is no limit's business"
            self._do(course, effects)
        else:
            with pytest.raises(Conflict):
                people.retry(self.course, self.situation, "ann", "mended")

    @precondition(lambda self: self.course.incident is not None)
    @rule()
    def closed_by_hand(self) -> None:
        if self.course.incident.state in {State.RETRAINING, State.GATED}:  # type: ignore[union-attr]
            with pytest.raises(Conflict):
                people.close(self.course, self.situation, "ann", "known")
        else:
            self._do(people.close(self.course, self.situation, "ann", "known"), ())

    @rule(labels=st.sampled_from([None, 0, 7]))
    def labels_come(self, labels: int | None) -> None:
        self.labels = labels

    @rule(pause=st.booleans())
    def colony_paused(self, pause: bool) -> None:
        to = Pause("a release", "bob", self.now, None) if pause else None
        self.course = replace(self.course, colony=people.colony_paused(self.course.colony, to))

    @rule(hours=st.integers(-3, 60))
    def time(self, hours: int) -> None:
        self.now += hours * HOUR
        stopped = self.course.incident is not None and self.course.incident.stopped
        begun = self.begun
        self._do(*courses.tick(self.course, self.situation))
        assert not (stopped and self.begun > begun), "what a person cancelled began by itself"

    @invariant()
    def no_bar_that_has_lifted_holds(self) -> None:
        """What waits for nothing but the colony's breaker is due once that is closed."""
        incident, tally = self.course.incident, self.course.colony.tally
        shared = incident.waiting.shared if incident is not None and incident.waiting is not None else None
        if incident is not None and shared is not None and shared.open_until is not None and tally.open_until is None:
            assert courses.due(incident, self.policy, self.now, self.course.colony)

    @rule(until=st.none() | st.integers(1, 30))
    def pause(self, until: int | None) -> None:
        pause = Pause("looking", "ann", self.now, None if until is None else self.now + until * HOUR)
        self.course = replace(self.course, memory=replace(self.course.memory, pause=pause))

    @rule()
    def resume(self) -> None:
        self.course = replace(self.course, memory=replace(self.course.memory, pause=None))

    @invariant()
    def a_run_in_flight_has_its_incident(self) -> None:
        incident = self.course.incident
        retraining = incident is not None and incident.state is State.RETRAINING
        assert retraining == (self.active is not None)

    @invariant()
    def what_waits_says_why(self) -> None:
        incident = self.course.incident
        if incident is not None and incident.state in WAITING:
            assert incident.waiting is not None
            assert incident.waiting.why

    @invariant()
    def no_more_attempts_than_the_policy_allows(self) -> None:
        if self.course.incident is not None:
            incident = self.course.incident
            assert incident.tries <= self.policy.retry.limit or incident.attempt <= incident.granted

    @invariant()
    def every_incident_can_end(self) -> None:
        """With every bar lifted and time enough, a well model closes it, or a person is asked."""
        incident = self.course.incident
        if incident is None or incident.state is State.CLOSED:
            return
        later = replace(self.situation, now=self.now + timedelta(days=400), active_run=None, policy=Policy())
        later = replace(later, new_labels=7)
        course = replace(self.course, memory=replace(self.course.memory, pause=None))
        if incident.state is State.RETRAINING:
            course = courses.ended(course, later, Ending(State.DEPLOYED, "mended", "r"))
        if incident.state is State.GATED:
            course = courses.ruled(course, later, approve=True, reason="mended", by="ann")
        well = Evaluation(BEE.bee, "9", later.now, metrics={"f1": Decimal("0.9")}, baseline={"f1": Decimal("0.9")})
        found = decide(well, History(known=True, champion="9"), course, later, "i")
        assert found.course.incident is not None
        assert found.course.incident.state is State.CLOSED

    @invariant()
    def nothing_that_waits_is_lost(self) -> None:
        """With every bar lifted, what waits begins, or a person is told why not."""
        incident = self.course.incident
        if incident is None or incident.state not in WAITING:
            return
        later = replace(self.situation, now=self.now + timedelta(days=400), active_run=None, new_labels=7)
        later = replace(later, policy=replace(self.policy, approval=Approval(on_expiry="approve")))
        later = replace(later, policy=replace(later.policy, budget=Budget(), retry=Retry(limit=99)))
        course = replace(self.course, memory=replace(self.course.memory, pause=None))
        course = replace(course, colony=replace(course.colony, pause=None))
        if incident.stopped:
            course, effects, _ = people.retry(course, later, "ann", "mended")
        else:
            course, effects = courses.tick(course, later)
        assert course.incident is not None
        assert any(isinstance(effect, Begin) for effect in effects) or course.incident.state is State.ESCALATED


TestBees = Bees.TestCase
TestBees.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
