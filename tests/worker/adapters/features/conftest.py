"""Every backend of the feature store, opened empty, on a clock that the test moves."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

from tests.worker.adapters.features.google.opening import google_store
from worker.adapters.features import BACKENDS
from worker.clock import VirtualClock
from worker.features.port import FeatureStore

START = datetime(2002, 10, 1, tzinfo=UTC)

#: How each backend of the table is opened for a test, given a directory and a clock.
OPENERS: dict[str, Callable[[Path, VirtualClock], FeatureStore]] = {
    "local": lambda directory, clock: import_module(BACKENDS["local"]).LocalFeatureStore(directory, clock),
    "google": google_store,
}


@dataclass
class World:
    """A store, the clock it reads, and a way to open it once more, as another process would."""

    store: FeatureStore
    clock: VirtualClock
    again: Callable[[], FeatureStore]

    def later(self, **delta: float) -> datetime:
        """Move the clock on and return its time."""
        self.clock.advance(self.clock() + timedelta(**delta))
        return self.clock()


@pytest.fixture(params=sorted(BACKENDS))
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A fresh store of each backend."""
    clock = VirtualClock(START)
    opened: list[FeatureStore] = []

    def again() -> FeatureStore:
        opened.append(OPENERS[request.param](tmp_path / "store", clock))
        return opened[-1]

    yield World(again(), clock, again)
    for store in opened:
        store.close()
