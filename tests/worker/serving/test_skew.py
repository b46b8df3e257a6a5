"""Logged reads beside the values that training has for the same entities and times."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.serving.logs import log
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.features.port import Definition, Value, Write
from worker.serving.skew import FeatureSkew, compare, same, serving_skew

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEE = BeeSpec.model_validate(
    {
        "bee": "watched",
        "entity": "thing",
        "entities": {"owner": "owner_id"},
        "label": "label",
        "features": ["size", "age"],
        "metric": "accuracy",
    }
)


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path, lambda: START + 99 * HOUR)
    for name, entity, type_ in (
        ("size", "thing", "number"),
        ("owner_id", "thing", "string"),
        ("age", "owner", "number"),
    ):
        store.define(Definition(name, entity, type_))
    store.write(
        [
            Write("t", "size", 1.0, START, START),
            Write("t", "owner_id", "o", START, START),
            Write("o", "age", 30.0, START, START),
        ]
    )
    yield store
    store.close()


def test_what_was_served_as_it_is_learned_from_is_no_skew(store: LocalFeatureStore) -> None:
    """Reads that agree with the values of their time differ in nothing, also where a value came later."""
    log(store, BEE, "t", START + HOUR, features={"size": 1.0, "age": 30.0})
    store.write([Write("t", "size", 2.0, START + 2 * HOUR, START + 2 * HOUR)])
    log(store, BEE, "t", START + 3 * HOUR, features={"size": 2.0, "age": 30.0})

    found = serving_skew(store, BEE, START, START + 9 * HOUR)

    assert found == [FeatureSkew("watched", "age", 2, 0), FeatureSkew("watched", "size", 2, 0)]
    assert [one.finding(min_rows=1) for one in found] == [None, None]


def test_a_value_that_was_backdated_is_skew(store: LocalFeatureStore) -> None:
    """A value stored later with a known-at in the past is what training sees, and serving never saw."""
    for number in range(4):
        log(store, BEE, "t", START + HOUR + number * HOUR, features={"size": 1.0, "age": 30.0})
    log(store, BEE, "t", START + 5 * HOUR, features={"size": 1.0, "age": None})
    store.write([Write("t", "size", 7.0, START + 3 * HOUR, START + 3 * HOUR)])

    age, size = serving_skew(store, BEE, START, START + 9 * HOUR)

    assert size == FeatureSkew("watched", "size", 5, 3)
    assert age == FeatureSkew("watched", "age", 5, 1, only_served=0, only_stored=1)
    assert size.finding(min_rows=5) == "3 of 5 reads by watched differ from the training values"
    assert age.finding(min_rows=5) == "1 of 5 reads by watched differ from the training values, 1 only in training"
    assert size.finding(min_rows=6) is None
    assert age.finding(min_rows=5, share=0.2) is None


def test_what_a_caller_gave_was_not_read(store: LocalFeatureStore) -> None:
    """Features that came with the request, and reads outside the period, are compared with nothing."""
    log(store, BEE, "t", START + HOUR, features={"size": 5.0, "age": 5.0}, given=True)
    log(store, BEE, "t", START + 8 * HOUR, features={"size": 5.0, "age": 5.0})

    assert serving_skew(store, BEE, START, START + 8 * HOUR) == []


def test_nothing_logged_is_nothing_to_compare(store: LocalFeatureStore) -> None:
    """A store without a log has no skew to tell."""
    assert serving_skew(store, BEE, START, START + 9 * HOUR) == []


def test_a_feature_that_is_newer_than_the_log(store: LocalFeatureStore) -> None:
    """A feature that the bee reads since lately is compared from then on; one that is gone is not compared."""
    log(store, BEE, "t", START + HOUR, features={"size": 1.0, "gone": 3.0})
    log(store, BEE, "t", START + 2 * HOUR, features={"size": 1.0, "age": 31.0})

    found = serving_skew(store, BEE, START, START + 9 * HOUR)

    assert found == [FeatureSkew("watched", "age", 1, 1), FeatureSkew("watched", "size", 2, 0)]


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1.0, 1.0 + 1e-12, True),
        (1, 1.0, True),
        (1.0, 1.01, False),
        (None, None, True),
        (None, 0.0, False),
        ("1", 1.0, False),
        (True, 1.0, False),
        ([1.0, 2.0], [1.0, 2.0 + 1e-12], True),
        ([1.0], [1.0, 2.0], False),
    ],
)
def test_the_same_to_a_model(one: Value, other: Value, expected: bool) -> None:  # noqa: FBT001
    """Rounding is no difference; a missing value, another type and another length are."""
    assert same(one, other) is expected
    assert compare("b", {"f": [one]}, {"f": [other]})[0].differing == (not expected)
