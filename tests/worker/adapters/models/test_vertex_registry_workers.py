import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from tests.worker.adapters.models.registry_world import ALONE, Colony, Parts, end
from tests.worker.world import BEE
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger
from worker.clock import wall_clock
from worker.models.projection import Entry

Make = Callable[..., Colony]
EFFECTS = ("UploadModel", "CreateEndpoint", "DeployModel", "UndeployModel")


def test_two_workers(make: Make) -> None:
    """Two workers that turn by turns do everything once."""
    colony = make()
    other = colony.new_worker("b")
    for number in "12":
        colony.add(number)
        colony.promote(number)
        for _ in range(12):
            colony.turn()
            colony.turn(other)

    assert colony.traffic() == {"1": 0, "2": 100}
    assert [colony.server.count(method) for method in EFFECTS] == [2, 1, 2, 0]


def test_two_workers_at_once(parts: Parts, make: Make, postgres_url: str) -> None:
    """Two workers on one PostgreSQL, each with its own connections and clock, do everything once between them."""
    make()
    ledgers = [SqlLedger(Database(postgres_url)) for _ in range(2)]
    colonies = [Colony(replace(parts, ledger=ledger)) for ledger in ledgers]
    for colony in colonies:
        colony.worker.clock, colony.worker.poll_s, colony.worker.reconcile_s = wall_clock, 0.01, 0.01
    colonies[0].add("1")
    colonies[0].promote("1")
    together, end_at = threading.Barrier(2), time.monotonic() + 120

    def work(colony: Colony) -> None:
        together.wait()
        while time.monotonic() < end_at and (colony.traffic() != {"1": 100} or colony.in_hand()):
            colony.worker.turn()

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(work, colony) for colony in colonies]:
            done.result()
    shown = end(colonies[0])
    for ledger in ledgers:
        ledger.close()

    assert shown == ALONE
    assert [parts.server.count(method) for method in EFFECTS] == [1, 1, 1, 0]


def test_while_one_holds_the_lease_the_other_does_nothing(make: Make) -> None:
    """A bee that another worker has in hand is left to it."""
    colony = make()
    colony.add("1")
    with colony.ledger.begin() as transaction:
        epoch = transaction.projections.claim(BEE.bee, "b", lease_s=60)
        assert epoch
    colony.turn()
    assert colony.server.calls == []
    with colony.ledger.begin() as transaction:
        transaction.projections.release(BEE.bee, epoch)
    colony.turn()

    assert colony.server.count("UploadModel") == 1


def test_one_bee_does_not_hold_up_the_others(make: Make) -> None:
    """What is unforeseen about one bee is told, and the others are shown all the same."""
    colony = make(serving=False)
    for bee in ("a-bee", BEE.bee):
        colony.add("1", bee=bee)
    registry = colony.worker.registry

    class Stumbling:
        def __getattr__(self, name: str) -> Any:
            return getattr(registry, name)

        def entries(self, bee: str, versions: Sequence[str]) -> Sequence[Entry]:
            if bee == "a-bee":
                raise RuntimeError("a number that is none")
            return registry.entries(bee, versions)

    colony.worker.registry = Stumbling()
    colony.settle()

    assert colony.aliases() == {"1": ["challenger", "default"]}
