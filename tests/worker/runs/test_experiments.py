from typing import Any

import pytest

from tests.worker import world
from tests.worker.runs.loop import Loop
from tests.worker.world import BEE
from worker.models.port import ModelVersion
from worker.runs.lifecycle import Run, Verdict

WON = {"variant": "deep", "algorithm": "random_forest", "hyperparameters": {"max_depth": 8}, "chosenAmong": 4}


def _experiment(loop: Loop, key: str = "k", **changes: Any) -> Run:
    """Take a run to its end whose outcome is an experiment's winner."""
    run = world.ask_for_run(loop.ledger, key)
    loop.advancer().turn()
    experiment = WON | {"run": run.id}
    outcome = {
        "verdict": "registered",
        "reason": "deep is the simplest",
        "lineage": {"experiment": experiment},
    } | changes
    loop.outcomes.put(run.id, world.outcome(run.id, **outcome))
    return loop.end(run)


def _frozen(loop: Loop, key: str) -> Any:
    run = world.ask_for_run(loop.ledger, key)
    loop.advancer().turn()
    frozen = world.get_run(loop.ledger, run.id).frozen
    assert frozen is not None
    return frozen["bestExperiment"]


def _versions(loop: Loop) -> list[ModelVersion]:
    with loop.ledger.begin(write=False) as transaction:
        return list(transaction.models.versions(BEE.bee))


@pytest.mark.parametrize(("lower", "passed"), [(0.05, True), (-0.05, False)])
def test_the_winner_is_registered_and_never_deployed(loop: Loop, lower: float, *, passed: bool) -> None:
    """An experiment's winner becomes a registered version, its gate noted as it is, and production stays as it was."""
    run = _experiment(loop, gate=world.gate(lower=lower))
    version = _versions(loop)[-1]

    assert run.verdict is Verdict.REGISTERED
    assert (version.state, version.gate_passed) == ("registered", passed)
    assert version.lineage["experiment"]["hyperparameters"] == {"max_depth": 8}
    assert "model.deployed" not in world.event_types(loop.ledger)
    with loop.ledger.begin(write=False) as transaction:
        champion = transaction.models.champion(BEE.bee)
    assert champion is not None
    assert champion.version == "1"


def test_without_an_experiment_the_gate_still_decides(loop: Loop) -> None:
    """A template that only registers, but is no experiment, registers nothing as usable that its gate refuses."""
    run = _experiment(loop, gate=world.gate(lower=-0.05), lineage={})

    assert run.verdict is Verdict.REJECTED
    assert _versions(loop)[-1].state == "refused"


def test_launch_freezes_the_newest_winner(loop: Loop) -> None:
    """A run gets the newest winner that was not refused, with its version; before there is one, null."""
    assert _frozen(loop, "before") is None
    loop.end(loop_run := world.get_run(loop.ledger, next(iter(loop.engine.submitted))))
    first = _experiment(loop, "first")
    _experiment(loop, "second", verdict="rejected", reason="no variant holds up")
    best = _frozen(loop, "after")

    assert loop_run.id != first.id
    assert best == {"version": _versions(loop)[1].version, "run": first.id, **WON}
