"""Features looked at by themselves, in a real store."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.worker.monitor.watched import DAY, START, fill, store_in
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import DriftSpec
from worker.features.port import Definition, Write
from worker.monitor.feature_look import Look
from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec
from worker.monitor.features import FeatureState, drifted_data, stale_data
from worker.monitor.period import Period
from worker.publish.catalogue import catalogue

SPEC = DriftSpec(min_rows=20)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """Give a store without values."""
    opened = store_in(tmp_path)
    yield opened
    opened.close()


def _look(store: LocalFeatureStore, day: int, expected: timedelta | None = None) -> dict[str, FeatureState]:
    """Return what is said of a week that ends then."""
    end = START + day * DAY
    spec = FeatureMonitorSpec(window=7 * DAY, expect=expected, drift=SPEC)
    seen = Look(store, FeatureGroup("all", spec), Period(end - 7 * DAY, end), end).see()
    return {one.definition.name: one for one in seen.states}


def test_a_quiet_week_has_no_findings(store: LocalFeatureStore) -> None:
    """As many values of the same kind: nothing is said."""
    fill(store, range(14), labels_after=timedelta(0))
    found = _look(store, 14)
    assert {name: one.findings for name, one in found.items()} == {"left": (), "colour": (), "label": ()}
    assert found["left"].counts == (70, 70)


def test_values_that_moved_are_found_and_come_first(store: LocalFeatureStore) -> None:
    """The one that moved is the first, and its event fits the published schema."""
    fill(store, range(7))
    fill(store, range(7, 14), shift=8)
    found = _look(store, 14)
    assert next(iter(found)) == "left"
    assert "PSI" in found["left"].findings[0]
    data = drifted_data(found["left"])
    jsonschema.validate(data, dict(catalogue()["feature.drifted"].schema))
    assert data["window"] == {"start": "2024-01-08T00:00:00Z", "end": "2024-01-15T00:00:00Z", "values": 70}


def test_a_feature_that_stops_coming_in_is_found(store: LocalFeatureStore) -> None:
    """Volume falls to nothing, and the entities that others tell of lack it."""
    fill(store, range(7), labels_after=timedelta(0))
    fill(store, range(7, 14))
    found = _look(store, 14)["label"]
    assert any("0 values came in, 70 did" in words for words in found.findings)
    assert any("100% are missing" in words for words in found.findings)
    assert found.column.missing == (0, 1)


def test_twice_and_more_is_found_a_bit_more_is_not(store: LocalFeatureStore) -> None:
    """Volume is judged by how much it changed, and how surely."""
    fill(store, range(14))
    extra = [Write(f"x{n}", "left", float(n % 10), START + 8 * DAY, START + 8 * DAY) for n in range(50)]
    store.write(extra)
    assert not _look(store, 14)["left"].findings
    store.write([Write(f"y{n}", "left", float(n % 10), START + 8 * DAY, START + 8 * DAY) for n in range(50)])
    assert any("170 values came in" in words for words in _look(store, 14)["left"].findings)


def test_what_lies_outside_the_declared_range_is_counted(store: LocalFeatureStore) -> None:
    """A range that was declared after the values came says how many are outside."""
    fill(store, range(14))
    store.define(Definition("left", "thing", "number", minimum=0, maximum=8))
    assert any("7 values lie outside 0 to 8" in words for words in _look(store, 14)["left"].findings)


def test_freshness_is_expected_within_the_ttl(store: LocalFeatureStore) -> None:
    """Older than its ttl, or than what is asked for where it has none, is stale; what never came is not."""
    store.define(Definition("left", "thing", "number", ttl=DAY))
    fill(store, range(10))
    assert _look(store, 10)["left"].stale is False
    found = _look(store, 13)
    assert (found["left"].stale, found["colour"].stale) == (True, False)
    jsonschema.validate(stale_data(found["left"]), dict(catalogue()["feature.stale"].schema))
    asked = _look(store, 13, expected=2 * DAY)
    assert (asked["colour"].stale, asked["label"].stale) == (True, False)


def test_what_was_not_known_by_then_is_not_there(store: LocalFeatureStore) -> None:
    """Labels that come three weeks late are neither counted nor missed as an error."""
    fill(store, range(14), labels_after=21 * DAY)
    assert _look(store, 14)["label"].counts == (0, 0)
