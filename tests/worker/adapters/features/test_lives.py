"""The embedded store lives through writes, reads, moves of its files, restarts and kills like a naive model."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.worker.adapters.features.killing import killed_at
from tests.worker.adapters.features.test_model import Entry, Model
from worker.adapters.features.embedded.segments.flush import flush
from worker.adapters.features.local import LocalFeatureStore
from worker.clock import VirtualClock, to_us
from worker.features.bulk import Batch, Cells
from worker.features.columns import Column
from worker.features.port import Definition, TrainingRequest, TrainingTable, Write
from worker.features.spine import Spine

START = datetime(2002, 10, 1, tzinfo=UTC)
FEATURES = {"a": "number", "b": "string"}
ENTITIES = ("x", "y", "é")

values = st.none() | st.integers(0, 2)
drawn = st.tuples(
    st.sampled_from(ENTITIES),
    st.sampled_from(sorted(FEATURES)),
    st.integers(-6, 0),
    st.none() | st.integers(-6, 4),
    values,
)
Drawn = tuple[str, str, int, int | None, int | None]


def moment(seconds: int) -> datetime:
    """Return a time around the start."""
    return START + timedelta(seconds=seconds)


def value_of(feature: str, number: int | None) -> float | str | None:
    """Return a number as a value of the feature's type."""
    if number is None:
        return None
    return float(number) if feature == "a" else "" if number == 0 else f"ü{number}"


class Life(RuleBasedStateMachine):
    """One store and its model; whatever happens to the files, reads and counts are the model's."""

    def __init__(self) -> None:
        """Begin with an empty store."""
        super().__init__()
        self.home = tempfile.TemporaryDirectory()
        self.clock = VirtualClock(START)
        self.store = self.open()
        for name, kind in FEATURES.items():
            self.store.define(Definition(name, "thing", kind))
        self.model = Model()
        self.now = 0
        self.kept: list[TrainingTable] = []

    def open(self) -> LocalFeatureStore:
        """Open the store as another process would."""
        return LocalFeatureStore(Path(self.home.name), self.clock)

    def teardown(self) -> None:
        """Close it."""
        self.store.close()
        self.home.cleanup()

    @rule(batch=st.lists(drawn, max_size=10))
    def write(self, batch: list[Drawn]) -> None:
        """Write one call."""
        writes = [
            Write(entity, feature, value_of(feature, value), moment(event), None if known is None else moment(known))
            for entity, feature, event, known, value in batch
        ]
        assert self.store.write(writes) == self.modelled(batch)

    def modelled(self, batch: Sequence[Drawn]) -> int:
        """Write the same into the model."""
        return sum(
            self.model.write(entity, feature, event, known, value_of(feature, value), now=self.now)  # type: ignore[arg-type]
            for entity, feature, event, known, value in batch
        )

    @rule(
        rows=st.lists(st.tuples(st.sampled_from(ENTITIES), st.integers(-6, 0), st.integers(-6, 4), values), max_size=12)
    )
    def write_columns(self, rows: list[tuple[str, int, int, int | None]]) -> None:
        """Write columns, each row with a known-at of its own."""
        if not rows:
            return
        spine = Spine.of([row[0] for row in rows], [to_us(moment(row[1])) for row in rows])
        known = np.array([to_us(moment(row[2])) for row in rows])
        present = np.ones(len(rows), np.bool_)
        columns = {
            name: Cells(Column.of(kind, [value_of(name, row[3]) for row in rows]), present)
            for name, kind in FEATURES.items()
        }
        stored = self.store.write_columns("thing", Batch(spine, known, columns))
        assert not stored.refused.any()
        assert stored.new == sum(self.modelled([(row[0], name, *row[1:]) for row in rows]) for name in FEATURES)

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds
        self.clock.advance(moment(self.now))

    @rule()
    def flush(self) -> None:
        """Move the log into segments, as a busy store does by itself."""
        with self.store._upkeep.alone():
            flush(self.store._database, self.store._archive, 1)
            self.store._upkeep.settle()

    @rule()
    def compact(self) -> None:
        """Make one segment of each feature."""
        self.store.care.compact()

    @rule()
    def restart(self) -> None:
        """Close and open."""
        self.store.close()
        self.store = self.open()

    @rule(number=st.integers(0, 40), batch=st.lists(drawn, min_size=1, max_size=4))
    def kill(self, number: int, batch: list[Drawn]) -> None:
        """Kill a process in the middle of a compaction."""

        def work() -> None:
            self.open().care.compact()

        killed_at(number, work)
        self.write(batch)

    @rule(times=st.lists(st.tuples(st.sampled_from([*ENTITIES, "nobody"]), st.integers(-8, 9)), min_size=1, max_size=8))
    def train(self, times: list[tuple[str, int]]) -> None:
        """Read at random times, all values and those known by then."""
        rows = tuple((entity, moment(time)) for entity, time in times)
        table = self.store.training_read(TrainingRequest("thing", tuple(FEATURES), {}, rows, respect_known_at=False))
        self.compare(table, [(entity, time, 10**6) for entity, time in times])
        self.kept.append(table)
        late = [(entity, abs(time) + 20) for entity, time in times]
        rows = tuple((entity, moment(time)) for entity, time in late)
        table = self.store.training_read(TrainingRequest("thing", tuple(FEATURES), {}, rows))
        self.compare(table, [(entity, time, time) for entity, time in late])
        self.kept.append(table)

    def compare(self, table: TrainingTable, rows: list[tuple[str, int, int]]) -> None:
        """Compare a table with the model's."""
        for feature in FEATURES:
            found: list[Entry | None] = [self.model.newest(entity, feature, *by) for entity, *by in rows]
            assert table.columns[feature] == [entry.value if entry else None for entry in found]

    @invariant()
    def snapshots_stand(self) -> None:
        """Every snapshot gives the table it gave."""
        for table in self.kept[-3:]:
            assert self.store.reproduce(table.snapshot_id) == table

    @invariant()
    def online_is_the_newest(self) -> None:
        """Online reads are the newest by event time, known-at and write order."""
        read = self.store.read(ENTITIES, tuple(FEATURES), now=START)
        for entity in ENTITIES:
            for feature in FEATURES:
                newest, reading = self.model.newest(entity, feature, 99, 10**6), read[entity][feature]
                assert reading.value == (newest.value if newest else None)
                assert reading.event_time == (moment(newest.event) if newest else None)


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestLife = Life.TestCase
