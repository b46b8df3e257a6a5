"""A feature store for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.worker.abtest import world
from worker.adapters.features.local import LocalFeatureStore


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    opened = world.store_in(tmp_path / "features")
    yield opened
    opened.close()
