from dataclasses import replace

import pytest

from tests.worker.adapters.ledger.records import NOW, deployment, version
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict


def test_round_trip(ledger: SqlLedger) -> None:
    """A version comes back as it was, by its number and by its run."""
    with ledger.begin() as transaction:
        transaction.models.add(version(forced="because"))
    with ledger.begin(write=False) as transaction:
        assert transaction.models.get("spam-guard", "1") == version(forced="because")
        assert transaction.models.for_run("run-1") == version(forced="because")
        assert transaction.models.for_run("run-2") is None
        assert transaction.models.get("other", "1") is None


def test_order(ledger: SqlLedger) -> None:
    """Versions are listed by bee, oldest first: 10 after 9, whatever their texts say."""
    with ledger.begin() as transaction:
        for number in ("9", "10", "b"):
            transaction.models.add(version(number))
        transaction.models.add(version("1", bee="other", run_id=None))
    with ledger.begin(write=False) as transaction:
        assert [item.version for item in transaction.models.versions("spam-guard")] == ["9", "10", "b"]
        assert [item.bee for item in transaction.models.versions()] == [
            "other",
            "spam-guard",
            "spam-guard",
            "spam-guard",
        ]
        assert transaction.models.versions("none") == []


@pytest.mark.parametrize(
    ("taken", "following"),
    [
        ([], "1"),
        (["1", "2"], "3"),
        (["7"], "8"),
        (["9", "10"], "11"),
        (["v2", "²", "x"], "1"),
        (["3", "canary"], "4"),
    ],
)
def test_next_version(ledger: SqlLedger, taken: list[str], following: str) -> None:
    """The next version is one more than the highest number; other names do not count."""
    with ledger.begin() as transaction:
        for number in taken:
            transaction.models.add(version(number))
        assert transaction.models.next_version("spam-guard") == following
        assert transaction.models.next_version("other") == "1"


def test_add_twice(ledger: SqlLedger) -> None:
    """A number is taken once, a run registers once, versions without a run are many; the transaction goes on."""
    with ledger.begin() as transaction:
        transaction.models.add(version())
        with pytest.raises(Conflict):
            transaction.models.add(version(run_id="another"))
        with pytest.raises(Conflict):
            transaction.models.add(version("2", run_id="run-1"))
        transaction.models.add(version("3", run_id=None))
        transaction.models.add(version("4", run_id=None))
    with ledger.begin(write=False) as transaction:
        assert [item.version for item in transaction.models.versions()] == ["1", "3", "4"]


def test_set_state(ledger: SqlLedger) -> None:
    """A state changes alone; a forced promotion leaves its reason, which a later change keeps."""
    with ledger.begin() as transaction:
        transaction.models.add(version())
        transaction.models.add(version("2"))
        transaction.models.set_state("spam-guard", "1", "deployed", forced="on call said so")
        transaction.models.set_state("spam-guard", "1", "retired")
        assert transaction.models.get("spam-guard", "1") == version(state="retired", forced="on call said so")
        assert transaction.models.get("spam-guard", "2") == version("2")


def test_deploy_is_compare_and_swap(ledger: SqlLedger) -> None:
    """A deployment counts only on top of the one it was judged against; the transaction goes on after a Conflict."""
    told = {"by": "ada", "numbers": {"accuracy": {"count": 3, "lower": -0.5, "upper": None}}}
    second = deployment(2, "2", previous="1", run_id="run-2", **told)
    with ledger.begin() as transaction:
        assert transaction.models.champion("spam-guard") is None
        for epoch in (0, 2, -1):
            with pytest.raises(Conflict, match="spam-guard"):
                transaction.models.deploy(deployment(epoch))
        transaction.models.deploy(deployment())
        transaction.models.deploy(second)
        for epoch in (1, 2, 4):
            with pytest.raises(Conflict):
                transaction.models.deploy(deployment(epoch, "3"))
        transaction.models.deploy(deployment(bee="other"))
    with ledger.begin(write=False) as transaction:
        assert transaction.models.champion("spam-guard") == second
        assert transaction.models.deployments("spam-guard") == [deployment(), second]
        assert transaction.models.deployments() == [deployment(bee="other"), deployment(), second]


def test_swap_lost_to_another(ledger: SqlLedger) -> None:
    """Of two deployments on the same champion, one in a transaction that began before, the later one is refused."""
    with ledger.begin(write=False) as before:
        stale = before.models.champion("spam-guard")
    assert stale is None
    with ledger.begin() as transaction:
        transaction.models.deploy(deployment())
    with pytest.raises(Conflict), ledger.begin() as transaction:
        transaction.models.deploy(replace(deployment(), version="2", at=NOW))
