"""How long each version took to answer, out of a real prediction log."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.worker.rollout.rolled import DAY, HOUR, START, bee, store_in
from tests.worker.rollout.test_machine import a_rollout
from worker.adapters.features.local import LocalFeatureStore
from worker.rollout.evidence import Compared
from worker.rollout.latency import guards_served
from worker.rollout.machine import Rollout
from worker.rollout.outcomes import evidence
from worker.rollout_plan import GuardMetric, RolloutSpec
from worker.serving.served import Answer, Served, definitions_of, writes_of

BEE = bee()
SLOW = GuardMetric(margin=5.0, bounds=(0.0, 200.0))


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """Give a store in which three thousand predictions are logged, a third of them by version 2, which is slower."""
    store, random = store_in(tmp_path), np.random.default_rng(5)
    for definition in definitions_of(BEE, None):
        store.define(definition)
    writes = []
    for number in range(3000):
        version = "1" if number % 3 else "2"
        took = float(random.gamma(4, 5)) + (40 if version == "2" else 0)
        served = Served(version, {version: Answer(1.0, 0.9)}, latency_ms=None if number % 100 == 0 else took)
        writes += writes_of(BEE, f"t{number}", START + number * HOUR / 100, served)
    store.write(writes)
    yield store
    store.close()


def found(store: LocalFeatureStore, guard: GuardMetric = SLOW, **changes: Any) -> dict[str, Compared]:
    """Return what the log tells of a guard."""
    return guards_served(rolled(guard, **changes), BEE, store, START + 2 * DAY)


def rolled(guard: GuardMetric, **changes: Any) -> Rollout:
    """Return a rollout of version 2 that began with the log."""
    plan = RolloutSpec(strategy="canary", guards={"latency_ms": guard})
    return a_rollout(plan=plan, **{"started_at": START, **changes})


@pytest.mark.parametrize("guard", [SLOW, GuardMetric(margin=5.0)])
def test_who_takes_longer_is_proven_worse(store: LocalFeatureStore, guard: GuardMetric) -> None:
    """Of what each answered, also without bounds; the gain is negative, for less is better."""
    told = found(store, guard)["latency_ms"]
    assert (told.source, told.count, told.asymptotic) == ("served", 990, guard.bounds is None)
    assert told.champion == pytest.approx(20, abs=2)
    assert told.challenger == pytest.approx(60, abs=2)
    assert told.upper is not None
    assert told.upper < -5


def test_what_took_longer_than_thought_possible_counts_as_that_long(store: LocalFeatureStore) -> None:
    """Bounds that are too narrow do not break the look."""
    told = found(store, GuardMetric(margin=5.0, bounds=(0.0, 30.0)))["latency_ms"]
    assert told.challenger == 30.0


def test_only_what_was_served_since_counts(store: LocalFeatureStore) -> None:
    """And only of both versions: one that never answered has no latency."""
    assert found(store, started_at=START + 15 * HOUR)["latency_ms"].count < 600
    assert not found(store, version="3")["latency_ms"].known


def test_without_such_a_guard_or_a_log_nothing_is_read(store: LocalFeatureStore, tmp_path: Path) -> None:
    """The plan says what is wanted."""
    assert guards_served(replace(rolled(SLOW), plan=RolloutSpec(strategy="canary")), BEE, store, START + DAY) == {}
    empty = store_in(tmp_path / "empty")
    assert guards_served(rolled(SLOW), BEE, empty, START + DAY) == {}
    empty.close()


def test_the_log_goes_before_events(store: LocalFeatureStore) -> None:
    """What the log tells of a guard is its evidence; what it does not know, events may tell."""
    served = found(store)
    rollout = rolled(SLOW)
    assert evidence(rollout, None, START + DAY, served).guards["latency_ms"] == served["latency_ms"]
    unknown = {"latency_ms": Compared("latency_ms", source="served")}
    assert evidence(rollout, None, START + DAY, unknown).guards["latency_ms"].source == "events"
