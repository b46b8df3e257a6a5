"""The embedded store against a naive model of its contract, on random histories."""

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.adapters.features.local import LocalFeatureStore
from worker.clock import VirtualClock
from worker.features.port import Definition, TrainingRequest, Write

START = datetime(2002, 10, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FEATURES = ("a", "b")
ENTITIES = ("x", "y")


class Entry(NamedTuple):
    """One stored value; its position in the model's list is the write sequence."""

    entity: str
    feature: str
    event: int
    known: int
    value: float | None


class Model:
    """The contract, written as slowly and plainly as it reads."""

    def __init__(self) -> None:
        """Begin empty."""
        self.entries: list[Entry] = []

    def write(self, entity: str, feature: str, event: int, known: int | None, value: float | None, now: int) -> int:
        """Store one value and return how many were new."""
        same = [entry for entry in self.entries if entry[:3] == (entity, feature, event)]
        if known is None:
            standing = max(enumerate(same), key=lambda found: (found[1].known, found[0]), default=None)
            if standing is not None and standing[1].value == value:
                return 0
        elif any((entry.known, entry.value) == (known, value) for entry in same):
            return 0
        self.entries.append(Entry(entity, feature, event, now if known is None else known, value))
        return 1

    def newest(self, entity: str, feature: str, time: int, known_by: int) -> Entry | None:
        """Return the newest value at a time, known by another."""
        may = [
            (entry.event, entry.known, sequence, entry)
            for sequence, entry in enumerate(self.entries)
            if entry[:2] == (entity, feature) and entry.event <= time and entry.known <= known_by
        ]
        return max(may, key=lambda found: found[:3])[3] if may else None


writes = st.tuples(
    st.sampled_from(ENTITIES),
    st.sampled_from(FEATURES),
    st.integers(-4, 0),
    st.none() | st.integers(-4, 4),
    st.none() | st.sampled_from([0.0, 1.0]),
)
Drawn = tuple[str, str, int, int | None, float | None]
histories = st.lists(st.tuples(st.lists(writes, max_size=12), st.integers(0, 2)), max_size=8)


def moment(seconds: int) -> datetime:
    """Return a time around the start."""
    return START + seconds * SECOND


@given(histories)
@settings(max_examples=40, deadline=None)
def test_the_store_is_the_model(
    history: list[tuple[list[Drawn], int]],
) -> None:
    """Counts of new values, online reads and point-in-time reads are the model's, for any order of writes."""
    with tempfile.TemporaryDirectory() as directory:
        clock = VirtualClock(START)
        store, model, now = LocalFeatureStore(Path(directory), clock), Model(), 0
        for name in FEATURES:
            store.define(Definition(name, "thing", "number"))
        for batch, pause in history:
            given_ = [
                Write(entity, feature, value, moment(event), None if known is None else moment(known))
                for entity, feature, event, known, value in batch
            ]
            assert store.write(given_) == sum(model.write(*write, now=now) for write in batch)
            now += pause
            clock.advance(moment(now))
        check(store, model)
        store.close()


def check(store: LocalFeatureStore, model: Model) -> None:
    """Compare every read there is."""
    read = store.read(ENTITIES, FEATURES, now=START)
    for entity in ENTITIES:
        for feature in FEATURES:
            newest, reading = model.newest(entity, feature, 99, 999), read[entity][feature]
            assert reading.value == (newest.value if newest else None)
            assert reading.event_time == (moment(newest.event) if newest else None)
    rows = tuple((entity, moment(time)) for entity in ENTITIES for time in range(-5, 3))
    table = store.training_read(TrainingRequest("thing", FEATURES, {}, rows, respect_known_at=False))
    found = [model.newest(entity, "a", time, 999) for entity in ENTITIES for time in range(-5, 3)]
    assert table.columns["a"] == [entry.value if entry else None for entry in found]
    late = tuple((entity, moment(time)) for entity in ENTITIES for time in range(16, 20))
    table = store.training_read(TrainingRequest("thing", FEATURES, {}, late))
    found = [model.newest(entity, "b", time, time) for entity in ENTITIES for time in range(16, 20)]
    assert table.columns["b"] == [entry.value if entry else None for entry in found]
    assert store.reproduce(table.snapshot_id) == table
