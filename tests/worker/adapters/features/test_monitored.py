"""What monitors read of a store, on every backend."""

from datetime import timedelta

from tests.worker.adapters.features.conftest import START, World
from worker.bee import BeeSpec
from worker.features.port import Definition, Write
from worker.monitor.rows import Reading

DAY = timedelta(days=1)
BEE = BeeSpec.model_validate(
    {"bee": "watched", "entity": "thing", "label": "label", "features": ["left"], "metric": "accuracy"}
)


def test_labels_and_whoever_was_seen_are_read_as_known_by_then(world: World) -> None:
    """What was seen is there with and without a label; a label that became known later is not there before."""
    for name in ("left", "label"):
        world.store.define(Definition(name, "thing", "number"))
    world.later(days=30)
    for number in range(4):
        time = START + number * DAY
        known = time + (20 * DAY if number else timedelta(0))
        world.store.write([Write(f"t{number}", "left", float(number), time, time)])
        world.store.write([Write(f"t{number}", "label", 1.0, time, known)])

    seen = Reading(world.store, BEE, START + 10 * DAY).seen(START)
    assert (seen.entities.entities, seen.labelled.entities) == ({"t0", "t1", "t2", "t3"}, {"t0"})
    assert len(seen.entities.within(START + DAY, START + 3 * DAY)) == 2
    assert seen.labelled.column("left", "number").tolist() == [0.0]

    late = Reading(world.store, BEE, START + 10 * DAY).seen(START + DAY)
    assert len(late.labelled) == 0
    read = Reading(world.store, BEE, START + 10 * DAY).features_of(late.entities)
    assert read.column("left", "number").tolist() == [1.0, 2.0, 3.0]
