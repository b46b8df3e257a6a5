"""Online reads from feature views, direct writes and what `colony features init` makes, over the real clients."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.google_server import Fault
from tests.worker.adapters.features.google.bigquery_server import BigQueryServer
from tests.worker.adapters.features.google.test_agreement import DEFINITIONS, writes
from tests.worker.adapters.features.google.view_server import ViewServer
from worker.adapters.features.google.bigquery import BigQuery
from worker.adapters.features.google.definitions import Definitions
from worker.adapters.features.google.direct import DirectWriter
from worker.adapters.features.google.setup import Setup
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.adapters.features.google.vertex import Names, Vertex
from worker.adapters.features.google.views import ViewNewest
from worker.adapters.google_calls import Patience
from worker.adapters.metrics.local import LocalMetrics
from worker.errors import Rejected, TryLater
from worker.features.port import Definition, Following, Reading, Status, Write
from worker.instruments import Instruments

NOW = datetime(2002, 10, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = Names("proj", "europe-west1", "features")
PATIENCE = Patience(attempt_s=5.0, total_s=10.0, first_pause_s=0.01, longest_pause_s=0.05)
VIEW = NAMES.view("thing")
IDS = ["a", "b", "c ", "d"]


class World:
    """BigQuery's and Vertex AI's stand-ins, and stores over them."""

    def __init__(self) -> None:
        """Begin with nothing made."""
        self.bigquery = BigQueryServer()
        self.views = ViewServer(self.bigquery.database)
        self.warehouse = BigQuery("proj", "features", "europe-west1", endpoint=self.bigquery.endpoint)
        self.vertex = Vertex(NAMES.region, self.views.address, PATIENCE)
        self._opened: list[GoogleFeatureStore] = []

    def init(self) -> Sequence[str]:
        """Run what `colony features init` runs."""
        return Setup(self.warehouse, Definitions(self.warehouse), self.vertex, NAMES).init()

    def store(self, *, views: bool = True, direct: bool = False, **options: Any) -> GoogleFeatureStore:
        """Open a store that reads online from the views, or from BigQuery."""
        writer = DirectWriter(self.warehouse, self.vertex, NAMES) if direct else None
        values = ViewNewest(self.vertex, NAMES, **{"patience": PATIENCE, **options}) if views else None
        self._opened.append(GoogleFeatureStore(self.warehouse, lambda: NOW, values=values, direct=writer))
        return self._opened[-1]

    def close(self) -> None:
        """Close the stores, and stop the servers."""
        for store in self._opened:
            store.close()
        self.views.close()
        self.bigquery.close()


@pytest.fixture(scope="module", name="world")
def _world() -> Iterator[World]:
    world = World()
    world.init()
    for definition in DEFINITIONS:
        world.store(views=False).define(definition)
    world.init()
    yield world
    world.close()


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_view_reads_as_the_tables_do(world: World, data: st.DataObject) -> None:
    """Late data, corrections, NULLs, known-at out of order: value and status are those of BigQuery."""
    number = data.draw(st.integers(0, 10**9))
    ids = [f"{number}:{one}" for one in IDS]
    store, tables = world.store(), world.store(views=False)
    for call in data.draw(st.lists(st.lists(writes(), max_size=5), min_size=1, max_size=4)):
        store.write([Write(f"{number}:{one.entity_id}", *_rest(one)) for one in call])
    names = [one.name for one in DEFINITIONS]
    assert store.read(ids, names, now=NOW) == tables.read(ids, names, now=NOW)


def _rest(write: Write) -> tuple[Any, ...]:
    return write.feature, write.value, write.event_time, write.known_at


class TestReads:
    """What a view says, and what it means that it does not answer."""

    def test_each_status(self, world: World) -> None:
        """PRESENT, an explicit NULL over an older value, EXPIRED, and MISSING for a feature and for an entity."""
        store = world.store()
        store.write(
            [
                Write("status", "plain", 1.0, NOW - 2 * HOUR, NOW),
                Write("status", "order", "old", NOW - 2 * HOUR, NOW),
                Write("status", "order", None, NOW - HOUR, NOW),
                Write("status", "fresh", 1.0, NOW - 4 * HOUR, NOW),
            ]
        )
        found = store.read(["status", "nobody"], ["plain", "order", "fresh", "flag"], now=NOW)
        assert found["status"] == {
            "plain": Reading(Status.PRESENT, 1.0, NOW - 2 * HOUR),
            "order": Reading(Status.NULL, None, NOW - HOUR),
            "fresh": Reading(Status.EXPIRED, None, NOW - 4 * HOUR),
            "flag": Reading(Status.MISSING),
        }
        assert {reading.status for reading in found["nobody"].values()} == {Status.MISSING}

    def test_a_view_that_is_not_there_is_no_missing_value(self, world: World) -> None:
        """Without its view a feature is an error that names the mend; so is one that the view does not serve yet."""
        store = world.store()
        store.define(Definition("lonely", "island", "number"))
        with pytest.raises(Rejected, match="colony features init"):
            store.read(["x"], ["lonely"], now=NOW)
        store.define(Definition("newer", "thing", "number"))
        assert store.read(["a"], ["plain"], now=NOW)
        with pytest.raises(Rejected, match="does not serve newer, newer__state"):
            store.read(["a"], ["newer"], now=NOW)
        world.init()
        assert store.read(["a"], ["newer"], now=NOW)["a"]["newer"] == Reading(Status.MISSING)

    @pytest.mark.parametrize("fault", [Fault(), Fault(grpc.StatusCode.DEADLINE_EXCEEDED), Fault(cut=True)], ids=str)
    def test_a_call_that_goes_wrong_is_made_again(self, world: World, fault: Fault) -> None:
        """A read survives a fault, of the service or of the line."""
        store = world.store()
        store.write([Write("again", "plain", 1.0, NOW, NOW)])
        world.views.fail("FetchFeatureValues", fault, fault)
        assert store.read(["again"], ["plain"], now=NOW)["again"]["plain"].value == 1.0

    def test_a_fault_that_stays_is_told(self, world: World) -> None:
        """What passes by itself is for later; a right that is missing is named."""
        store = world.store(patience=Patience(attempt_s=1.0, total_s=0.1, first_pause_s=0.01, longest_pause_s=0.02))
        for code, raised in ((grpc.StatusCode.UNAVAILABLE, TryLater), (grpc.StatusCode.PERMISSION_DENIED, Rejected)):
            world.views.fail("FetchFeatureValues", *[Fault(code)] * 1000)
            with pytest.raises(raised):
                store.read(["a"], ["plain"], now=NOW)
            world.views.mend("FetchFeatureValues")

    def test_many_entities_that_are_not_read_in_time_are_for_later(self, world: World) -> None:
        """One entity that hangs does not hold the read for ever."""
        store = world.store(read_s=0.3)
        world.views.fail("FetchFeatureValues", Fault(hangs_s=3.0))
        with pytest.raises(TryLater, match="were not read within"):
            store.read(["a", "b"], ["plain"], now=NOW)

    def test_computed_features_are_those_of_the_tables(self, world: World) -> None:
        """Row by row from served inputs, and over history from BigQuery."""
        store = world.store()
        store.define(Definition("twice", "thing", "number", source="computed", computation="plain * 2"))
        store.define(Definition("total", "thing", "number", source="computed", computation="sum(plain over 6h)"))
        store.write([Write("sums", "plain", float(hours), NOW - hours * HOUR, NOW) for hours in (1, 2, 9)])
        found = store.read(["sums"], ["twice", "total", "plain"], now=NOW)["sums"]
        assert {name: reading.value for name, reading in found.items()} == {"twice": 2.0, "total": 3.0, "plain": 1.0}

    def test_online_reads_do_not_ask_bigquery_each_time(self, world: World) -> None:
        """Definitions are remembered for a while; one that is not known yet is looked up at once."""
        store = world.store()
        store.read(["a"], ["plain"], now=NOW)
        before = len(world.bigquery.calls)
        for _ in range(3):
            store.read(["a", "b"], ["plain", "order"], now=NOW)
        assert len(world.bigquery.calls) == before
        late = Definition("late", "thing", "number", source="computed", computation="plain + 1")
        world.store(views=False).define(late)
        assert store.read(["nobody"], ["late"], now=NOW)["nobody"]["late"].status is Status.MISSING

    def test_freshness_is_the_age_of_the_watermark(self, world: World) -> None:
        """An entity whose view has not synced yet is left out."""
        store = world.store()
        assert store.freshness(NOW) == {}
        world.views.watermarks[VIEW] = NOW - timedelta(seconds=7)
        assert store.freshness(NOW) == {"thing": 7.0}
        assert world.store(views=False).freshness(NOW) == {}

    def test_freshness_is_a_declared_metric(self, world: World) -> None:
        """The worker's loop sets a gauge per entity."""
        world.views.watermarks[VIEW] = NOW - timedelta(seconds=9)
        metrics = LocalMetrics()
        store = world.store()
        assert isinstance(store, Following)
        Instruments(metrics).followed(store.freshness(NOW))
        assert 'colony_features_lag_seconds{entity="thing"} 9' in metrics.render()


class TestDirectWrites:
    """Read-your-writes, behind a setting."""

    def test_what_was_written_is_read_before_any_sync(self, world: World) -> None:
        """With direct writes the view has the value, and an older one that comes later does not replace it."""
        world.views.synced = False
        try:
            plain, direct = world.store(), world.store(direct=True)
            plain.write([Write("direct", "plain", 1.0, NOW - HOUR, NOW)])
            assert plain.read(["direct"], ["plain"], now=NOW)["direct"]["plain"].status is Status.MISSING
            direct.write([Write("direct", "plain", 2.0, NOW, NOW), Write("direct", "entity_id", [1.5], NOW, NOW)])
            direct.write([Write("direct", "plain", 3.0, NOW - 2 * HOUR, NOW), Write("direct", "order", None, NOW, NOW)])
            found = direct.read(["direct"], ["plain", "entity_id", "order"], now=NOW)["direct"]
            assert [found[name].value for name in ("plain", "entity_id")] == [2.0, [1.5]]
            assert found["order"].status is Status.NULL
        finally:
            world.views.synced = True

    def test_a_refused_direct_write_is_logged_and_the_value_is_stored(self, world: World) -> None:
        """BigQuery alone counts; the sync brings what the view did not take."""
        store = world.store(direct=True)
        with structlog.testing.capture_logs() as told:
            assert store.write([Write("refused", "plain", 2.0, NOW, NOW)]) == 1
        assert [entry["event"] for entry in told] == ["a view was not written; its sync will bring the values"]
        assert world.store(views=False).read(["refused"], ["plain"], now=NOW)["refused"]["plain"].value == 2.0


class TestInit:
    """Data sets, tables, group, features, store and view."""

    def test_everything_is_made_once(self) -> None:
        """The second time nothing is; a new feature is added, a deleted one goes."""
        world = World()
        try:
            world.views.stages = 1
            first = world.init()
            assert first[0] == "data set proj.features"
            assert NAMES.online_store in first
            store = world.store()
            store.define(Definition("plain", "thing", "number", description="what it is"))
            made = world.init()
            assert made == [
                NAMES.group("thing"),
                f"{NAMES.group('thing')}/features/plain",
                f"{NAMES.group('thing')}/features/plain__state",
                VIEW,
            ]
            assert world.init() == []
            store.define(Definition("other", "thing", "string"))
            store.delete("plain")
            changed = world.init()
            assert f"{VIEW} (changed)" in changed
            assert f"{NAMES.group('thing')}/features/plain (deleted)" in changed
            assert world.init() == []
            view = world.views.resources[VIEW]
            assert view.sync_config.continuous
            assert list(view.feature_registry_source.feature_groups[0].feature_ids) == ["other", "other__state"]
            group = world.views.resources[NAMES.group("thing")].big_query
            assert group.big_query_source.input_uri == "bq://proj.features.entity_thing"
            assert (group.time_series.timestamp_column, group.dense) == ("serving_timestamp", False)
            scaling = world.views.resources[NAMES.online_store].bigtable.auto_scaling
            assert (scaling.min_node_count, scaling.max_node_count) == (1, 3)
        finally:
            world.close()

    @pytest.mark.parametrize("method", ["CreateFeatureOnlineStore", "CreateFeatureGroup", "CreateFeatureView"])
    def test_a_lost_answer_is_no_second_one(self, method: str) -> None:
        """A fault after the effect ends in what an undisturbed run makes."""
        world = World()
        try:
            world.init()
            world.views.resources.clear()
            world.store().define(Definition("plain", "thing", "number"))
            world.views.fail(method, Fault(after_effect=True))
            world.init()
            assert world.init() == []
            assert {NAMES.online_store, NAMES.group("thing"), VIEW} <= set(world.views.resources)
        finally:
            world.close()
