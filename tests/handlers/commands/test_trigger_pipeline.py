from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.commands.cancel_run import cancel_run
from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline
from tests.worker import world
from tests.worker.world import BEE, BEES, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.errors import Conflict, NotFound, Rejected
from worker.runs.lifecycle import Run, Verdict, concluded

ASKED = TriggerPipeline("auto-retrain", BEE.bee, NOW, "key-1", "because", {"depth": 2})
TEMPLATES = {"auto-retrain": world.template()}


def _trigger(ledger: SqlLedger, command: TriggerPipeline = ASKED) -> Run:
    return trigger_pipeline(command, ledger, BEES, TEMPLATES, NOW)


def test_a_run_is_asked_for(ledger: SqlLedger) -> None:
    """The run is PENDING with what was asked for, and the world is told."""
    run = _trigger(ledger)

    stored = world.get_run(ledger, run.id)
    assert stored == run
    assert (run.status, run.trigger, run.reason, run.as_of) == (Status.PENDING, "manual", "because", NOW)
    assert run.parameters == {"depth": 2, "beeId": BEE.bee}
    assert world.event_types(ledger) == ["pipeline.run.requested"]


def test_the_same_key_is_the_same_run(ledger: SqlLedger) -> None:
    """A repeated request is answered with the first run, also after that has ended."""
    first = _trigger(ledger)
    assert _trigger(ledger) == first

    done = concluded(replace(first, status=Status.FAILED), Verdict.FAILED, None)
    with ledger.begin() as transaction:
        transaction.runs.save(done)

    assert _trigger(ledger) == done
    assert world.event_types(ledger) == ["pipeline.run.requested"]


def test_one_run_in_flight(ledger: SqlLedger) -> None:
    """Another key while a run is in flight is a conflict that names it; another bee is free."""
    first = _trigger(ledger)

    with pytest.raises(Conflict, match=first.id):
        _trigger(ledger, replace(ASKED, key="key-2"))

    assert _trigger(ledger, replace(ASKED, key="key-3", bee="other-bee")).id != first.id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bee": "nobody"}, "parameters.beeId"),
        ({"template": "auto-magic"}, "pipeline"),
        ({"as_of": NOW + timedelta(seconds=1)}, "parameters.asOf"),
    ],
)
def test_wrong_requests(ledger: SqlLedger, changes: dict[str, object], field: str) -> None:
    """An unknown bee or template and a time to come are refused by field and mend; nothing is stored."""
    with pytest.raises(Rejected) as error:
        _trigger(ledger, replace(ASKED, **changes))  # type: ignore[arg-type]

    assert error.value.field == field
    assert error.value.mend
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.list() == []


def test_cancel(ledger: SqlLedger) -> None:
    """A cancellation is noted with the run, once or twice, for the loops to carry out."""
    run = _trigger(ledger)

    for _ in range(2):
        assert cancel_run(run.id, ledger).cancel_requested

    assert world.get_run(ledger, run.id) == replace(run, cancel_requested=True)


def test_cancel_nothing(ledger: SqlLedger) -> None:
    """A run that is not there cannot be cancelled."""
    with pytest.raises(NotFound, match="no-run"):
        cancel_run("no-run", ledger)


def test_cancel_too_late(ledger: SqlLedger) -> None:
    """A settled run cannot be cancelled: what it deployed is in production."""
    run = _trigger(ledger)
    with ledger.begin() as transaction:
        transaction.runs.save(concluded(replace(run, status=Status.SUCCEEDED), Verdict.DEPLOYED, None))

    with pytest.raises(Conflict, match="deployed"):
        cancel_run(run.id, ledger)


@pytest.mark.parametrize(
    "changes", [{"reason": "another"}, {"parameters": {"depth": 3}}, {"as_of": NOW - timedelta(days=1)}]
)
def test_a_forgotten_key_never_answers_for_another_request(ledger: SqlLedger, changes: dict[str, object]) -> None:
    """Once a key has been pruned it still names its run, and is refused for anything else."""
    first = _trigger(ledger)
    for run in (first, concluded(replace(first, status=Status.FAILED), Verdict.FAILED, None)):
        with ledger.begin() as transaction:
            transaction.request_keys.forget(NOW + timedelta(days=1), limit=10)
            transaction.runs.save(run)

        assert _trigger(ledger) == run
        with ledger.begin() as transaction:
            transaction.request_keys.forget(NOW + timedelta(days=1), limit=10)
        with pytest.raises(Rejected, match="has asked for something else before") as error:
            trigger_pipeline(replace(ASKED, **changes), ledger, BEES, TEMPLATES, NOW + timedelta(days=40))  # type: ignore[arg-type]
        assert error.value.field == "Idempotency-Key"


def test_a_cancelled_run_is_looked_at_at_once(ledger: SqlLedger) -> None:
    """A run that rests between two looks is given to the loops as soon as somebody cancels it."""
    run = world.ask_for_run(ledger)
    with ledger.begin() as transaction:
        (lease,) = transaction.runs.claim("one", limit=1, lease_s=60)
        transaction.runs.release(lease, again_after_s=3600)

    cancel_run(run.id, ledger)

    with ledger.begin() as transaction:
        assert [one.run_id for one in transaction.runs.claim("two", limit=1, lease_s=60)] == [run.id]
