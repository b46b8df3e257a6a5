"""What is tried on a bee's traffic, on each database: one thing at a time, whoever asks first."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.adapters.ledger.records import NOW, UNICODE, deployment, version
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict
from worker.models.traffic import Traffic
from worker.models.trials import Trial, TrialKind


def a_trial(id_: str = "t-1", **changes: object) -> Trial:
    """Return an active rollout of spam-guard."""
    detail = {"note": UNICODE, "steps": [1, None]}
    base = Trial(
        id_, "spam-guard", TrialKind.ROLLOUT, "running", active=True, started_at=NOW, changed_at=NOW, detail=detail
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def test_what_is_stored_is_read(ledger: SqlLedger) -> None:
    """All of it, text and microseconds too; and what became of it replaces it."""
    with ledger.begin() as transaction:
        transaction.trials.save(a_trial())
    with ledger.begin() as transaction:
        assert transaction.trials.get("t-1") == transaction.trials.active("spam-guard") == a_trial()
        over = a_trial(state="verified", active=False, changed_at=NOW + timedelta(days=1), detail={})
        transaction.trials.save(over)

    with ledger.begin(write=False) as transaction:
        assert transaction.trials.get("t-1") == over
        assert transaction.trials.active("spam-guard") is None
        assert transaction.trials.get("t-2") is None


@pytest.mark.parametrize("kind", list(TrialKind))
def test_one_at_a_time(ledger: SqlLedger, kind: TrialKind) -> None:
    """A second one of the same bee is refused, of either kind; another bee's, and one after the first, are not."""
    with ledger.begin() as transaction:
        transaction.trials.save(a_trial())
        with pytest.raises(Conflict, match="spam-guard is under way already"):
            transaction.trials.save(a_trial("t-2", kind=kind))
        transaction.trials.save(a_trial("t-3", bee="other-bee", kind=kind))
        transaction.trials.save(a_trial(active=False))
        transaction.trials.save(a_trial("t-2", kind=kind))

    with ledger.begin(write=False) as transaction:
        found = transaction.trials.active("spam-guard")
        assert found is not None
        assert found.id == "t-2"


def test_of_two_that_begin_at_once_one_is_refused(ledger: SqlLedger) -> None:
    """Two replicas without the bee's lock: the database itself keeps the second one out."""
    barrier, said = threading.Barrier(2), []

    def begin(id_: str) -> None:
        barrier.wait()
        try:
            with ledger.begin() as transaction:
                transaction.trials.save(a_trial(id_))
        except Conflict:
            said.append("refused")
        else:
            said.append("begun")

    threads = [threading.Thread(target=begin, args=(f"t-{number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == ["begun", "refused"]
    with ledger.begin(write=False) as transaction:
        assert len(transaction.trials.list("spam-guard", active=True)) == 1


def test_they_are_listed_oldest_first(ledger: SqlLedger) -> None:
    """By bee, kind, and whether they are over."""
    with ledger.begin() as transaction:
        transaction.trials.save(a_trial("new", started_at=NOW + timedelta(days=1)))
        transaction.trials.save(a_trial("old", active=False))
        transaction.trials.save(a_trial("test", bee="other-bee", kind=TrialKind.AB_TEST, started_at=NOW))

    with ledger.begin(write=False) as transaction:
        trials = transaction.trials
        assert [one.id for one in trials.list()] == ["old", "test", "new"]
        assert [one.id for one in trials.list("spam-guard")] == ["old", "new"]
        assert [one.id for one in trials.list(kind=TrialKind.ROLLOUT, active=True)] == ["new"]
        assert [one.id for one in trials.list(active=False)] == ["old"]


def test_divided_traffic_is_read_as_it_was(ledger: SqlLedger) -> None:
    """Its order is that in which places are given out; without any the champion serves everybody."""
    divided = Traffic((("4", 10), ("3", 90)), "salt", ("2",))
    with ledger.begin() as transaction:
        for number in ("2", "3", "4"):
            transaction.models.add(version(version=number, run_id=None))
        transaction.models.deploy(deployment(epoch=1, version="3"))
        transaction.models.deploy(deployment(epoch=2, version="3", divided=divided))

    with ledger.begin(write=False) as transaction:
        first, second = transaction.models.deployments("spam-guard")
        assert (first.divided, first.traffic.shares) == (None, {"3": 100})
        assert second.traffic == divided


def test_what_is_kept_beside_a_champion(ledger: SqlLedger) -> None:
    """Versions that are deployed still, of bees whose champion is another; neither champions nor what is retired."""
    with ledger.begin() as transaction:
        for number, state in (("2", "retired"), ("3", "deployed"), ("4", "deployed")):
            transaction.models.add(version(version=number, state=state, run_id=None))
        transaction.models.add(version(bee="other-bee", version="3", state="deployed", run_id=None))
        for epoch, number in enumerate(("2", "3", "4", "4"), start=1):
            transaction.models.deploy(deployment(epoch=epoch, version=number))
        transaction.models.deploy(deployment(bee="other-bee", epoch=1, version="3"))

    with ledger.begin(write=False) as transaction:
        assert transaction.models.kept() == [("spam-guard", "3")]
