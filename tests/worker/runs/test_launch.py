from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.worker import world
from tests.worker.runs.loop import Loop
from tests.worker.world import BEE, DAY, NOW, Engine, Freezer
from worker.engine.state import Status
from worker.errors import Conflict, LeaseLost, Rejected, TryLater
from worker.runs.launch import Launcher
from worker.runs.lifecycle import Verdict
from worker.runs.port import EngineState, Submission


class _DiesAfterSubmit(Engine):
    """An engine behind a process that is killed between the submission and the ledger's note of it."""

    def submit(self, submission: Submission) -> None:
        """Take it, then die."""
        super().submit(submission)
        raise KeyboardInterrupt


def test_everything_that_can_change_is_frozen(loop: Loop) -> None:
    """What the steps will read is fixed in the run: bee, champion, definitions, versions, times and seed."""
    run = world.ask_for_run(loop.ledger)

    loop.advancer().turn()

    frozen = world.get_run(loop.ledger, run.id).frozen
    assert frozen is not None
    assert frozen["bee"] == BEE.frozen()
    assert frozen["champion"]["version"] == "1"
    assert frozen["champion"]["epoch"] == 1
    assert frozen["champion"]["sha256"] == "a" * 64
    assert frozen["newRowsSince"] == "2002-08-01T00:00:00Z"
    assert frozen["asOf"] == "2002-09-30T12:00:00Z"
    assert frozen["parameters"] == {"depth": 3, "beeId": BEE.bee}
    assert frozen["definitions"] == {"spam_probability": 1, "user_reputation_score": 1}
    assert (frozen["policyVersion"], frozen["codeVersion"]) == ("p1", "c1")
    assert frozen["outputDir"] == f"mem://runs/{run.id}"


def test_what_a_run_waits_for_is_told(loop: Loop) -> None:
    """While the engine is away a run says so, and no more once it was launched."""
    run = world.ask_for_run(loop.ledger)
    loop.engine.error = TryLater("Vertex AI is away")
    loop.advancer().turn()
    waiting = world.get_run(loop.ledger, run.id)
    assert (waiting.status, waiting.error) == (Status.PENDING, "not launched yet: Vertex AI is away")

    loop.engine.error = None
    with loop.ledger.begin() as transaction:
        transaction.runs.look_now(run.id)
    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).error is None


def test_the_submission(loop: Loop) -> None:
    """The engine gets the compiled spec, the frozen parameters, a place and the labels that tell whose run it is."""
    run = world.ask_for_run(loop.ledger)

    loop.advancer().turn()

    sent = loop.engine.submitted[run.id]
    assert sent.parameters == {"run": world.get_run(loop.ledger, run.id).frozen}
    assert sent.labels == {"installation": loop.ledger.installation, "run": run.id[-63:], "bee": BEE.bee}
    assert sent.output_dir == f"mem://runs/{run.id}"


class _Typed(Freezer):
    """A configuration whose compiled pipelines take parameters of their own."""

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return a spec whose root takes the run, and two parameters."""
        declared = {name: {} for name in ("run", "depth", "beeId")}
        return {**super().spec(template), "root": {"inputDefinitions": {"parameters": declared}}}


def test_what_the_pipeline_takes_is_given(loop: Loop) -> None:
    """What a compiled pipeline takes for its conditions and loops are the frozen parameters, by default or given."""
    run = world.ask_for_run(loop.ledger)

    replace(loop, freezer=_Typed()).advancer().turn()

    sent = loop.engine.submitted[run.id].parameters
    assert sent == {"run": world.get_run(loop.ledger, run.id).frozen, "depth": 3, "beeId": BEE.bee}


def test_without_a_champion(loop: Loop) -> None:
    """The first run of a bee has no champion to beat, which is frozen as that."""
    run = world.ask_for_run(loop.ledger, bee="other-bee")

    loop.advancer().turn()

    frozen = world.get_run(loop.ledger, run.id).frozen
    assert frozen is not None
    assert (frozen["champion"], frozen["newRowsSince"]) == (None, None)


def test_the_seed_is_of_the_request(loop: Loop) -> None:
    """The same template, bee and time train with the same seed, another time with another."""
    seeds = []
    for key, as_of in (("a", NOW - DAY), ("b", NOW - DAY), ("c", NOW - 2 * DAY)):
        run = world.ask_for_run(loop.ledger, key)
        with loop.ledger.begin() as transaction:
            transaction.runs.save(replace(run, as_of=as_of))
        loop.advancer().turn()
        frozen = world.get_run(loop.ledger, run.id).frozen or {}
        seeds.append(frozen["seed"])
        loop.end(run, Status.FAILED)

    assert seeds[0] == seeds[1] != seeds[2]
    assert all(0 <= seed < 2**31 for seed in seeds)


def test_killed_between_submit_and_save(loop: Loop) -> None:
    """A process that dies after the submission leaves a run that the next one launches as the same run."""
    run = world.ask_for_run(loop.ledger)
    dying = _DiesAfterSubmit()
    with pytest.raises(KeyboardInterrupt):
        Launcher(loop.ledger, dying, loop.freezer).launch(loop.lease(lease_s=0), NOW)
    half = world.get_run(loop.ledger, run.id)
    assert (half.status, half.frozen is not None) == (Status.PENDING, True)

    loop.freezer.code_version = "c2"
    world.put_into_production(loop.ledger, "2")
    loop.engine.submitted = dying.submitted
    loop.advancer().turn()

    after = world.get_run(loop.ledger, run.id)
    assert after.status is Status.QUEUED
    assert after.frozen == half.frozen
    assert loop.freezer.times == 1
    assert list(loop.engine.submitted) == [run.id]


@pytest.mark.parametrize("error", [Rejected("unknown field", field="spec.root"), Conflict("other labels")])
def test_what_the_engine_refuses_fails(loop: Loop, error: Exception) -> None:
    """A submission that will never be accepted ends the run as failed, settled with the engine's reason."""
    run = world.ask_for_run(loop.ledger)
    loop.engine.error = error

    loop.advancer().turn()

    after = world.get_run(loop.ledger, run.id)
    assert (after.status, after.verdict, after.settled) == (Status.FAILED, Verdict.FAILED, True)
    assert after.error == f"not accepted by the engine: {error}"
    assert world.event_types(loop.ledger) == ["pipeline.run.requested", "pipeline.run.failed"]


def test_a_stale_spec_fails_the_run(loop: Loop) -> None:
    """A template whose compiled spec is stale is refused, that run only."""
    run = world.ask_for_run(loop.ledger)
    loop.freezer.error = Rejected("stale", field="pipeline", mend="compile it")

    loop.advancer().turn()

    assert "Compile it" in (world.get_run(loop.ledger, run.id).error or "")


def test_a_bee_that_is_gone_fails_the_run(loop: Loop) -> None:
    """What cannot be frozen is refused with its reason, and the run settles without ever having been launched."""
    run = world.ask_for_run(loop.ledger)

    class Gone(type(loop.freezer)):  # type: ignore[misc]
        def bee(self, name: str) -> object:
            raise Rejected(f"there is no bee {name!r} any more", field="bee")

    loop.freezer = Gone()
    loop.advancer().turn()

    after = world.get_run(loop.ledger, run.id)
    assert (after.status, after.settled) == (Status.FAILED, True)
    assert "no bee 'spam-guard' any more" in (after.error or "")
    assert loop.engine.submits == 0


def test_try_later_leaves_it_pending(loop: Loop) -> None:
    """While the engine is away the run waits, and is launched when it is back."""
    run = world.ask_for_run(loop.ledger)
    loop.engine.error = TryLater("quota")
    lease = loop.lease(lease_s=0)
    launcher = Launcher(loop.ledger, loop.engine, loop.freezer)
    with pytest.raises(TryLater):
        launcher.launch(lease, NOW)
    assert world.get_run(loop.ledger, run.id).status is Status.PENDING

    loop.engine.error = None
    launcher.launch(lease, NOW)

    assert world.get_run(loop.ledger, run.id).status is Status.QUEUED


def test_cancelled_before_launch(loop: Loop) -> None:
    """A run that was cancelled before it began never reaches the engine."""
    run = world.ask_for_run(loop.ledger)
    with loop.ledger.begin() as transaction:
        transaction.runs.save(replace(run, cancel_requested=True))

    loop.advancer().turn()

    after = world.get_run(loop.ledger, run.id)
    assert (after.status, after.verdict, after.settled) == (Status.CANCELLED, Verdict.CANCELLED, True)
    assert loop.engine.submits == 0
    assert world.event_types(loop.ledger)[-1] == "pipeline.run.cancelled"


def test_a_lost_lease_launches_nothing(loop: Loop) -> None:
    """A process that was overtaken writes nothing and submits nothing."""
    world.ask_for_run(loop.ledger)
    old = loop.lease(lease_s=0)
    loop.lease()

    with pytest.raises(LeaseLost):
        Launcher(loop.ledger, loop.engine, loop.freezer).launch(old, NOW)

    assert loop.engine.submits == 0


def test_a_run_already_launched_is_left_alone(loop: Loop) -> None:
    """Launching a second time changes no status."""
    run = world.ask_for_run(loop.ledger)
    lease = loop.lease()
    launcher = Launcher(loop.ledger, loop.engine, loop.freezer)

    launcher.launch(lease, NOW)
    launcher.launch(lease, NOW)

    assert world.get_run(loop.ledger, run.id).transition == 1
    assert loop.engine.states == {run.id: EngineState(Status.QUEUED)}
