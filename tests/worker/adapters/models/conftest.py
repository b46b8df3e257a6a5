"""The Vertex stand-in for registry and endpoints, once for the folder; each test begins with nothing on it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.worker import world


@pytest.fixture(name="parts", scope="session")
def _parts() -> Iterator[Any]:
    """Give the stand-in, the clients and a ledger in memory."""
    # Google's client takes seconds to import, which the other tests of this folder need not wait for.
    from tests.worker.adapters.models.registry_server import RegistryServer
    from tests.worker.adapters.models.registry_world import Parts
    from worker.adapters.models.vertex_client import clients

    server, ledger = RegistryServer(), world.memory_ledger()
    both = clients("europe-west1", server.address)
    yield Parts(server, both, ledger)
    for client in both:
        client.transport.close()
    ledger.close()
    server.close()


@pytest.fixture(name="make")
def _make(parts: Any) -> Callable[..., Any]:
    """Return a function that begins a colony on an empty stand-in."""
    from tests.worker.adapters.models.registry_world import Colony

    def make(*, stages: int = 2, **changes: Any) -> Any:
        parts.server.reset(stages=stages)
        return Colony(parts, **changes)

    return make
