"""The states of an A/B test, and what a look at its evidence makes of it; pure.

    running → stopped_srm | stopped_guard | concluded | expired     by evidence and time
    running → stopped                                               by a person
    running → superseded                                            production was changed beside it

While it runs, its versions share the traffic; in every other state the champion has all of it. No state is left again
but `running`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from worker.abtest.plan import AbPlan
from worker.evidence.interval import Interval
from worker.evidence.verdict import Verdict
from worker.models.traffic import Traffic


class State(StrEnum):
    """Where a test is."""

    RUNNING = "running"
    STOPPED_SRM = "stopped_srm"
    STOPPED_GUARD = "stopped_guard"
    CONCLUDED = "concluded"
    EXPIRED = "expired"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Arm:
    """What is known of a version against the control.

    Attributes:
        effect: the difference so far, positive where the version is better; None: nothing is known.
        interval: of it, valid at any look.
    """

    version: str
    effect: float | None
    interval: Interval

    def settled(self, minimum_effect: float) -> bool:
        """Tell whether more evidence would change nothing: better, worse, or surely no effect that would matter."""
        lower, upper = self.interval.lower, self.interval.upper
        return lower > 0 or upper < 0 or (lower > -minimum_effect and upper < minimum_effect)


@dataclass(frozen=True)
class Guarded:
    """What is known of a guard metric of a version."""

    metric: str
    version: str
    verdict: Verdict
    words: str = ""


@dataclass(frozen=True)
class Findings:
    """What one look has found.

    Attributes:
        at: by what was known then.
        broken: how the exposures differ from the split, in words; empty: they do not.
        arms: each version but the control.
    """

    at: datetime
    arms: tuple[Arm, ...]
    guards: tuple[Guarded, ...] = ()
    broken: str = ""


@dataclass(frozen=True)
class AbTest:
    """One test.

    Attributes:
        id: also the salt of its split.
        champion: what was in production when it began, and is given all traffic when it ends.
        epoch: of the deployments' record, while its split holds.
        before: version -> the state that it had, and gets back.
        forced: version -> why it is tried although it has passed no gate.
        ended_at, reason, winner: None, empty and None while it runs; a winner is among the versions, or None: no
            difference that matters was found.
        by: the person who stopped it.
    """

    id: str
    bee: str
    plan: AbPlan
    champion: str
    epoch: int
    started_at: datetime
    changed_at: datetime
    run_id: str | None = None
    state: State = State.RUNNING
    before: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    ended_at: datetime | None = None
    reason: str = ""
    winner: str | None = None
    by: str | None = None

    @property
    def running(self) -> bool:
        """Whether it has a say in the traffic."""
        return self.state is State.RUNNING

    @property
    def traffic(self) -> Traffic | None:
        """Who is served by what; None: the champion serves everybody."""
        return self.plan.traffic(self.id) if self.running else None

    @property
    def ends_by(self) -> datetime:
        """When it ends at the latest."""
        return self.started_at + self.plan.max_duration


def looked(test: AbTest, found: Findings) -> AbTest:
    """Return what a look makes of a test: a broken split first, then harm, then the question, then time."""
    if not test.running:
        return test
    if found.broken:
        return _ended(test, State.STOPPED_SRM, found.at, f"the split is broken: {found.broken}")
    harmed = next((one for one in found.guards if one.verdict is Verdict.WORSE), None)
    if harmed:
        words = harmed.words or f"{harmed.metric} is worse"
        return _ended(test, State.STOPPED_GUARD, found.at, f"version {harmed.version}: {words}")
    old_enough = found.at >= test.started_at + test.plan.min_duration
    if old_enough and all(arm.settled(test.plan.minimum_effect) for arm in found.arms):
        winner = _winner(test, found)
        return _ended(test, State.CONCLUDED, found.at, _words(test, found, winner), winner)
    if found.at >= test.ends_by:
        winner = _winner(test, found)
        words = f"its time is over: {_words(test, found, winner)}"
        return _ended(test, State.EXPIRED, found.at, words, winner)
    return test


def stopped(test: AbTest, by: str, reason: str, now: datetime) -> AbTest:
    """Return it stopped by a person."""
    return replace(_ended(test, State.STOPPED, now, reason), by=by) if test.running else test


def superseded(test: AbTest, reason: str, now: datetime) -> AbTest:
    """Return it ended by a change of production that is none of its own."""
    return _ended(test, State.SUPERSEDED, now, reason) if test.running else test


def unread(test: AbTest, why: str, now: datetime) -> AbTest:
    """Return what becomes of a test whose evidence cannot be read: its time ends it all the same."""
    late = test.running and now >= test.ends_by
    return _ended(test, State.EXPIRED, now, f"its time is over, and nothing could be judged: {why}") if late else test


def _ended(test: AbTest, state: State, now: datetime, reason: str, winner: str | None = None) -> AbTest:
    return replace(test, state=state, changed_at=now, ended_at=now, reason=reason, winner=winner)


def _winner(test: AbTest, found: Findings) -> str | None:
    """Return the best of those that are surely better than the control; the control where all others are worse."""
    better = [arm for arm in found.arms if arm.interval.lower > 0]
    if better:
        return max(better, key=lambda arm: (arm.effect or 0.0, arm.interval.lower)).version
    return test.plan.control if found.arms and all(arm.interval.upper < 0 for arm in found.arms) else None


def _words(test: AbTest, found: Findings, winner: str | None) -> str:
    several = len(found.arms) > 1
    told = "; ".join(f"{arm.version}: {_effect(arm)}" if several else _effect(arm) for arm in found.arms)
    control = test.plan.control
    if winner is None:
        settled = all(arm.settled(test.plan.minimum_effect) for arm in found.arms)
        least = f"{test.plan.minimum_effect:g}"
        nothing = (
            f"no difference from {control} as large as {least}" if settled else f"nothing is sure against {control}"
        )
        return f"{nothing} ({told})"
    return f"version {winner} is {'better than the others' if winner == control else f'better than {control}'} ({told})"


def _effect(arm: Arm) -> str:
    if arm.effect is None:
        return "has no outcomes"
    lower, upper = (f"{end:+.4g}" for end in (arm.interval.lower, arm.interval.upper))
    return f"{arm.effect:+.4g}, interval {lower} to {upper}"
