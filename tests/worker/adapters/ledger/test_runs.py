from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.adapters.engine.waiting import until
from tests.worker.adapters.ledger.records import MICROSECOND, NOW, UNICODE, run
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.errors import Conflict, LeaseLost
from worker.runs.lifecycle import Verdict
from worker.runs.port import Lease, StepState


def claim(ledger: SqlLedger, owner: str = "one", *, limit: int = 10, lease_s: float = 60) -> list[Lease]:
    """Claim in a transaction of its own."""
    with ledger.begin() as transaction:
        return list(transaction.runs.claim(owner, limit=limit, lease_s=lease_s))


def test_round_trip(ledger: SqlLedger) -> None:
    """A run comes back as it was, new and with everything that can happen to it."""
    full = run(
        incident_id="i-1", attempt=2, reason=UNICODE, parameters={"a": [1, None]}, frozen={"b": UNICODE},
        status=Status.FAILED, error=UNICODE, started_at=NOW + MICROSECOND, ended_at=NOW + timedelta(1), transition=4,
        cancel_requested=True, settled=True, verdict=Verdict.FAILED, outcome={"c": 0.1}, loop=False,
    )  # fmt: skip
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        assert transaction.runs.get(run().id) == run()
        transaction.runs.save(full)
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.get(run().id) == full
        assert transaction.runs.get("other") is None


def test_error_of_any_text(ledger: SqlLedger) -> None:
    """What a step printed is kept although no database takes it as it is."""
    with ledger.begin() as transaction:
        transaction.runs.add(run(error="nul \x00 half \ud83d"))
        transaction.runs.save_steps(run().id, [StepState("train", Status.FAILED, error="\x00", log_tail="\x00\udfff")])
        found = transaction.runs.get(run().id)
        assert found is not None
        assert found.error == "nul \ufffd half ?"
        assert transaction.runs.steps(run().id)[0].log_tail == "\ufffd?"


def test_one_loop_run(ledger: SqlLedger) -> None:
    """A bee has one loop run in flight, an id is taken once; the transaction goes on after a Conflict."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        with pytest.raises(Conflict, match="exists already"):
            transaction.runs.add(run(bee="other"))
        with pytest.raises(Conflict, match="spam-guard has a run in flight"):
            transaction.runs.add(run("second"))
        transaction.runs.add(run("experiment-1", loop=False))
        transaction.runs.add(run("experiment-2", loop=False))
        transaction.runs.add(run("other", bee="other"))
    with ledger.begin() as transaction:
        assert transaction.runs.in_flight("spam-guard") == run()
        assert transaction.runs.in_flight("none") is None
        transaction.runs.save(run(status=Status.SUCCEEDED))
        with pytest.raises(Conflict):
            transaction.runs.add(run("second"))
        transaction.runs.save(run(status=Status.SUCCEEDED, settled=True))
        assert transaction.runs.in_flight("spam-guard") is None
        transaction.runs.add(run("second"))
        assert transaction.runs.unsettled() == 4


def test_list(ledger: SqlLedger) -> None:
    """Runs are listed newest first, by bee, template and whether they are settled."""
    with ledger.begin() as transaction:
        transaction.runs.add(run("a", settled=True, status=Status.FAILED))
        transaction.runs.add(run("b", created_at=NOW + MICROSECOND))
        transaction.runs.add(run("c", created_at=NOW + MICROSECOND, bee="other", template="experiment"))

        def ids(**asked: object) -> list[str]:
            return [found.id for found in transaction.runs.list(**asked)]  # type: ignore[arg-type]

        assert ids() == ["b", "c", "a"]
        assert ids(bee="spam-guard") == ["b", "a"]
        assert ids(template="experiment") == ["c"]
        assert ids(bee="spam-guard", template="experiment") == []
        assert ids(settled=False) == ["b", "c"]
        assert ids(settled=True, bee="spam-guard") == ["a"]


def test_steps(ledger: SqlLedger) -> None:
    """Steps are kept in order, replaced as they go on, and stay when the engine does not know them any more."""
    first = StepState("collect", Status.RUNNING, 1, NOW, None, None, "…")
    second = StepState("loop/2/" + UNICODE, Status.FAILED, 3, NOW, NOW + MICROSECOND, UNICODE, UNICODE)
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        assert transaction.runs.steps(run().id) == []
        transaction.runs.save_steps(run().id, [first])
        transaction.runs.save_steps(run().id, [second, replace(first, status=Status.SUCCEEDED)])
        assert transaction.runs.steps(run().id) == [second, replace(first, status=Status.SUCCEEDED)]
        transaction.runs.save_steps(run().id, [first])
        assert transaction.runs.steps(run().id) == [first, second]


def test_a_loop_that_was_waited_for(ledger: SqlLedger) -> None:
    """A step that waited and is named no more, as a loop whose items are known by now, does not stay as waiting."""
    each = [StepState(f"loop/{number}/each", Status.RUNNING, 1, NOW) for number in range(2)]
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        transaction.runs.add(run("other", loop=False))
        transaction.runs.save_steps("other", [StepState("loop", Status.PENDING)])
        transaction.runs.save_steps(run().id, [StepState("loop", Status.PENDING)])
        transaction.runs.save_steps(run().id, each)

        assert transaction.runs.steps(run().id) == each
        assert len(transaction.runs.steps("other")) == 1


def test_claim(ledger: SqlLedger) -> None:
    """A claim takes the oldest runs that are not settled and that nobody holds, up to the limit."""
    with ledger.begin() as transaction:
        transaction.runs.add(run("settled", status=Status.FAILED, settled=True))
        for number in range(4):
            transaction.runs.add(run(f"r{number}", loop=False, created_at=NOW - number * MICROSECOND))
    assert claim(ledger, limit=3) == [Lease("r3", 1), Lease("r2", 1), Lease("r1", 1)]
    assert claim(ledger, "two") == [Lease("r0", 1)]
    assert claim(ledger, "three") == []


def test_hold(ledger: SqlLedger) -> None:
    """A run is held by its lease only, and as it is now."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    [lease] = claim(ledger)
    with ledger.begin() as transaction:
        assert transaction.runs.hold(lease) == run()
        transaction.runs.save(run(status=Status.QUEUED))
        assert transaction.runs.hold(lease).status is Status.QUEUED
        for wrong in (Lease(lease.run_id, 0), Lease(lease.run_id, 2), Lease("other", 1)):
            with pytest.raises(LeaseLost, match="taken over"):
                transaction.runs.hold(wrong)


def test_taken_over(ledger: SqlLedger) -> None:
    """A lease runs out by the database's clock; who wakes up late has lost it and can neither write nor release."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    [late] = claim(ledger, lease_s=0.15)
    assert claim(ledger, "two") == []
    [lease] = until(lambda: claim(ledger, "two"))
    assert lease.epoch == late.epoch + 1
    with ledger.begin() as transaction:
        transaction.runs.release(late, again_after_s=0)
        with pytest.raises(LeaseLost):
            transaction.runs.hold(late)
        assert transaction.runs.hold(lease) == run()
    assert claim(ledger, "three") == []


def test_release(ledger: SqlLedger) -> None:
    """A released run can be claimed again after the time that the release says, not before."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
    [lease] = claim(ledger)
    with ledger.begin() as transaction:
        transaction.runs.release(lease, again_after_s=0)
    [lease] = claim(ledger)
    assert lease.epoch == 2
    with ledger.begin() as transaction:
        transaction.runs.release(lease, again_after_s=0.2)
    assert claim(ledger) == []
    assert until(lambda: claim(ledger)) == [Lease(run().id, 3)]
    with ledger.begin() as transaction:
        transaction.runs.release(Lease(run().id, 3), again_after_s=3600)
    assert claim(ledger) == []


def test_look_now(ledger: SqlLedger) -> None:
    """A run that rests, or that somebody holds, can be claimed at once, and who held it loses nothing until then."""
    with ledger.begin() as transaction:
        transaction.runs.add(run())
        transaction.runs.add(run("settled", bee="other", settled=True))
    [held] = claim(ledger)
    with ledger.begin() as transaction:
        assert transaction.runs.look_now(run().id)
        assert not transaction.runs.look_now("settled")
        assert not transaction.runs.look_now("none")
        assert transaction.runs.hold(held) == run()
        transaction.runs.release(held, again_after_s=60)

    [again] = claim(ledger, "two")

    with ledger.begin() as transaction:
        with pytest.raises(LeaseLost):
            transaction.runs.hold(held)
        transaction.runs.release(again, again_after_s=60)
    assert claim(ledger) == []
    with ledger.begin() as transaction:
        transaction.runs.look_now(run().id)
    assert claim(ledger) == [Lease(run().id, 3)]
