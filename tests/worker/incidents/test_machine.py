from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.worker.world import NOW
from worker.errors import Conflict
from worker.incidents import machine
from worker.incidents.machine import MAX_STORY, Incident, Newest, State, Waiting

ENDS = [State.GATED, State.ROLLOUT, State.DEPLOYED, State.REFUSED, State.FAILED, State.ESCALATED, State.OPEN]
BUSY = {State.RETRAINING, State.GATED, State.ROLLOUT, State.CLOSED}
ROLLED_OUT = {State.ROLLOUT, State.ESCALATED, *machine.WAITING}
BAD = Newest(NOW, NOW, bad=True, reason="bad", value=Decimal("0.4"))
WELL = Newest(NOW, NOW, bad=False, reason="well")


class Life(RuleBasedStateMachine):
    """Anything may happen to an incident, in any order."""

    incident: Incident
    history: list[tuple[str, Incident]]
    runs: int

    @initialize()
    def _open(self) -> None:
        self.incident = machine.opened("i", "b", "1", BAD, NOW)
        self.history = [("opened", self.incident)]
        self.runs = 0

    def _try(self, name: str, change: object, *, allowed: bool) -> bool:
        """Apply a change, or see it refused; a refused one leaves everything as it was."""
        assert callable(change)
        if not allowed:
            with pytest.raises(Conflict):
                change()
            return False
        self.incident = change()
        self.history.append((name, self.incident))
        return True

    @rule()
    def begins(self) -> None:
        """The next attempt begins."""
        allowed = self.incident.state not in BUSY
        if self._try("retraining", lambda: machine.begun(self.incident, "worse", NOW), allowed=allowed):
            self.runs += 1

    @rule(why=st.sampled_from(["paused", "cooling down"]))
    def held(self, why: str) -> None:
        """The next attempt has to wait; the same reason again is no news."""
        before = self.incident.waiting
        change = lambda: machine.waits(self.incident, Waiting(why, NOW), NOW)  # noqa: E731
        if self._try("held", change, allowed=self.incident.state not in BUSY) and before and before.why == why:
            self.history.pop()

    @rule()
    def bad_meanwhile(self) -> None:
        """A bad evaluation joins."""
        allowed = self.incident.state is not State.CLOSED
        self._try("attached", lambda: machine.attached(self.incident, BAD, NOW), allowed=allowed)

    @rule(state=st.sampled_from(list(State)))
    def run_ends(self, state: State) -> None:
        """The run in flight ends, one way or another."""
        allowed = self.incident.state is State.RETRAINING and state in ENDS
        change = lambda: machine.settled(self.incident, state, "so", "r", NOW)  # noqa: E731
        if self._try("cancelled" if state is State.OPEN else str(state), change, allowed=allowed):
            # Open, a person cancelled it: that attempt does not count.
            assert self.incident.stopped == (state is State.OPEN)
            assert self.incident.tries == self.incident.attempt - len(self.incident.cancelled)

    @rule(state=st.sampled_from([State.DEPLOYED, State.ROLLOUT, State.REFUSED, State.CLOSED]))
    def a_person_rules(self, state: State) -> None:
        """A person says yes or no to a deployment."""
        allowed = self.incident.state is State.GATED and state is not State.CLOSED
        self._try(str(state), lambda: machine.ruled(self.incident, state, "so", "ann", NOW), allowed=allowed)

    @rule()
    def goes_back(self) -> None:
        """A deployed model is taken back."""
        allowed = self.incident.state is State.DEPLOYED
        self._try("rolled_back", lambda: machine.rolled_back(self.incident, "1", "worse", NOW), allowed=allowed)

    @rule()
    def a_step_is_advanced(self) -> None:
        """The rollout of its model goes on; one that was handed to a person is in the rollout's hands again."""
        before, allowed = self.incident.state, self.incident.state in ROLLED_OUT
        change = lambda: machine.rolled_out(self.incident, "advanced", "not worse", NOW)  # noqa: E731
        if self._try("advanced", change, allowed=allowed):
            assert self.incident.state is (State.ROLLOUT if before is State.ESCALATED else before)

    @rule()
    def is_taken_back(self) -> None:
        """The rollout of its model fails; what a person asked for in the meantime goes on waiting."""
        before, allowed = self.incident.state, self.incident.state in ROLLED_OUT
        change = lambda: machine.taken_back(self.incident, "1", "worse", NOW)  # noqa: E731
        if self._try("rolled_back", change, allowed=allowed):
            assert self.incident.state is (before if before in machine.WAITING else State.FAILED)

    @rule()
    def is_promoted(self) -> None:
        """A person puts a model that is being rolled out wholly into production."""
        allowed = self.incident.state in ROLLED_OUT
        self._try("deployed", lambda: machine.promoted(self.incident, "enough", "ann", NOW), allowed=allowed)

    @rule()
    def escalates(self) -> None:
        """A person is asked to look, also at a rollout that lacks evidence."""
        allowed = self.incident.state not in BUSY - {State.ROLLOUT}
        self._try("escalated", lambda: machine.escalated(self.incident, "stuck", NOW), allowed=allowed)

    @rule()
    def asked_for_again(self) -> None:
        """A person asks for another attempt: what was handed to people is open again."""
        allowed = self.incident.state in {*machine.WAITING, State.ESCALATED}
        self._try("retry", lambda: machine.retried(self.incident, "ann", "mended", NOW), allowed=allowed)

    @rule(state=st.sampled_from([State.DEPLOYED, State.REFUSED]))
    def ruled_on(self, state: State) -> None:
        """A person rules on a deployment that waits."""
        allowed = self.incident.state is State.GATED
        self._try(state, lambda: machine.ruled(self.incident, state, "looked at", "ann", NOW), allowed=allowed)

    @rule()
    def closed_by_a_person(self) -> None:
        """It is closed, by a person or as its model is verified: not while a run is in flight or a deployment waits."""
        allowed = self.incident.state not in BUSY - {State.ROLLOUT}
        self._try("closed", lambda: machine.closed(self.incident, "known", NOW, by="ann"), allowed=allowed)

    @rule()
    def healthy(self) -> None:
        """A healthy evaluation comes: enough to close, unless a run is in flight."""
        if self.incident.state is State.CLOSED:
            self._try("", lambda: machine.well(self.incident, "w", 1, WELL, NOW), allowed=False)
            return
        closes = self.incident.state not in BUSY
        noted = machine.attached(self.incident, WELL, NOW)
        self._try("healthy", lambda: noted, allowed=True)
        if closes:
            self._try("closed", lambda: machine.closed(noted, "well", NOW), allowed=True)

    @invariant()
    def attempts_are_the_runs(self) -> None:
        """Each attempt is one run, and no two of them are in flight."""
        assert self.incident.attempt == self.runs

    @invariant()
    def attempt_only_grows(self) -> None:
        """The attempt never goes back."""
        attempts = [incident.attempt for _, incident in self.history]
        assert attempts == sorted(attempts)

    @invariant()
    def the_story_tells_all(self) -> None:
        """Everything that happened is in the story, in order."""
        assert [entry["what"] for entry in self.incident.story] == [name for name, _ in self.history]

    @invariant()
    def closed_is_final(self) -> None:
        """Nothing comes after the closing."""
        states = [incident.state for _, incident in self.history]
        assert State.CLOSED not in states[:-1]

    @invariant()
    def what_waits_says_why(self) -> None:
        """An incident without a run in flight that is to have one says what it waits for."""
        waits = self.incident.state in {*machine.WAITING, State.GATED}
        assert (self.incident.waiting is not None) == waits

    @invariant()
    def identity_stays(self) -> None:
        """Id, bee and the time it began are never changed."""
        found = {(incident.id, incident.bee, incident.opened_at) for _, incident in self.history}
        assert found == {("i", "b", NOW)}


TestLife = Life.TestCase


def test_well_again_takes_as_many_windows_as_are_asked_for() -> None:
    """One window said twice counts once, and a bad one in between begins anew."""
    incident = machine.opened("i", "b", "1", BAD, NOW)
    once = machine.well(machine.well(incident, "w1", 2, WELL, NOW), "w1", 2, WELL, NOW)
    assert once.state is State.OPEN
    assert machine.well(once, "w2", 2, WELL, NOW).state is State.CLOSED
    assert machine.well(machine.unwell(once), "w2", 2, WELL, NOW).state is State.OPEN


def test_a_healthy_evaluation_of_a_run_in_flight_is_only_noted() -> None:
    """An incident is not closed under the run that works on it."""
    working = machine.begun(machine.opened("i", "b", "1", BAD, NOW), "bad", NOW)

    assert machine.well(working, "w1", 1, WELL, NOW).state is State.RETRAINING


def test_an_older_evaluation_does_not_replace_the_newest() -> None:
    """What the incident was last told is by event time."""
    incident = machine.opened("i", "b", "1", BAD, NOW)
    late = replace(WELL, evaluated_at=NOW - timedelta(days=1))

    assert machine.attached(incident, late, NOW).newest == BAD


def test_the_same_event_opens_the_same_incident() -> None:
    """The id is made of bee, source and id of the first trigger."""
    assert machine.incident_id("b", "s", "e") == machine.incident_id("b", "s", "e")
    assert (
        len({machine.incident_id(*key) for key in [("b", "s", "e"), ("c", "s", "e"), ("b", "t", "e"), ("b", "s", "f")]})
        == 4
    )


def test_a_change_is_dated() -> None:
    """A change of state has its time, a note leaves it."""
    later = NOW + timedelta(days=1)
    opened = machine.opened("i", "b", "1", BAD, NOW)

    begun = machine.begun(opened, "bad", NOW)

    assert machine.attached(opened, BAD, later).changed_at == NOW
    assert machine.settled(begun, State.REFUSED, "no", "r", later).changed_at == later


def test_a_long_story_loses_only_notes() -> None:
    """However many evaluations came, the changes of state are told."""
    incident = machine.opened("i", "b", "1", BAD, NOW)
    for _ in range(MAX_STORY + 10):
        incident = machine.attached(incident, BAD, NOW)
    incident = machine.begun(incident, "bad", NOW)
    incident = machine.settled(incident, State.FAILED, "broke", "r", NOW)
    incident = machine.well(incident, "w", 1, WELL, NOW)

    assert [entry["what"] for entry in incident.story[-3:]] == ["retraining", "failed", "closed"]
    assert len(incident.story) == MAX_STORY + 3
