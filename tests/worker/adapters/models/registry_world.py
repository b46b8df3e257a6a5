"""A colony whose models are shown on the Vertex stand-in: a real ledger, the real clients, a clock that tests move."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handlers.commands.promote_model import promote_model
from handlers.commands.rollback_model import rollback_model
from tests.google_storage import StorageServer
from tests.handlers.commands.models import Shelf
from tests.worker import world
from tests.worker.adapters.models.registry_server import RegistryServer
from tests.worker.world import BEE, NOW
from worker.adapters.google_calls import Patience
from worker.adapters.google_storage import GoogleStorage
from worker.adapters.ledger import tables
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.models.vertex_live import LiveObjects
from worker.adapters.models.vertex_messages import Serving
from worker.adapters.models.vertex_naming import Naming
from worker.adapters.models.vertex_registry import VertexRegistry
from worker.errors import TryLater
from worker.models.desired import Rules
from worker.models.port import Deployment
from worker.models.project import Projector
from worker.models.traffic import Traffic

HOLD, BLIND = timedelta(hours=6), timedelta(minutes=5)
IMAGE = "europe-docker.pkg.dev/p/colony/worker:1"
#: So short that a test which waits out a fault stays quick; long enough for a call of this machine under load.
PATIENCE = Patience(attempt_s=5.0, total_s=5.0, first_pause_s=0.01, longest_pause_s=0.05)
ONCE = Patience(attempt_s=5.0, total_s=0.0)


@dataclass(frozen=True)
class Parts:
    """What takes longer to make than most tests take."""

    server: RegistryServer
    clients: Any
    ledger: SqlLedger


def _empty(ledger: SqlLedger) -> None:
    with ledger.database.begin() as connection:
        for name in ("model_versions", "deployments", "projections", "leases", "outbox", "bee_state"):
            connection.execute(tables.metadata.tables[name].delete())


class Colony:
    """One ledger, one stand-in, and workers that drive what the one says to the other.

    Attributes:
        now: the workers' time; it moves as they turn.
    """

    def __init__(
        self,
        parts: "Parts",
        *,
        serving: bool = True,
        patience: Patience = PATIENCE,
        storage: StorageServer | None = None,
    ) -> None:
        """Begin with nothing: what is shared is emptied; with `storage` model servers are told what is live."""
        self.live = LiveObjects(GoogleStorage("my-project", storage.url), "gs://bucket/serving") if storage else None
        self.clients = parts.clients
        self.ledger = parts.ledger
        self.server = parts.server
        _empty(self.ledger)
        self.now = NOW
        self.serving = serving
        self.patience = patience
        self.naming = Naming("my-project", "europe-west1", self.ledger.installation)
        self.worker = self.new_worker()

    def new_worker(self, name: str = "a") -> Projector:
        """Return a worker that knows nothing but the ledger."""
        registry = VertexRegistry(
            self.naming,
            Serving(IMAGE, service_account="serve@my-project.iam.gserviceaccount.com"),
            lambda artifact: f"gs://bucket/models/{artifact.sha256}",
            endpoint=self.server.address,
            patience=self.patience,
            live_objects=self.live,
        )
        registry.__dict__["_clients"] = self.clients
        rules = Rules(self.serving, told=self.live is not None, hold=HOLD, blind=BLIND)
        return Projector(self.ledger, registry, self.clock, name, rules)

    def clock(self) -> datetime:
        """Return the time."""
        return self.now

    def add(self, number: str, **changes: Any) -> None:
        """Register a version."""
        with self.ledger.begin() as transaction:
            transaction.models.add(world.version(number, **changes))

    def promote(self, number: str) -> None:
        """Make a version the champion."""
        promote_model(world.operator(self.ledger), BEE.bee, number, Shelf(), reason="a test")

    def divide(self, challenger: str, percent: int, champion: str = "1") -> None:
        """Give a challenger a share of the traffic."""
        with self.ledger.begin() as transaction:
            current = transaction.models.champion(BEE.bee)
            epoch = current.epoch if current else 0
            traffic = Traffic(((challenger, percent), (champion, 100 - percent)), "salt")
            transaction.models.set_state(BEE.bee, challenger, "challenger")
            transaction.models.deploy(Deployment(BEE.bee, epoch + 1, champion, None, NOW, "a test", None, traffic))

    def rollback(self) -> None:
        """Go back to the one before."""
        rollback_model(world.operator(self.ledger), BEE.bee, Shelf(), reason="a test")

    def turn(self, worker: Projector | None = None, *, pause_s: float = 15.0) -> bool:
        """Let a worker turn once, as the loop does, then let time pass; tell whether it could."""
        try:
            (worker or self.worker).turn()
        except TryLater:
            return False
        finally:
            self.now += timedelta(seconds=pause_s)
        return True

    def settle(self, worker: Projector | None = None, turns: int = 40) -> None:
        """Turn until nothing is in hand and nothing more is done."""
        quiet = 0
        for _ in range(turns):
            before = len(self.server.calls)
            done = self.turn(worker)
            quiet = quiet + 1 if done and len(self.server.calls) == before and not self.in_hand() else 0
            if quiet > 5:
                return

    def in_hand(self) -> bool:
        """Whether something is under way, or waits to be tried again."""
        with self.ledger.begin(write=False) as transaction:
            efforts = transaction.projections.efforts().get(BEE.bee, ())
        return any(one.kind != "idle" for one in efforts)

    def key(self, number: str) -> str:
        """Return how a version is known on the stand-in."""
        return self.naming.key(BEE.bee, number)

    def aliases(self) -> dict[str, list[str]]:
        """Return version -> its aliases on the stand-in; empty while there is no model."""
        names = {self.key(str(number)): str(number) for number in range(1, 10)}
        found = self.server.shown()["versions"].get(self.naming.id_of(BEE.bee), {})
        return {names[key]: aliases for key, aliases in sorted(found.items(), key=lambda item: names[item[0]])}

    def traffic(self) -> dict[str, int]:
        """Return version -> its percentage of the endpoint's traffic."""
        names = {self.naming.deployed(BEE.bee, str(number)): str(number) for number in range(1, 10)}
        found = self.server.shown()["traffic"].get(self.naming.id_of(BEE.bee), {})
        return {names[name]: percent for name, percent in sorted(found.items(), key=lambda item: names[item[0]])}


def story(colony: Colony, *, turns: int = 60) -> dict[str, Any]:
    """Let a colony live: one champion, a second one, back to the first, until nothing is left to do; tell its end."""
    colony.add("1")
    colony.promote("1")
    colony.settle(turns=turns)
    colony.add("2")
    colony.promote("2")
    colony.settle(turns=turns)
    colony.rollback()
    colony.settle(turns=turns)
    colony.now += HOLD
    colony.settle(turns=turns)
    return end(colony)


def end(colony: Colony) -> dict[str, Any]:
    """Return what anybody sees, how much of it there is, and what the ledger still has in hand."""
    shown = colony.server.shown()
    with colony.ledger.begin(write=False) as transaction:
        efforts = transaction.projections.efforts()
    return {
        "aliases": colony.aliases(),
        "traffic": colony.traffic(),
        "versions": [len(found) for found in colony.server.models.values()],
        "deployed": list(shown["deployed"].values()),
        "efforts": efforts,
    }


#: How every story ends that was not cut short, whatever went wrong on the way.
END = {
    "aliases": {"1": ["champion", "default"], "2": []},
    "traffic": {"1": 100},
    "versions": [2],
    "deployed": [1],
    "efforts": {},
}

#: How it ends with one champion.
ALONE = {
    "aliases": {"1": ["champion", "default"]},
    "traffic": {"1": 100},
    "versions": [1],
    "deployed": [1],
    "efforts": {},
}


def two_champions(colony: Colony) -> None:
    """Let a colony live until the second champion has the traffic."""
    for number in "12":
        colony.add(number)
        colony.promote(number)
        colony.settle()
    assert colony.traffic() == {"1": 0, "2": 100}
