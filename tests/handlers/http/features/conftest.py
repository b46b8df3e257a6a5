"""One API for each module of tests: making one takes longer than most tests; each test has an entity of its own."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.handlers.http.api import Client, Parts, parts
from worker.features.port import Definition, FeatureStore

_numbers = itertools.count()


@pytest.fixture(name="shared", scope="module")
def _shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """Give the parts behind the module's API, with a feature of each type."""
    with parts(tmp_path_factory.mktemp("features")) as made:
        for definition in (
            Definition("score", "content", "number"),
            Definition("counted", "content", "number"),
            Definition("flag", "content", "boolean"),
            Definition("place", "content", "vector"),
            Definition("author", "content", "string"),
            Definition("name", "user", "string", ttl=timedelta(days=1)),
        ):
            made.features.define(definition)
        yield made


@pytest.fixture(name="client", scope="module")
def _client(shared: Parts) -> Client:
    """Give a client of the module's API."""
    return shared.client()


@pytest.fixture(name="store")
def _store(shared: Parts) -> FeatureStore:
    """Give the store behind the module's API."""
    return shared.features


@pytest.fixture(name="entity")
def _entity() -> str:
    """Give an entity's id that no other test uses."""
    return f"entity-{next(_numbers)}"
