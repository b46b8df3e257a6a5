"""The artifact stores for the contract suite: backend word → a world with its store, and ways to reach behind it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.google_storage import storage_server
from worker.adapters.models.local import LocalArtifacts
from worker.models.port import Artifact, ArtifactStore


@dataclass
class World:
    """One store.

    Attributes:
        other: another process's (or machine's) view of the same store.
        damage: changes the bytes of an artifact behind the store's back.
        stored: how many objects the store has.
    """

    store: ArtifactStore
    other: ArtifactStore
    damage: Callable[[Artifact], object]
    stored: Callable[[], int]
    server: Any = None


@contextmanager
def _local(root: Path) -> Iterator[World]:
    store = LocalArtifacts(root / "models")
    files = root / "models"
    yield World(
        store,
        LocalArtifacts(files),
        lambda artifact: store.fetch(artifact).write_bytes(b"another"),
        lambda: len([path for path in files.rglob("*") if path.is_file()]),
    )


@contextmanager
def _vertex(root: Path) -> Iterator[World]:
    from worker.adapters.google_calls import Patience
    from worker.adapters.google_storage import GoogleStorage
    from worker.adapters.models.vertex import VertexArtifacts

    with storage_server("bucket") as server:
        storage = GoogleStorage("project", server.url, Patience(10.0, 10.0, 0.01, 0.05))
        first, second = (
            VertexArtifacts(storage, "gs://bucket/models", LocalArtifacts(root / name)) for name in ("one", "two")
        )
        yield World(
            first, second, lambda artifact: server.put(artifact.uri, b"another"), lambda: len(server.objects), server
        )


WORLDS: dict[str, Callable[[Path], AbstractContextManager[World]]] = {"local": _local, "vertex": _vertex}
