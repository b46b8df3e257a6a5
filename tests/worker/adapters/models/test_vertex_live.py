"""What an endpoint's servers are told in the bucket, while versions come, share the traffic, and go back."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.google_storage import StorageServer, storage_server
from tests.worker.world import BEE, NOW
from worker.adapters.google_storage import GoogleStorage
from worker.adapters.models.vertex_live import LiveObjects
from worker.errors import TryLater
from worker.models.live import Live, decoded
from worker.models.port import Deployment
from worker.models.projection import Told

Make = Callable[..., Any]


@pytest.fixture(name="storage")
def _storage() -> Iterator[StorageServer]:
    with storage_server("bucket") as server:
        yield server


def _told(colony: Any) -> Live:
    content = colony.live.read(colony.naming.id_of(BEE.bee)).content
    assert content is not None
    return decoded(content)


def test_servers_are_told_of_each_change(make: Make, storage: StorageServer) -> None:
    """Each change of the split is told with one write; the endpoint itself is left as it is until it is verified."""
    colony = make(storage=storage)
    for number in "12":
        colony.add(number)
    colony.promote("1")
    colony.settle()
    assert _told(colony).traffic.shares == {"1": 100}
    (model, *_) = colony.server.models[colony.naming.id_of(BEE.bee)]
    environment = {one.name: one.value for one in model.container_spec.env}
    assert environment["COLONY_LIVE_URI"] == colony.live.uri(colony.naming.id_of(BEE.bee))
    assert environment["COLONY_MODEL_VERSION"] == "1"

    for percent in (10, 50):
        colony.divide("2", percent)
        colony.settle()
        live = _told(colony)
        assert live.traffic.shares == {"2": percent, "1": 100 - percent}
        assert (live.champion, set(live.artifacts)) == ("1", {"1", "2"})
    assert colony.traffic() == {"1": 100}
    assert colony.aliases() == {"1": ["champion", "default"], "2": ["challenger"]}

    with colony.ledger.begin() as transaction:
        epoch = transaction.models.champion(BEE.bee).epoch
        transaction.models.set_state(BEE.bee, "2", "refused")
        transaction.models.deploy(Deployment(BEE.bee, epoch + 1, "1", None, NOW, "it was worse", None))
    colony.settle()
    assert _told(colony).traffic.shares == {"1": 100}
    assert colony.aliases() == {"1": ["champion", "default"], "2": []}


def test_a_roll_back_half_way_is_finished_by_the_next_worker(make: Make, storage: StorageServer) -> None:
    """A worker that dies between the ledger and the bucket leaves nothing that the next one does not mend."""
    colony = make(storage=storage)
    for number in "12":
        colony.add(number)
    colony.promote("1")
    colony.divide("2", 50)
    colony.settle()
    with colony.ledger.begin() as transaction:
        epoch = transaction.models.champion(BEE.bee).epoch
        transaction.models.deploy(Deployment(BEE.bee, epoch + 1, "1", None, NOW, "it was worse", None))

    colony.now += colony.worker.rules.blind
    colony.settle(colony.new_worker("b"))

    assert _told(colony).traffic.shares == {"1": 100}


def test_what_is_newer_is_not_overruled(storage: StorageServer) -> None:
    """A worker that was paused, and knows an older state of the object, writes nothing."""
    live = LiveObjects(GoogleStorage("my-project", storage.url), "gs://bucket/serving")
    before = live.read("bee")
    assert before == Told()
    live.write("bee", b"first", before)
    seen = live.read("bee")
    live.write("bee", b"second", seen)

    for stale in (before, seen):
        with pytest.raises(TryLater, match="another worker"):
            live.write("bee", b"stale", stale)
    assert live.read("bee").content == b"second"
