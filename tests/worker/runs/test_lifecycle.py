import re
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.world import NOW
from worker.engine.state import Status
from worker.errors import Conflict
from worker.runs.lifecycle import Run, Verdict, concluded, moved, run_id

RUN = Run("r", "auto-retrain", "b", "drift", "bad", NOW, NOW)
WAYS = {
    Status.PENDING: {Status.QUEUED, Status.FAILED, Status.CANCELLED},
    Status.QUEUED: {Status.RUNNING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.RUNNING: {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
}
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True)


@pytest.mark.parametrize("start", list(Status))
@pytest.mark.parametrize("to", list(Status))
def test_the_only_ways(start: Status, to: Status) -> None:
    """Every change of status is one of the known ways, or a Conflict."""
    run = replace(RUN, status=start)
    if to in WAYS.get(start, set()):
        after = moved(run, to, NOW)

        assert (after.status, after.transition) == (to, 1)
        assert (after.ended_at == NOW) == to.ended
        assert (after.started_at == NOW) == (to is Status.RUNNING)
    else:
        with pytest.raises(Conflict, match="r is"):
            moved(run, to, NOW)


@given(st.lists(st.sampled_from(list(Status)), max_size=30))
def test_any_sequence_of_wishes_ends_at_most_once(wishes: list[Status]) -> None:
    """Whatever is asked for, a run ends at most once, and its transitions count its changes."""
    run, changes = RUN, 0
    for number, wish in enumerate(wishes):
        try:
            run = moved(run, wish, NOW + timedelta(seconds=number))
        except Conflict:
            continue
        changes += 1

    assert run.transition == changes <= 3
    assert (run.ended_at is not None) == run.status.ended


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("settled", [True, False])
def test_concluded_once_and_only_at_the_end(status: Status, settled: bool) -> None:  # noqa: FBT001
    """A run is settled once, after it ended."""
    run = replace(RUN, status=status, settled=settled)
    if status.ended and not settled:
        done = concluded(run, Verdict.REJECTED, {"a": 1})

        assert (done.settled, done.verdict, done.outcome, done.transition) == (True, Verdict.REJECTED, {"a": 1}, 1)
    else:
        with pytest.raises(Conflict):
            concluded(run, Verdict.REJECTED, None)


@given(NAMES, st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True), st.lists(st.text(), max_size=3))
def test_ids_fit_vertex(template: str, bee: str, key: list[str]) -> None:
    """Whatever the names, an id has Vertex's alphabet and length, and is the same each time."""
    found = run_id(template, bee, *key)

    assert re.fullmatch(r"[a-z][-a-z0-9]{0,127}", found)
    assert found == run_id(template, bee, *key)


def test_ids_tell_apart() -> None:
    """Template, bee and key each make another run, also where long names are cut."""
    long = "x" * 63
    keys = [("t", "b", "1"), ("t", "b", "2"), ("u", "b", "1"), ("t", "c", "1"), ("t", "b", "1", "2")]
    keys += [(long, long, "1"), (long, "x" * 62 + "y", "1")]

    assert len({run_id(*key) for key in keys}) == len(keys)
    assert run_id("auto-retrain", "spam-guard", "1").startswith("auto-retrain-spam-guard-")
