from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.google_storage import StorageFault, StorageServer
from tests.worker.adapters.models.artifact_worlds import WORLDS, World
from worker.adapters.google_calls import Patience
from worker.adapters.google_storage import GoogleStorage
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.vertex import VertexArtifacts
from worker.errors import Rejected, TryLater
from worker.models.port import Artifact

FAULTS = [
    StorageFault(status, after_effect=after) for status in (503, 500, 504, 429, 0) for after in (False, True)
]  # fmt: skip


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> Iterator[World]:
    with WORLDS["vertex"](tmp_path) as world:
        yield world


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(b"a model")
    return path


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_faults_leave_no_trace(world: World, file: Path, fault: StorageFault) -> None:
    """Whatever goes wrong with one request, before or after its effect, the artifact is stored once and is fetched."""
    world.server.fail(fault)
    artifact = world.store.put(file)
    world.server.fail(fault)

    assert world.other.fetch(artifact).read_bytes() == b"a model"
    assert world.stored() == 1


def test_a_big_file(world: World, tmp_path: Path) -> None:
    """A file that goes up in parts arrives whole, also if a part's answer is lost."""
    big = tmp_path / "big"
    big.write_bytes(b"colony" * 1_600_000)
    world.server.fail(StorageFault(0, only="PUT"))

    artifact = world.store.put(big)

    assert world.other.fetch(artifact).read_bytes() == big.read_bytes()


def test_an_artifact_of_a_run(world: World, file: Path) -> None:
    """A model that a step left elsewhere in the bucket is fetched from there, and has its folder once it is asked."""
    sha256 = world.store.put(file).sha256
    world.server.objects = {"gs://bucket/runs/r1/model": world.server.objects.popitem()[1]}
    artifact = Artifact("gs://bucket/runs/r1/model", sha256)

    folder = world.other.folder(artifact)  # type: ignore[attr-defined]

    assert folder == f"gs://bucket/models/{sha256}"
    assert world.server.content(f"{folder}/{sha256}.skops") == b"a model"


def test_a_damaged_cache_is_mended(world: World, file: Path) -> None:
    """A cached file that was changed is fetched anew."""
    artifact = world.store.put(file)
    world.store.fetch(artifact).write_bytes(b"another")

    assert world.store.fetch(artifact).read_bytes() == b"a model"


def test_no_right_to_write(world: World, file: Path) -> None:
    """Without the right to write, the check and the store say which role to grant."""
    world.server.forbidden = True

    with pytest.raises(Rejected, match=r"roles/storage.objectUser"):
        world.store.verify()
    with pytest.raises(Rejected, match=r"roles/storage.objectUser"):
        world.store.put(file)


def test_no_bucket(world: World, file: Path) -> None:
    """A bucket that does not exist is something to mend."""
    world.server.buckets.clear()

    with pytest.raises(Rejected, match="PIPELINE_BUCKET"):
        world.store.put(file)


def test_nobody_answers(tmp_path: Path, file: Path) -> None:
    """A service that is away is away for now, as long as patience lasts."""
    server = StorageServer("bucket")
    server.close()
    storage = GoogleStorage("project", server.url, Patience(1.0, 0.2, 0.01, 0.05))
    store = VertexArtifacts(storage, "gs://bucket/models", LocalArtifacts(tmp_path / "cache"))

    with pytest.raises(TryLater):
        store.put(file)
