from datetime import timedelta

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.worker.world import NOW
from worker.errors import Conflict
from worker.incidents import machine
from worker.incidents.machine import MAX_STORY, Incident, State

ENDS = [State.DEPLOYED, State.REFUSED, State.FAILED, State.ESCALATED]


class Life(RuleBasedStateMachine):
    """Anything may happen to an incident, in any order."""

    incident: Incident
    history: list[tuple[str, Incident]]
    changes: int
    runs: int

    @initialize()
    def _open(self) -> None:
        self.incident = machine.opened("i", "b", "1", "bad", NOW)
        self.history = [("opened", self.incident)]
        self.runs, self.changes = 1, 1

    def _try(self, name: str, change: object, *, allowed: bool) -> bool:
        """Apply a change, or see it refused; a refused one leaves everything as it was."""
        assert callable(change)
        if not allowed:
            with pytest.raises(Conflict):
                change()
            return False
        self.incident = change()
        self.changes += 1
        self.history.append((name, self.incident))
        return True

    @rule(version=st.sampled_from(["1", "2"]))
    def bad_again(self, version: str) -> None:
        """A bad evaluation asks for the next attempt."""
        allowed = self.incident.state not in {State.RETRAINING, State.CLOSED}
        if self._try("retried", lambda: machine.reopened(self.incident, version, "worse", NOW), allowed=allowed):
            self.runs += 1
            assert self.incident.version == version

    @rule()
    def bad_meanwhile(self) -> None:
        """A bad evaluation joins."""
        allowed = self.incident.state is not State.CLOSED
        self._try("attached", lambda: machine.attached(self.incident, "bad", NOW), allowed=allowed)

    @rule(state=st.sampled_from(list(State)))
    def run_ends(self, state: State) -> None:
        """The run in flight ends, one way or another."""
        allowed = self.incident.state is State.RETRAINING and state in ENDS
        change = lambda: machine.settled(self.incident, state, "so", "r", NOW)  # noqa: E731
        self._try(str(state), change, allowed=allowed)

    @rule()
    def healthy(self) -> None:
        """A healthy evaluation comes."""
        name = "healthy" if self.incident.working else "closed"
        allowed = self.incident.state is not State.CLOSED
        self._try(name, lambda: machine.recovered(self.incident, "well", NOW), allowed=allowed)

    @invariant()
    def attempts_are_the_runs(self) -> None:
        """Each attempt is one run, and no two of them are in flight."""
        assert self.incident.attempt == self.runs
        ended = sum(1 for name, _ in self.history if name in set(map(str, ENDS)))
        assert self.runs - ended == int(self.incident.working)

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
    def identity_stays(self) -> None:
        """Id, bee and the time it began are never changed."""
        found = {(incident.id, incident.bee, incident.opened_at) for _, incident in self.history}
        assert found == {("i", "b", NOW)}


TestLife = Life.TestCase


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
    opened = machine.opened("i", "b", "1", "bad", NOW)

    assert machine.attached(opened, "bad", later).changed_at == NOW
    assert machine.settled(opened, State.REFUSED, "no", "r", later).changed_at == later


def test_a_long_story_loses_only_notes() -> None:
    """However many evaluations came, the changes of state are told."""
    incident = machine.opened("i", "b", "1", "bad", NOW)
    for _ in range(MAX_STORY + 10):
        incident = machine.attached(incident, "bad", NOW)
    incident = machine.settled(incident, State.FAILED, "broke", "r", NOW)
    incident = machine.recovered(incident, "well", NOW)

    assert [entry["what"] for entry in incident.story[-2:]] == ["failed", "closed"]
    assert len(incident.story) == MAX_STORY + 2
