"""The Google store and the embedded one answer alike, whatever is written and asked."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.adapters.features.google.duck import DuckDatabase, DuckWarehouse
from worker.adapters.features.google.sql.tables import create_kept
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.adapters.features.local import LocalFeatureStore
from worker.clock import VirtualClock
from worker.errors import Rejected
from worker.features.port import Definition, FeatureStore, LabelWindow, TrainingRequest, TrainingTable, Write

NOW = datetime(2002, 10, 1, tzinfo=UTC)
STEP = timedelta(hours=1)
DEFINITIONS = [
    Definition("plain", "thing", "number"),
    Definition("fresh", "thing", "number", ttl=3 * STEP),
    Definition("order", "thing", "string"),  # a word of SQL
    Definition("flag", "thing", "boolean", ttl=5 * STEP),
    Definition("entity_id", "thing", "vector"),  # a column that every table has
]
VALUES: dict[str, list[object]] = {
    "number": [0.0, 1.5, -2.0, None],
    "string": ["", "a", "P1 2", None],
    "boolean": [True, False, None],
    "vector": [[1.0], [1.0, -0.5], None],
}


@st.composite
def writes(draw: st.DrawFn) -> Write:
    """One write, often of an entity, feature and time that others are of as well."""
    definition = draw(st.sampled_from(DEFINITIONS))
    known = draw(st.one_of(st.none(), st.integers(0, 8)))
    return Write(
        draw(st.sampled_from(["a", "b", "c "])),
        definition.name,
        draw(st.sampled_from(VALUES[definition.type])),  # type: ignore[arg-type]
        NOW - draw(st.integers(0, 8)) * STEP,
        None if known is None else NOW - known * STEP,
    )


def answer(store: FeatureStore, request: TrainingRequest) -> TrainingTable | str:
    """Return the table, or why there is none; a table is read again from its snapshot."""
    try:
        table = store.training_read(request)
    except Rejected as error:
        return str(error)
    assert store.reproduce(table.snapshot_id) == table
    return table


@settings(max_examples=15, deadline=None)
@given(
    calls=st.lists(st.lists(writes(), max_size=8), min_size=1, max_size=4),
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", "c ", "d"]), st.integers(-1, 9)), min_size=1, max_size=6),
    respect=st.booleans(),
)
def test_any_history_reads_the_same(
    calls: Sequence[Sequence[Write]], rows: Sequence[tuple[str, int]], *, respect: bool
) -> None:
    """Counts of what was new, online values, spines, label windows and facts are those of the embedded store."""
    clock = VirtualClock(NOW)
    warehouse = DuckWarehouse(DuckDatabase())
    warehouse.alter(create_kept(warehouse.name))
    google = GoogleFeatureStore(warehouse, clock)
    with TemporaryDirectory() as directory:
        local = LocalFeatureStore(Path(directory), clock)
        for store in (local, google):
            for definition in DEFINITIONS:
                store.define(definition)
        for call in calls:
            assert google.write(call) == local.write(call)
            clock.advance(clock() + timedelta(seconds=1))
        names = tuple(one.name for one in DEFINITIONS)
        spine = tuple((entity, NOW - hours * STEP) for entity, hours in rows)
        window = LabelWindow("order", NOW - 6 * STEP, NOW - 2 * STEP)
        for request in (
            TrainingRequest("thing", names, spine=spine, respect_known_at=respect),
            TrainingRequest("thing", ("plain", "fresh"), label=window, respect_known_at=respect),
        ):
            assert answer(google, request) == answer(local, request)
        ids = ["a", "b", "c ", "d"]
        assert google.read(ids, names, now=clock()) == local.read(ids, names, now=clock())
        assert google.facts() == local.facts()
        for store in (local, google):
            store.close()
