import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker import world
from tests.worker.runs.loop import Loop
from tests.worker.world import BEE, NOW
from worker.engine.state import Status
from worker.errors import LeaseLost, Rejected, TryLater
from worker.incidents import machine
from worker.incidents.machine import State
from worker.models.port import Deployment, ModelVersion
from worker.runs.lifecycle import Run, Verdict
from worker.runs.outcome import checked
from worker.runs.request import request_run
from worker.runs.settle import Settler

Change = Callable[[dict[str, Any]], object]


def _models(loop: Loop) -> tuple[list[ModelVersion], list[Deployment]]:
    with loop.ledger.begin(write=False) as transaction:
        return list(transaction.models.versions(BEE.bee)), list(transaction.models.deployments(BEE.bee))


def _incident_run(loop: Loop) -> Run:
    """Open an incident with its run, as a triggering evaluation does."""
    run = Run("auto-retrain-spam-guard-i", "auto-retrain", BEE.bee, "drift", "bad", NOW, NOW, incident_id="i")
    with loop.ledger.begin() as transaction:
        newest = machine.Newest(NOW, NOW, bad=True, reason="bad")
        transaction.incidents.save(machine.begun(machine.opened("i", BEE.bee, "1", newest, NOW), "bad", NOW))
        request_run(run, transaction, NOW)
    return run


def _incident(loop: Loop) -> machine.Incident:
    with loop.ledger.begin(write=False) as transaction:
        found = transaction.incidents.get("i")
    assert isinstance(found, machine.Incident)
    return found


def test_what_passes_is_deployed(loop: Loop) -> None:
    """A deployable challenger whose numbers pass becomes the next version and the champion, and the world is told."""
    run = loop.concluded(...)

    versions, deployments = _models(loop)
    assert (run.status, run.verdict, run.settled) == (Status.SUCCEEDED, Verdict.DEPLOYED, True)
    assert [(one.version, one.state, one.gate_passed, one.run_id) for one in versions] == [
        ("1", "retired", True, None),
        ("2", "deployed", True, run.id),
    ]
    assert versions[1].metrics == {"f1": 0.93}
    assert versions[1].lineage["trainedUntil"] == "2002-09-24T00:00:00Z"
    assert versions[1].lineage["gate"] == world.gate()
    assert [(one.epoch, one.version, one.previous, one.run_id) for one in deployments][1:] == [(2, "2", "1", run.id)]
    assert "0.800 → 0.930" in deployments[1].reason
    assert world.event_types(loop.ledger) == [
        "pipeline.run.requested",
        "pipeline.run.started",
        "pipeline.run.succeeded",
        "model.registered",
        "model.deployed",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"lower": 0.0},
        {"lower": -0.01},
        {"lower": math.nan},
        {"lower": math.inf, "upper": math.inf},
        {"lower": None},
        {"lower": "0.5"},
        {"lower": 10**400},
        {"challenger": math.nan},
        {"champion": math.nan},
        {"margin": math.nan},
        {"margin": 0.06},
        {"confidence": 0.5},
        {"rows": 99},
        {"positives": 19},
        {"newRows": 49},
        {"slices": [{"column": "a", "value": 1, "loss": 0.06}]},
        {"slices": [{"column": "a", "value": 1, "loss": math.nan}]},
        {"slices": None},
        {"challengerTrainedUntil": "2002-09-25T00:00:00Z"},
        {"championTrainedUntil": "2002-09-26T00:00:00Z"},
        {"championTrainedUntil": None},
        {"holdoutStart": "0001-01-01T00:00:00+23:59"},
        {"baseline": None},
        {"championMissing": ["spam_probability"]},
    ],
)
def test_the_gate_is_judged_again(loop: Loop, changes: dict[str, Any]) -> None:
    """An outcome that calls itself deployable although its numbers do not pass is registered as refused."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, gate=world.gate(**changes)))

    after = loop.end(run)

    versions, deployments = _models(loop)
    assert after.verdict is Verdict.REJECTED
    assert [(one.state, one.gate_passed) for one in versions] == [("deployed", True), ("refused", False)]
    assert len(deployments) == 1
    assert world.event_types(loop.ledger)[-2:] == ["model.registered", "model.rejected"]


def test_an_empty_gate_is_refused(loop: Loop) -> None:
    """Without numbers nothing passes."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, gate=None))

    assert loop.end(run).verdict is Verdict.REJECTED


@pytest.mark.parametrize(
    ("said", "verdict", "state"),
    [("rejected", Verdict.REJECTED, "refused"), ("registered", Verdict.REGISTERED, "registered")],
)
def test_the_pipelines_own_word(loop: Loop, said: str, verdict: Verdict, state: str) -> None:
    """A pipeline may refuse or only register what would pass; it is kept, and production stays as it is."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, verdict=said))

    assert loop.end(run).verdict is verdict
    versions, deployments = _models(loop)
    assert (versions[-1].state, len(deployments)) == (state, 1)


def test_nothing_was_trained(loop: Loop) -> None:
    """A run that found nothing new has no challenger: refused, and no version is made."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, verdict="rejected", challenger=None, reason="nothing new"))

    assert loop.end(run).verdict is Verdict.REJECTED
    assert len(_models(loop)[0]) == 1


def test_the_champion_changed_meanwhile(loop: Loop) -> None:
    """A challenger judged against a model that is no longer in production is kept, and not deployed."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))
    world.put_into_production(loop.ledger, "7")

    after = loop.end(run)

    versions, deployments = _models(loop)
    assert after.verdict is Verdict.SUPERSEDED
    assert [(one.version, one.state) for one in versions][-1] == ("8", "registered")
    assert deployments[-1].version == "7"
    assert world.event_types(loop.ledger)[-1] == "model.rejected"


def test_there_and_back_is_a_change_too(loop: Loop) -> None:
    """Production that moved on and back is another deployment: the swap compares the epoch, not the name."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))
    with loop.ledger.begin() as transaction:
        transaction.models.deploy(Deployment(BEE.bee, 2, "x", "1", NOW, "", None))
        transaction.models.deploy(Deployment(BEE.bee, 3, "1", "x", NOW, "", None))

    assert loop.end(run).verdict is Verdict.SUPERSEDED


def test_the_first_model(loop: Loop) -> None:
    """Without a champion the one that beat the baseline is deployed."""
    run = world.ask_for_run(loop.ledger, bee="other-bee")
    loop.advancer().turn()
    numbers = world.gate(baseline=True, championTrainedUntil=None, newRows=None)
    loop.outcomes.put(run.id, world.outcome(run.id, gate=numbers))

    assert loop.end(run).verdict is Verdict.DEPLOYED


def test_cancelled_although_it_succeeded(loop: Loop) -> None:
    """A cancellation that came too late for the engine still deploys and registers nothing."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))
    with loop.ledger.begin() as transaction:
        transaction.runs.save(replace(world.get_run(loop.ledger, run.id), cancel_requested=True))

    assert loop.end(run).verdict is Verdict.CANCELLED
    assert [len(part) for part in _models(loop)] == [1, 1]
    with loop.ledger.begin(write=False) as transaction:
        assert transaction.outbox.list(bee=run.bee)[-1][0].type == "pipeline.run.cancelled"


@pytest.mark.parametrize(
    "left",
    [
        None,
        Rejected("not JSON", field="outcome.json"),
        {},
        world.outcome("another-run"),
        world.outcome("RUN", verdict="fine"),
        world.outcome("RUN", verdict=None),
        world.outcome("RUN", gate="passed"),
        world.outcome("RUN", gate=[1]),
        world.outcome("RUN", lineage=["x"]),
        world.outcome("RUN", cost=7),
        world.outcome("RUN", challenger="the best"),
        world.outcome("RUN", challenger={"uri": "mem://x"}),
        world.outcome("RUN", challenger={"uri": 1, "sha256": "b"}),
        world.outcome("RUN", challenger={"uri": "a", "sha256": "b", "metrics": {"f1": "good"}}),
        world.outcome("RUN", challenger={"uri": "a", "sha256": "b", "metrics": [0.9]}),
    ],
)
def test_a_success_without_a_usable_outcome_escalates(loop: Loop, left: Any) -> None:
    """A run that succeeded and left nothing usable is a fault that only a person can mend: failed, and told so."""
    run = _incident_run(loop)
    loop.advancer().turn()
    loop.outcomes.put(run.id, left | {"run": run.id} if isinstance(left, dict) and left.get("run") == "RUN" else left)

    after = loop.end(run)

    assert (after.verdict, after.settled) == (Verdict.FAILED, True)
    assert [len(part) for part in _models(loop)] == [1, 1]
    assert _incident(loop).state is State.ESCALATED
    assert world.event_types(loop.ledger)[-2:] == ["pipeline.run.succeeded", "incident.escalated"]
    with loop.ledger.begin(write=False) as transaction:
        assert transaction.outbox.list()[-1][0].data["reason"]


def test_a_bees_spec_that_cannot_be_read_any_more(loop: Loop) -> None:
    """A run frozen by a worker with other words for a bee ends, instead of being tried for ever."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    stored = world.get_run(loop.ledger, run.id)
    with loop.ledger.begin() as transaction:
        transaction.runs.save(replace(stored, frozen={**(stored.frozen or {}), "bee": {"bee": "spam-guard"}}))
    loop.outcomes.put(run.id, world.outcome(run.id))

    assert loop.end(run).verdict is Verdict.FAILED


@pytest.mark.parametrize(
    ("status", "changes", "state"),
    [
        (Status.SUCCEEDED, {}, State.DEPLOYED),
        (Status.SUCCEEDED, {"verdict": "rejected"}, State.REFUSED),
        (Status.SUCCEEDED, {"verdict": "registered"}, State.REFUSED),
        (Status.FAILED, {}, State.FAILED),
        (Status.CANCELLED, {}, State.OPEN),
    ],
)
def test_the_incident_goes_on(loop: Loop, status: Status, changes: dict[str, Any], state: State) -> None:
    """The incident takes the run's end into its state and its story."""
    run = _incident_run(loop)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, **changes))

    loop.end(run, status)

    assert _incident(loop).state is state
    told = "cancelled" if state is State.OPEN else state
    assert [entry["what"] for entry in _incident(loop).story if entry.get("run") == run.id] == [told]


def test_twice_is_once(loop: Loop) -> None:
    """Settling an ended run again changes nothing: one version, one deployment, the same events."""
    run = loop.concluded(...)
    before = world.event_ids(loop.ledger), _models(loop)
    with loop.ledger.begin() as transaction:
        transaction.runs.save(replace(run, settled=False, verdict=None))
    lease = loop.lease()
    with loop.ledger.begin() as transaction:
        transaction.runs.save(run)

    Settler(loop.ledger, loop.outcomes).settle(lease, run, NOW)

    assert (world.event_ids(loop.ledger), _models(loop)) == before


def test_killed_while_settling_leaves_nothing_half(loop: Loop) -> None:
    """A process that dies at the last line of settling has changed nothing; the next one does it all."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))
    loop.engine.end(run.id)
    lease = loop.lease(lease_s=0)
    loop.advancer().watcher.watch(lease, run.id, cancel=False, now=NOW)
    ended = world.get_run(loop.ledger, run.id)

    class Dies(type(loop.ledger)):  # type: ignore[misc]
        """Rolls back at the end, as a crash before the commit does."""

        def begin(self, *, write: bool = True) -> Any:
            from contextlib import contextmanager

            @contextmanager
            def dying() -> Any:
                with super(Dies, self).begin(write=write) as transaction:
                    yield transaction
                    raise KeyboardInterrupt

            return dying()

    with pytest.raises(KeyboardInterrupt):
        Settler(Dies(loop.ledger.database), loop.outcomes).settle(lease, ended, NOW)
    assert not world.get_run(loop.ledger, run.id).settled
    assert [len(part) for part in _models(loop)] == [1, 1]

    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).verdict is Verdict.DEPLOYED
    assert [len(part) for part in _models(loop)] == [2, 2]


def test_a_lost_lease_settles_nothing(loop: Loop) -> None:
    """A process that was overtaken registers and deploys nothing."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))
    loop.engine.end(run.id)
    old = loop.lease(lease_s=0)
    loop.advancer().watcher.watch(old, run.id, cancel=False, now=NOW)
    loop.lease()

    with pytest.raises(LeaseLost):
        Settler(loop.ledger, loop.outcomes).settle(old, world.get_run(loop.ledger, run.id), NOW)

    assert [len(part) for part in _models(loop)] == [1, 1]


def test_an_outcome_out_of_reach_is_waited_for(loop: Loop) -> None:
    """While the outcome's place is away the run is not settled."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, TryLater("bucket away"))

    assert not loop.end(run).settled


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.sampled_from(["gate", "challenger", "lineage", "cost", "metrics", "verdict"]), JSON))
def test_no_outcome_has_a_number_that_is_not_finite(value: dict[str, Any]) -> None:
    """Whatever a run left is refused by name, or can be stored as strict JSON."""
    import json

    try:
        found = checked(value)
    except Rejected as error:
        assert error.field  # noqa: PT017
    else:
        json.dumps(found, allow_nan=False)


def test_a_template_that_makes_no_model_completes(loop: Loop) -> None:
    """A run without a challenger that says `completed` is done: nothing is registered, nothing refused."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id, verdict="completed", challenger=None, gate={}, reason="7 rows"))

    after = loop.end(run)

    versions, deployments = _models(loop)
    assert (after.verdict, after.status, after.outcome and after.outcome["reason"]) == (
        Verdict.COMPLETED,
        Status.SUCCEEDED,
        "7 rows",
    )
    assert (len(versions), len(deployments)) == (1, 1)
    with loop.ledger.begin(write=False) as transaction:
        told = [event.data for event, _ in transaction.outbox.list() if event.type == "pipeline.run.succeeded"]
    assert [(one["verdict"], one["verdictReason"]) for one in told] == [("completed", "7 rows")]


def test_a_run_outside_the_slot_changes_no_champion(loop: Loop) -> None:
    """What a run that does not hold the bee's slot calls deployable is registered only."""
    run = replace(world.ask_for_run(loop.ledger), loop=False)
    with loop.ledger.begin() as transaction:
        transaction.runs.save(run)
    loop.advancer().turn()
    loop.outcomes.put(run.id, world.outcome(run.id))

    after = loop.end(run)

    versions, deployments = _models(loop)
    assert after.verdict is Verdict.REGISTERED
    assert [one.state for one in versions] == ["deployed", "registered"]
    assert len(deployments) == 1
