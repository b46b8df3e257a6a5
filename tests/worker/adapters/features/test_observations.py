"""What was observed of a feature, as it became known, and values at some times, on every backend."""

from datetime import datetime, timedelta

import pytest

from tests.worker.adapters.features.conftest import START, World
from worker.errors import NotFound, Rejected
from worker.features.observed import Observed
from worker.features.port import Definition, TrainingRequest, Value, Write

HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    """Return a time so many hours after the start."""
    return START + hours * HOUR


@pytest.fixture(name="labelled")
def _labelled(world: World) -> World:
    """Give a store in which a label, and something computed from it, are defined."""
    world.store.define(Definition("label", "thing", "number"))
    world.store.define(Definition("twice", "thing", "number", source="computed", computation="label * 2"))
    world.later(days=30)
    return world


def put(world: World, thing: str, value: Value, true: float, known: float) -> None:
    """Write one label, true and known so many hours after the start."""
    world.store.write([Write(thing, "label", value, at(true), at(known))])


def seen(world: World, end: float, start: float = 0, *, respect: bool = True) -> list[tuple[str, Value, float]]:
    """Return entity, value and the hour at which it became known, in the store's order."""
    found = world.again().observations("thing", "label", start=at(start), end=at(end), respect_known_at=respect)
    hours = [(known - int(START.timestamp() * 1e6)) / 3.6e9 for known in found.known_us.tolist()]
    return list(zip(found.ids, found.values.tolist(), hours, strict=True))


def test_they_come_as_they_became_known(labelled: World) -> None:
    """Sooner known comes first, then what was true sooner, then by name; what is not known yet is not there."""
    put(labelled, "late", 1.0, true=1, known=9)
    put(labelled, "soon", 0.0, true=4, known=5)
    put(labelled, "b", 1.0, true=3, known=6)
    put(labelled, "a", 1.0, true=3, known=6)
    put(labelled, "older", 0.0, true=2, known=6)
    early = seen(labelled, 8)
    assert early == [("soon", 0.0, 5), ("older", 0.0, 6), ("a", 1.0, 6), ("b", 1.0, 6)]
    assert seen(labelled, 9) == [*early, ("late", 1.0, 9)]


def test_the_window_holds_what_was_true_in_it(labelled: World) -> None:
    """Its start is inside, its end is not; a window of nothing is empty, and so is one that ends before it begins."""
    for hour in range(4):
        put(labelled, f"t{hour}", 1.0, true=hour, known=hour)
    assert [row[0] for row in seen(labelled, 3, 1)] == ["t1", "t2"]
    assert seen(labelled, 1, 1) == []
    assert seen(labelled, 1, 3) == []


def test_a_correction_takes_the_place_of_what_was_known(labelled: World) -> None:
    """By the time that a correction is known, it alone counts, known when it came; one to NULL takes the row away."""
    put(labelled, "mended", 0.0, true=1, known=2)
    put(labelled, "gone", 1.0, true=1, known=3)
    put(labelled, "mended", 1.0, true=1, known=6)
    put(labelled, "gone", None, true=1, known=7)
    assert seen(labelled, 5) == [("mended", 0.0, 2), ("gone", 1.0, 3)]
    assert seen(labelled, 8) == [("mended", 1.0, 6)]


def test_without_known_at_they_come_as_they_were_true(labelled: World) -> None:
    """Of a history that was filled in later the event time counts as the time of knowing."""
    put(labelled, "second", 1.0, true=2, known=100)
    put(labelled, "first", 0.0, true=1, known=200)
    assert seen(labelled, 5) == []
    assert seen(labelled, 5, respect=False) == [("first", 0.0, 1), ("second", 1.0, 2)]


def test_what_cannot_be_observed_is_refused(labelled: World) -> None:
    """A feature that is not there, one of another entity, and a computed one."""

    def ask(entity: str, feature: str) -> Observed:
        return labelled.store.observations(entity, feature, start=at(0), end=at(1))

    with pytest.raises(NotFound):
        ask("thing", "nope")
    with pytest.raises(Rejected, match="of 'thing'"):
        ask("other", "label")
    with pytest.raises(Rejected, match="computed"):
        ask("thing", "twice")


def test_values_at_some_times_are_read_without_a_trace(labelled: World) -> None:
    """The same values as a training read has; what was not known in time is missing, where that one would refuse."""
    put(labelled, "a", 1.0, true=1, known=1)
    put(labelled, "b", 0.0, true=1, known=9)
    rows = (("b", at(2)), ("a", at(2)), ("b", at(10)))

    def ask(*spine: tuple[str, datetime]) -> TrainingRequest:
        return TrainingRequest("thing", ("label", "twice"), spine=spine)

    found = labelled.store.values_at(ask(*rows))
    assert {name: column.tolist() for name, column in found.columns.items()} == {
        "label": [None, 1.0, 0.0],
        "twice": [None, 2.0, 0.0],
    }
    kept = labelled.store.training_read(ask(*rows))
    assert dict(kept.columns) == {name: column.tolist() for name, column in found.columns.items()}
    with pytest.raises(Rejected, match="known-at removes"):
        labelled.store.training_read(ask(rows[0]))
    assert labelled.store.values_at(ask(rows[0])).columns["label"].tolist() == [None]
