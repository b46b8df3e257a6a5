"""The states of a test, whatever is found and whenever."""

import math
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.abtest.world import DAY, START, plan, running
from worker.abtest.encoding import test_of as read_back
from worker.abtest.encoding import trial_of
from worker.abtest.machine import AbTest, Arm, Findings, Guarded, State, looked, stopped, superseded, unread
from worker.evidence.interval import Interval
from worker.evidence.verdict import Verdict

ENDS = st.floats(-1, 1) | st.sampled_from([-math.inf, math.inf])


@st.composite
def findings(draw: st.DrawFn) -> Findings:
    """Draw what a look may find of two versions against a control."""
    arms = []
    for name in ("2", "3"):
        lower, upper = sorted((draw(ENDS), draw(ENDS)))
        arms.append(Arm(name, draw(st.none() | st.floats(-1, 1)), Interval(lower, upper)))
    guards = draw(st.lists(st.builds(Guarded, st.just("recall"), st.just("2"), st.sampled_from(Verdict)), max_size=3))
    at = START + timedelta(hours=draw(st.integers(0, 300)))
    return Findings(at, tuple(arms), tuple(guards), draw(st.sampled_from(["", "", "broken"])))


def _three() -> AbTest:
    return running(plan=plan(versions=["1", "2", "3"], split=[50, 30, 20], minDuration="1d"))


@settings(max_examples=60, deadline=None)
@given(st.lists(findings(), max_size=6))
def test_any_course(course: list[Findings]) -> None:
    """The split sums to 100 while it runs, and is gone after; what has ended never changes again, and has a reason."""
    test = _three()
    for found in course:
        before, test = test, looked(test, found)
        if not before.running:
            assert test == before
        if test.running:
            assert test.traffic is not None
            assert sum(test.traffic.shares.values()) == 100
        else:
            assert test.traffic is None
            assert test.reason
            assert test.ended_at is not None
        assert test.winner is None or test.winner in test.plan.versions
        assert read_back(trial_of(test, {})) == test


@settings(max_examples=60, deadline=None)
@given(findings())
def test_the_order_of_reasons(found: Findings) -> None:
    """A broken split ends it whatever was found; harm before any conclusion; a winner is surely better."""
    test = looked(_three(), found)

    if found.broken:
        assert test.state is State.STOPPED_SRM
    elif any(one.verdict is Verdict.WORSE for one in found.guards):
        assert test.state is State.STOPPED_GUARD
    else:
        assert test.state in {State.RUNNING, State.CONCLUDED, State.EXPIRED}
    if test.winner not in {None, "1"}:
        assert next(arm for arm in found.arms if arm.version == test.winner).interval.lower > 0
    if test.winner == "1":
        assert all(arm.interval.upper < 0 for arm in found.arms)
    if test.state is State.CONCLUDED:
        assert found.at >= START + DAY
    assert test.running == (test.state is State.RUNNING)
    assert not (test.running and found.at >= test.ends_by)


def _found(lower: float, upper: float, days: float = 2.0) -> Findings:
    return Findings(START + days * DAY, (Arm("2", (lower + upper) / 2, Interval(lower, upper)),))


def test_each_conclusion() -> None:
    """Better, worse, and surely no difference that matters conclude; what is open goes on until time is over."""
    better, worse = looked(running(), _found(0.01, 0.3)), looked(running(), _found(-0.3, -0.01))
    nothing, open_ = looked(running(), _found(-0.05, 0.09)), looked(running(), _found(-0.05, 0.11))
    late = looked(open_, _found(-0.05, 0.11, 10.0))

    assert (better.state, better.winner) == (State.CONCLUDED, "2")
    assert (worse.state, worse.winner) == (State.CONCLUDED, "1")
    assert (nothing.state, nothing.winner) == (State.CONCLUDED, None)
    assert "no difference from 1 as large as 0.1" in nothing.reason
    assert open_.running
    assert (late.state, late.winner) == (State.EXPIRED, None)


def test_not_before_its_time() -> None:
    """With a shortest duration only harm ends it before."""
    test = running(plan=plan(minDuration="3d"))
    harm = Findings(START + DAY, (), (Guarded("recall", "2", Verdict.WORSE, "0.1 against 0.9"),))

    assert looked(test, _found(0.2, 0.3, 2.9)).running
    assert looked(test, _found(0.2, 0.3, 3.0)).state is State.CONCLUDED
    assert looked(test, harm).reason == "version 2: 0.1 against 0.9"


def test_by_a_person_and_by_production() -> None:
    """A person's word and a change of production end a running test only."""
    done = stopped(running(), "ann", "enough", START + DAY)

    assert (done.state, done.by, done.reason) == (State.STOPPED, "ann", "enough")
    assert superseded(done, "else", START + 2 * DAY) == done
    assert superseded(running(), "else", START).state is State.SUPERSEDED


def test_nothing_can_be_read() -> None:
    """A test that cannot be judged goes on waiting, and ends with its time."""
    assert unread(running(), "the log is gone", START + DAY).running
    late = unread(running(), "the log is gone", START + 10 * DAY)
    assert (late.state, late.winner) == (State.EXPIRED, None)
    assert "the log is gone" in late.reason
