"""The rollout's state machine: whatever evidence comes in whatever order, nothing unproven goes on."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from worker.errors import Conflict, Rejected
from worker.rollout.encoding import decoded, encoded
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import BY_HAND, Move, Rollout, State, begun, concluded, ended_by_hand, looked
from worker.rollout.measure import Measure
from worker.rollout_plan import GuardMetric, RolloutSpec, RolloutStep

NOW = datetime(2002, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = tuple(RolloutStep(percent=percent, min_outcomes=50) for percent in (0, 10, 50, 100))
PLAN = RolloutSpec(strategy="canary", steps=STEPS, guards={"latency_ms": GuardMetric(margin=5.0, min_samples=30)})
ACCURACY = Measure("accuracy", bounds=(0.0, 1.0))
#: (lower, upper) of the gain, with the margin of 0.02.
WELL, WORSE, UNSURE = (-0.01, 0.05), (-0.2, -0.05), (-0.1, 0.1)


def a_rollout(**changes: Any) -> Rollout:
    """Return a rollout of version 2 over version 1 that is about to begin."""
    times = {"started_at": NOW, "step_at": NOW, "changed_at": NOW}
    base = Rollout("r", "b", "2", "1", 7, PLAN, ACCURACY, **times)
    return replace(base, **changes)


def compared(interval: tuple[float, float], count: int = 100, **changes: Any) -> Compared:
    """Return a metric's comparison with that interval of the gain."""
    lower, upper = interval
    middle = (lower + upper) / 2
    return replace(Compared("accuracy", count, 0.9, 0.9 + middle, middle, lower, upper), **changes)


def evidence(rollout: Rollout, interval: tuple[float, float] = WELL, **changes: Any) -> Evidence:
    """Return what lets a rollout go on after a day, but for the changes."""
    guard = compared((-1.0, 1.0), metric="latency_ms", source="events")
    base = Evidence(rollout.id, rollout.step, rollout.step_at + DAY, compared(interval), {"latency_ms": guard}, 50)
    return replace(base, **changes)


class Life(RuleBasedStateMachine):
    """Anything may be found out, in any order, early, late and twice."""

    rollout: Rollout
    clock: datetime
    past: list[Evidence]

    @initialize()
    def _begin(self) -> None:
        self.rollout, self.clock, self.past = begun(a_rollout(), "passed its gate"), NOW, []

    def _look(self, found: Evidence, *, paused: str = "") -> None:
        before = self.rollout
        self.rollout, conclusion = looked(before, found, paused=paused)
        self._check(before, found, conclusion.move, paused)
        # The very same look again, by this replica or another, changes nothing.
        again, _ = looked(self.rollout, found, paused=paused)
        assert again == self.rollout
        if before.newest is not None and self.rollout.newest is not None:
            assert self.rollout.newest.as_of >= before.newest.as_of

    def _check(self, before: Rollout, found: Evidence, move: Move, paused: str) -> None:
        after, ours = self.rollout, before.active and found.rollout == before.id
        guard = found.guards.get("latency_ms")
        worse = [found.primary.count and found.primary.lower == WORSE[0]]
        worse += [guard is not None and guard.count >= 30 and guard.lower == -20.0]
        if ours and any(worse):
            # From any step, held or not, whatever the minimums of time say: in one step.
            assert (move, after.state, after.percent) == (Move.ROLL_BACK, State.ROLLED_BACK, 0)
        if (after.step, after.state) != (before.step, before.state) and move in {Move.ADVANCE, Move.VERIFY}:
            assert ours
            assert not paused
            assert found.step == before.step
            assert found.as_of >= before.step_at + DAY
            assert found.step_outcomes >= 50
            assert found.primary.lower == WELL[0]
            assert guard is not None
            assert guard.count >= 30
            assert guard.lower == -1.0
        if move is Move.ADVANCE:
            assert after.step == before.step + 1
        if move is Move.VERIFY:
            assert before.step == len(STEPS) - 1
        if not before.active:
            assert after == before

    @rule(
        interval=st.sampled_from([WELL, WORSE, UNSURE]),
        latency=st.sampled_from([(-1.0, 1.0), (-20.0, -6.0), (-20.1, 20.0), None]),
        few=st.booleans(),
        count=st.sampled_from([0, 1, 100]),
        outcomes=st.sampled_from([0, 49, 50]),
        later=st.sampled_from([timedelta(0), timedelta(hours=23), DAY, 2 * DAY, 20 * DAY]),
        paused=st.sampled_from(["", "", "", "b is paused by ann"]),
    )
    def something_is_known(  # noqa: PLR0917 - all that evidence consists of
        self,
        interval: tuple[float, float],
        latency: tuple[float, float] | None,
        few: bool,  # noqa: FBT001 - drawn
        count: int,
        outcomes: int,
        later: timedelta,
        paused: str,
    ) -> None:
        """Evidence of the step that the rollout is at."""
        self.clock += later
        guard = None if latency is None else compared(latency, 10 if few else 30, metric="latency_ms")
        if guard is not None and latency == (-20.1, 20.0):
            guard = replace(guard, lower=-20.1)
        found = evidence(
            self.rollout,
            interval,
            as_of=self.clock,
            primary=compared(interval, count),
            guards={} if guard is None else {"latency_ms": guard},
            step_outcomes=outcomes,
        )
        self.past.append(found)
        self._look(found, paused=paused)

    @rule(later=st.sampled_from([DAY, 2 * DAY]))
    def all_is_well(self, later: timedelta) -> None:
        """Everything that a step asks for."""
        self.clock = max(self.clock, self.rollout.step_at) + later
        found = evidence(self.rollout, as_of=self.clock)
        self.past.append(found)
        self._look(found)

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def an_old_look_comes_late(self, data: st.DataObject) -> None:
        """A replica that was paused concludes from what it read long ago."""
        before = self.rollout
        found = data.draw(st.sampled_from(self.past))
        self._look(found)
        if self.rollout.step != before.step:
            assert found.step == before.step

    @rule()
    def of_another_rollout(self) -> None:
        """Evidence of another rollout changes nothing."""
        before = self.rollout
        self._look(replace(evidence(self.rollout, WORSE), rollout="another"))
        assert self.rollout == before

    @rule(state=st.sampled_from(list(State)))
    def a_person_ends_it(self, state: State) -> None:
        """A person ends it, while it is under way, and only as a person can."""
        if not self.rollout.active or state not in BY_HAND:
            with pytest.raises(Conflict):
                ended_by_hand(self.rollout, state, "so", self.clock)
            return
        self.rollout = ended_by_hand(self.rollout, state, "so", self.clock)

    @invariant()
    def shares_sum_to_100(self) -> None:
        """Whatever happened, every entity is served by exactly one of the two versions."""
        traffic = self.rollout.traffic
        assert sum(traffic.shares.values()) == 100
        assert set(traffic.shares) <= {"1", "2"}
        assert traffic.shares.get("2", 0) == self.rollout.percent

    @invariant()
    def the_champion_stays_at_hand(self) -> None:
        """Under way, both are live: one that serves nobody is scored beside the other."""
        if self.rollout.active:
            traffic = self.rollout.traffic
            assert set(traffic.shares) == {"1", "2"}
            assert set(traffic.shadow) == {version for version, share in traffic.split if not share}

    @invariant()
    def the_ledger_keeps_all(self) -> None:
        """What is stored and read back is the same."""
        stored = encoded(self.rollout)
        through = replace(stored, detail=json.loads(json.dumps(dict(stored.detail))))
        assert decoded(through) == (self.rollout if self.rollout.active else replace(self.rollout, windows={}))
        assert stored.active == self.rollout.active

    @invariant()
    def the_story_ends_where_it_stands(self) -> None:
        """Each change is told with its step, in order."""
        steps = [entry["step"] for entry in self.rollout.story]
        assert steps == sorted(steps)
        assert self.rollout.story[-1]["reason"] == self.rollout.reason


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_a_version_that_passed_no_gate_never_begins() -> None:
    """Neither a canary nor a shadow of it, but by an operator's recorded force."""
    with pytest.raises(Rejected, match="has not passed its gate"):
        begun(a_rollout(gate_passed=False), "please")
    assert begun(a_rollout(gate_passed=False, forced="the gate's data is broken"), "please").active


def test_an_immediate_plan_is_no_rollout() -> None:
    """Neither that, nor one of the champion over itself."""
    with pytest.raises(Rejected, match="has no steps"):
        begun(a_rollout(plan=RolloutSpec()), "so")
    with pytest.raises(Conflict, match="in production already"):
        begun(a_rollout(champion="2"), "so")


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("step", range(len(STEPS)))
def test_worse_goes_back_in_one_step(step: int, *, held: bool) -> None:
    """From any step, held or not, within the step's first minute, the champion serves everybody again."""
    standing = replace(begun(a_rollout(), "so"), step=step, state=State.HELD if held else State.RUNNING)
    found = evidence(standing, WORSE, as_of=standing.step_at + timedelta(minutes=1), step_outcomes=0)

    after, conclusion = looked(standing, found)

    assert after.state is State.ROLLED_BACK
    assert after.traffic.split == (("1", 100),)
    assert "accuracy 0.9 → 0.775 (interval of the gain -0.2 to -0.05, 100 labelled rows)" in conclusion.reason


def test_held_goes_on_with_evidence_only() -> None:
    """Beyond the limit a step is held, once; more of the same leaves it held, evidence lets it go on."""
    standing = begun(a_rollout(), "so")
    unsure = evidence(standing, UNSURE, as_of=NOW + 15 * DAY)

    held, conclusion = looked(standing, unsure)
    still, waits = looked(held, replace(unsure, as_of=NOW + 40 * DAY))
    on, _ = looked(still, evidence(still, as_of=NOW + 41 * DAY))

    assert (conclusion.move, held.state) == (Move.HOLD, State.HELD)
    assert "no evidence within 14d that version 2 is not worse" in conclusion.reason
    assert (waits.move, still.state, still.story) == (Move.WAIT, State.HELD, held.story)
    assert (on.state, on.step, on.step_at) == (State.RUNNING, 1, NOW + 41 * DAY)


def test_what_a_step_lacks_is_told() -> None:
    """Time, outcomes, the primary metric and each guard, with their numbers."""
    standing = begun(a_rollout(), "so")

    said = concluded(standing, Evidence("r", 0, NOW + timedelta(hours=1), Compared("accuracy"), {}, 3)).reason

    assert "it lasts until 2002-10-02T00:00:00Z at least" in said
    assert "3 of 50 outcomes are in" in said
    assert "accuracy: no evidence of both versions yet" in said
    assert "the guard latency_ms has 0 of 30 samples" in said


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"step_outcomes": 49}, "49 of 50 outcomes are in"),
        ({"as_of": NOW + timedelta(hours=23)}, "it lasts until"),
        ({"guards": {"latency_ms": compared((-1.0, 1.0), 29, metric="latency_ms")}}, "has 29 of 30 samples"),
        ({"guards": {"latency_ms": compared((-20.0, -6.0), 29, metric="latency_ms")}}, "has 29 of 30 samples"),
        ({"guards": {}}, "the guard latency_ms has 0 of 30 samples"),
        ({"primary": compared((-0.02, 0.5))}, "not proven yet that it is not worse by 0.02"),
        ({"primary": Compared("accuracy")}, "no evidence of both versions yet"),
    ],
)
def test_one_thing_lacking_is_enough_to_wait(changes: dict[str, Any], why: str) -> None:
    """All of it must be there; a guard with too few samples takes nothing back either."""
    standing = begun(a_rollout(), "so")

    after, conclusion = looked(standing, evidence(standing, **changes))

    assert (after.step, conclusion.move) == (0, Move.WAIT)
    assert why in conclusion.reason


def test_evidence_of_an_earlier_step_advances_no_other() -> None:
    """A replica that read the rollout before another advanced it: whatever it counted, it counted for that step."""
    steps = tuple(RolloutStep(percent=step.percent, min_time=timedelta(0), min_outcomes=50) for step in STEPS)
    standing = begun(a_rollout(plan=PLAN.model_copy(update={"steps": steps})), "so")
    early = evidence(standing)

    after, _ = looked(standing, early)
    late, conclusion = looked(after, replace(early, as_of=early.as_of + 9 * DAY))

    assert (after.step, late.step, conclusion.move) == (1, 1, Move.WAIT)


def test_a_guard_may_be_optional() -> None:
    """A guard that nobody tells is passed over where it is not required; told, it must be well."""
    plan = PLAN.model_copy(update={"guards": {"toxicity": GuardMetric(margin=0.01, required=False, min_samples=10)}})
    standing = begun(a_rollout(plan=plan), "so")
    unsure = compared((-0.5, 0.5), metric="toxicity")

    assert looked(standing, evidence(standing, guards={}))[1].move is Move.ADVANCE
    assert looked(standing, evidence(standing, guards={"toxicity": unsure}))[1].move is Move.WAIT


def test_a_relative_margin_is_of_the_champions_value() -> None:
    """Ten percent of 200 ms are 20 ms."""
    plan = PLAN.model_copy(update={"guards": {"latency_ms": GuardMetric(margin=0.1, relative=True)}})
    standing = begun(a_rollout(plan=plan), "so")
    guard = compared((-19.0, 3.0), metric="latency_ms", champion=200.0)

    assert looked(standing, evidence(standing, guards={"latency_ms": guard}))[1].move is Move.ADVANCE
    worse = replace(guard, lower=-30.0, upper=-21.0)
    assert looked(standing, evidence(standing, guards={"latency_ms": worse}))[1].move is Move.ROLL_BACK


def test_few_rows_of_an_unbounded_metric_prove_nothing() -> None:
    """An interval that is right for many rows only takes nothing back before the step's minimum of outcomes."""
    standing = begun(a_rollout(), "so")
    few = compared(WORSE, 49, asymptotic=True)

    assert looked(standing, evidence(standing, primary=few, step_outcomes=49))[0].state is State.RUNNING
    assert looked(standing, evidence(standing, primary=replace(few, count=50)))[0].state is State.ROLLED_BACK


def test_a_pause_holds_steps_but_not_the_way_back() -> None:
    """While everything of a bee is paused no step is advanced; what is worse goes back all the same."""
    standing = begun(a_rollout(), "so")

    waits, conclusion = looked(standing, evidence(standing), paused="b is paused by ann")
    back, _ = looked(standing, evidence(standing, WORSE), paused="b is paused by ann")

    assert (waits.step, conclusion.reason) == (0, "all is well, but b is paused by ann")
    assert back.state is State.ROLLED_BACK
