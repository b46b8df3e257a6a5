from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import LeaseLost
from worker.models.port import Deployment
from worker.models.projection import Effort, Kind

UPLOAD = Effort(Kind.UPLOAD, "1", NOW, "operations/7", 2, "quota \x00 exceeded", NOW + timedelta(minutes=1))


def _head(ledger: SqlLedger) -> str:
    with ledger.begin(write=False) as transaction:
        return transaction.projections.heads()[BEE.bee]


def test_efforts_are_kept(ledger: SqlLedger) -> None:
    """An effort is stored with all that is known of it, replaced, and forgotten; each bee has its own."""
    with ledger.begin() as transaction:
        transaction.projections.save(BEE.bee, replace(UPLOAD, since=None, operation=None))
        transaction.projections.save(BEE.bee, UPLOAD)
        transaction.projections.save("other-bee", Effort(Kind.OPEN, ""))
    with ledger.begin() as transaction:
        kept = transaction.projections.efforts()
        own = transaction.projections.efforts(BEE.bee)
        transaction.projections.forget(BEE.bee, UPLOAD)
        left = transaction.projections.efforts()

    assert kept[BEE.bee] == own[BEE.bee] == [replace(UPLOAD, error="quota \ufffd exceeded")]
    assert set(left) == {"other-bee"}


def test_a_head_changes_with_what_is_to_be_shown(ledger: SqlLedger) -> None:
    """A new version, a version's new state and a change of the champion each change the bee's head."""
    heads = []
    with ledger.begin() as transaction:
        transaction.models.add(world.version("1"))
    heads.append(_head(ledger))
    with ledger.begin() as transaction:
        transaction.models.add(world.version("2"))
    heads.append(_head(ledger))
    with ledger.begin() as transaction:
        transaction.models.deploy(Deployment(BEE.bee, 1, "1", None, NOW, "a test", None))
    heads.append(_head(ledger))
    with ledger.begin() as transaction:
        transaction.models.set_state(BEE.bee, "1", "deployed")
    heads.append(_head(ledger))

    assert len(set(heads)) == 4
    assert heads[-1] == _head(ledger)


def test_one_holder_at_a_time(ledger: SqlLedger) -> None:
    """A lease excludes others until it is given back or runs out, and its holder then writes nothing more."""
    with ledger.begin() as transaction:
        first = transaction.projections.claim(BEE.bee, "a", lease_s=60)
        assert first is not None
        assert transaction.projections.claim(BEE.bee, "b", lease_s=60) is None
        transaction.projections.hold(BEE.bee, first, lease_s=-1)
        second = transaction.projections.claim(BEE.bee, "b", lease_s=60)
        assert second is not None
        with pytest.raises(LeaseLost):
            transaction.projections.hold(BEE.bee, first, lease_s=60)
        transaction.projections.release(BEE.bee, first)
        assert transaction.projections.claim(BEE.bee, "a", lease_s=60) is None
        transaction.projections.release(BEE.bee, second)
        assert transaction.projections.claim(BEE.bee, "a", lease_s=60) is not None
