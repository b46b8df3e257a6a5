"""A server's fleet: who is served by what, and what happens when it is told something new, wrong or out of reach."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.adapters.models.server.fleet import Fleet
from worker.adapters.models.server.follower import Follower
from worker.errors import Rejected, TryLater
from worker.models.live import Live, encoded
from worker.models.port import Artifact, Scored
from worker.models.traffic import Traffic, all_to

ENTITIES = [f"entity-{number}" for number in range(50)]


class _Model:
    def __init__(self, answer: str) -> None:
        self.metadata: Mapping[str, Any] = {"kinds": {"n": "number"}}
        self._answer = answer

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        return [Scored(f"{self._answer}:{value}", None) for value in columns["n"]]


class _World:
    """What is told, the files that can be loaded, and the server's fleet."""

    def __init__(self) -> None:
        self.told: bytes | None = None
        self.files = {"1": "one", "2": "two"}
        self.loaded: list[str] = []
        self.fleet = Fleet(("1", _Model("own")))
        self.follower = Follower(self.fleet, self._read, self._load, self._switch)

    def tell(self, traffic: Traffic, champion: str = "1", epoch: int = 1) -> None:
        artifacts = {name: Artifact(f"gs://b/{name}", name) for name, percent in traffic.split if percent}
        artifacts[champion] = Artifact(f"gs://b/{champion}", champion)
        self.told = encoded(Live(epoch, champion, traffic, artifacts))

    def versions(self) -> dict[str, str]:
        """Return entity -> the version that answers for it."""
        body = {"instances": [{"n": 1, "entityId": entity} for entity in ENTITIES]}
        answers = self.fleet.predict(body)["predictions"]
        return {entity: answer["version"] for entity, answer in zip(ENTITIES, answers, strict=True)}

    def _read(self) -> bytes | None:
        if self.told == b"away":
            raise TryLater("Cloud Storage is away")
        return self.told

    def _load(self, artifact: Artifact) -> _Model:
        self.loaded.append(artifact.sha256)
        if artifact.sha256 not in self.files:
            raise Rejected("its file is gone")
        return _Model(self.files[artifact.sha256])

    def _switch(self, fleet: Fleet) -> None:
        self.fleet = fleet


def test_alone_it_serves_its_own_version() -> None:
    """A server that is told nothing answers with its own version, and names it."""
    world = _World()
    world.follower.look()

    answer = world.fleet.predict({"instances": [{"n": 4}]})
    assert answer == {"predictions": [{"prediction": "own:4", "score": None, "version": "1"}]}


def test_an_entity_is_served_by_the_version_of_its_place() -> None:
    """Told of a split, the server gives every entity the version that the documented hash gives it."""
    world, traffic = _World(), Traffic((("2", 40), ("1", 60)), "salt")
    world.tell(traffic)
    world.follower.look()

    assert world.versions() == {entity: traffic.version_for(entity) for entity in ENTITIES}
    assert set(world.versions().values()) == {"1", "2"}
    mixed = world.fleet.predict({"instances": [{"n": 1}, {"n": 2, "entityId": ENTITIES[0]}]})
    assert mixed["predictions"][0] == {"prediction": "own:1", "score": None, "version": "1"}


def test_what_is_loaded_is_kept() -> None:
    """A growing share, and the end of a rollout, load nothing again; the server's own file is never fetched."""
    world = _World()
    for epoch, percent in enumerate((10, 50, 100), 1):
        world.tell(Traffic((("2", percent), ("1", 100 - percent)), "salt"), epoch=epoch)
        world.follower.look()
        world.follower.look()
    world.tell(all_to("2"), champion="2", epoch=4)
    world.follower.look()

    assert world.loaded == ["2"]
    assert set(world.versions().values()) == {"2"}


def test_back_at_once() -> None:
    """Told that the champion serves everybody again, the next look is enough."""
    world = _World()
    world.tell(Traffic((("2", 50), ("1", 50)), "salt"))
    world.follower.look()
    world.tell(all_to("1"), epoch=2)
    world.follower.look()

    assert set(world.versions().values()) == {"1"}


def test_a_challenger_that_cannot_be_loaded_is_replaced_by_the_champion() -> None:
    """Its share is served by the champion until its file can be loaded; then it takes over."""
    world, traffic = _World(), Traffic((("2", 40), ("1", 60)), "salt")
    del world.files["2"]
    world.tell(traffic)
    world.follower.look()
    assert set(world.versions().values()) == {"1"}

    world.files["2"] = "two"
    world.follower.look()
    assert world.versions() == {entity: traffic.version_for(entity) for entity in ENTITIES}


def test_whatever_goes_wrong_it_serves_as_before() -> None:
    """An object that is broken, out of reach or names a champion without file changes nothing."""
    world = _World()
    world.tell(Traffic((("2", 100), ("1", 0)), "salt"))
    world.follower.look()
    for told in (b"away", b"{}", b"\xff", b"[" * 10_000, None):
        world.told = told
        world.follower.look()
        assert set(world.versions().values()) == {"2"}
    world.tell(all_to("9"), champion="9", epoch=2)
    world.follower.look()
    assert set(world.versions().values()) == {"2"}
