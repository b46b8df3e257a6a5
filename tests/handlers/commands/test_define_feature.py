from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.commands.define_feature import SUBJECT, define_feature, deprecate_feature, tell_defined
from tests.worker.world import NOW, event_types
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import NotFound, Rejected
from worker.features.port import Definition

SCORE = Definition("score", "content", "number")


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path / "features", clock=lambda: NOW)
    yield store
    store.close()


def test_an_event_that_was_lost_is_made_up_for(ledger: SqlLedger, store: LocalFeatureStore) -> None:
    """A process that died between store and ledger leaves an event untold; defining the same again tells it, once."""
    store.define(SCORE)
    assert event_types(ledger, SUBJECT) == []

    for _ in range(2):
        define_feature(SCORE, store, ledger, NOW)

    assert event_types(ledger, SUBJECT) == ["feature.defined"]


def test_many_are_told_together(ledger: SqlLedger, store: LocalFeatureStore) -> None:
    """Each of many definitions is told, in their order."""
    tell_defined([store.define(Definition(name, "content", "number")) for name in ("b", "a")], ledger, NOW)

    with ledger.begin(write=False) as transaction:
        assert [event.data["feature"] for event, _ in transaction.outbox.list()] == ["b", "a"]


def test_deprecating_what_is_not_there(ledger: SqlLedger, store: LocalFeatureStore) -> None:
    """Only what is defined can be deprecated, and only for a reason."""
    with pytest.raises(NotFound, match="'score' is not defined"):
        deprecate_feature("score", "old", store, ledger, NOW)
    define_feature(SCORE, store, ledger, NOW)
    with pytest.raises(Rejected, match="says nothing"):
        deprecate_feature("score", "  ", store, ledger, NOW)
    assert event_types(ledger, SUBJECT) == ["feature.defined"]
