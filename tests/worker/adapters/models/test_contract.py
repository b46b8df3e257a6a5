from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.worker.adapters.models.artifact_worlds import WORLDS, World
from worker.errors import NotFound, Rejected
from worker.models.port import Artifact


@pytest.fixture(name="world", params=list(WORLDS))
def _world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    with WORLDS[request.param](tmp_path) as world:
        yield world


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(b"a model")
    return path


def test_the_same_content_is_the_same_artifact(world: World, file: Path) -> None:
    """Storing twice gives one artifact under its hash, which whoever else looks finds, and leaves nothing beside."""
    first, second = world.store.put(file), world.other.put(file)

    assert first == second
    assert world.store.fetch(first).read_bytes() == world.other.fetch(first).read_bytes() == b"a model"
    assert world.stored() == 1


def test_what_one_stores_another_fetches(world: World, file: Path) -> None:
    """An artifact is there for a process that has never seen it."""
    assert world.other.fetch(world.store.put(file)).read_bytes() == b"a model"


def test_changed_content_is_refused(world: World, file: Path) -> None:
    """An artifact whose bytes were changed is not handed out, and storing it again mends it."""
    artifact = world.store.put(file)
    world.damage(artifact)

    with pytest.raises(Rejected, match="hash"):
        world.other.fetch(artifact)
    world.store.put(file)
    assert world.other.fetch(artifact).read_bytes() == b"a model"


def test_an_unknown_artifact_is_not_found(world: World) -> None:
    """What was never stored is NotFound; what is no hash is refused before it becomes a path."""
    with pytest.raises(NotFound):
        world.store.fetch(Artifact("x", "0" * 64))
    with pytest.raises(Rejected, match="SHA-256"):
        world.store.fetch(Artifact("x", "../../etc/passwd"))


def test_many_at_once(world: World, file: Path) -> None:
    """Many who store the same content at once all succeed, and it is there once."""
    with ThreadPoolExecutor(4) as pool:
        stored = set(pool.map(lambda number: (world.store, world.other)[number % 2].put(file), range(8)))

    assert len(stored) == 1
    assert world.stored() == 1


def test_verify_makes_a_real_write(world: World) -> None:
    """A usable store verifies, and again."""
    world.store.verify()
    world.store.verify()
