"""Announcing how often features were read."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.adapters.features.local import LocalFeatureStore
from worker.clock import VirtualClock
from worker.errors import TryLater
from worker.features.port import Definition
from worker.publish.accessed import Accesses
from worker.publish.port import Outgoing

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Wire:
    """A topic that keeps what it confirmed, or has a fault."""

    def __init__(self) -> None:
        """Work."""
        self.sent: list[Outgoing] = []
        self.fault: TryLater | None = None

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Confirm all."""
        if self.fault:
            raise self.fault
        self.sent += events
        return [event.id for event in events]

    def verify(self) -> None:
        """Work."""

    def close(self) -> None:
        """Hold nothing."""


def read(directory: Path, clock: VirtualClock, names: Sequence[str]) -> LocalFeatureStore:
    """Read features of two entities at noon in a process of its own, and return the store as another sees it."""
    store = LocalFeatureStore(directory, clock)
    for name in names:
        store.define(Definition(name, "thing", "number"))
    store.read(["x", "y"], names, now=NOON)
    store.close()
    return LocalFeatureStore(directory, clock)


def test_a_minute_is_told_once_when_it_is_over(tmp_path: Path) -> None:
    """There is one event per feature, after the minute and the time that counts may stay in memory."""
    clock, wire, told = VirtualClock(NOON), Wire(), list[Outgoing]()
    store = read(tmp_path, clock, ["a", "b"])
    accesses = Accesses(store, wire, clock, told=told.append)
    clock.advance(NOON + timedelta(seconds=89))
    assert accesses.turn() == 0
    clock.advance(NOON + timedelta(seconds=90))
    assert accesses.turn() == 2
    assert accesses.turn() == 0
    assert [(event.type, event.bee, event.data) for event in wire.sent] == [
        (
            "feature.accessed",
            f"features/{name}",
            {"feature": name, "minute": "2026-01-01T12:00:00Z", "reads": 2, "sampleRate": 1.0},
        )
        for name in ("a", "b")
    ]
    assert len({event.id for event in wire.sent}) == 2
    assert told == wire.sent
    store.close()


def test_what_the_bus_does_not_take_waits(tmp_path: Path) -> None:
    """A fault of the bus is raised for the loop to back off, and the events leave with the next turn, the same ones."""
    clock, wire = VirtualClock(NOON), Wire()
    store = read(tmp_path, clock, ["a"])
    accesses = Accesses(store, wire, clock)
    clock.advance(NOON + timedelta(minutes=5))
    wire.fault = TryLater("the bus is away")
    with pytest.raises(TryLater):
        accesses.turn()
    wire.fault = None
    assert accesses.turn() == 1
    assert [event.data["reads"] for event in wire.sent] == [2]
    store.close()


def test_only_a_sample_is_told_the_same_for_everyone(tmp_path: Path) -> None:
    """A share of features and minutes is announced, with the rate, and nothing of the others."""
    names = [f"f{number}" for number in range(200)]
    told = []
    for number in range(2):
        clock, wire = VirtualClock(NOON), Wire()
        store = read(tmp_path / str(number), clock, names)
        clock.advance(NOON + timedelta(minutes=5))
        Accesses(store, wire, clock, share=0.25).turn()
        told.append({event.data["feature"] for event in wire.sent})
        assert {event.data["sampleRate"] for event in wire.sent} == {0.25}
        store.close()
    assert told[0] == told[1]
    assert 20 < len(told[0]) < 80
