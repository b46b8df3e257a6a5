from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.worker.world import BEE, NOW
from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import Definition, Write
from worker.runs.fresh import FreshLabels

DAY = timedelta(days=1)


def test_labels_are_counted_in_the_real_store(tmp_path: Path) -> None:
    """What became known after the last attempt counts, up to the time until which the next one has data."""
    store = LocalFeatureStore(tmp_path, clock=lambda: datetime.now(tz=UTC))
    fresh = FreshLabels(lambda: store)
    assert fresh(BEE, NOW - DAY, NOW) is None, "a label that is not defined cannot be counted"
    store.define(Definition("label", "content", "number"))
    store.write([Write(f"c{day}", "label", 1.0, NOW + day * DAY, NOW + day * DAY) for day in range(-3, 4)])

    assert fresh(BEE, NOW - 2 * DAY, NOW) == 2
    assert fresh(BEE, NOW, NOW + 2 * DAY) == 2
    assert fresh(BEE, NOW, NOW) == 0
    assert fresh(BEE, NOW, NOW - DAY) == 0
    assert fresh(BEE.model_copy(update={"label": ""}), NOW - DAY, NOW) is None
    store.close()


def test_history_without_known_at_counts_by_when_it_was_true(tmp_path: Path) -> None:
    """Imported in one go all labels become known at once: a bee that does not mind counts them by event time."""
    store = LocalFeatureStore(tmp_path, clock=lambda: datetime.now(tz=UTC))
    store.define(Definition("label", "content", "number"))
    store.write([Write(f"c{day}", "label", 1.0, NOW + day * DAY) for day in range(-3, 4)])
    lenient = BEE.model_copy(update={"respect_known_at": False})
    fresh = FreshLabels(lambda: store)

    assert fresh(lenient, NOW - 2 * DAY, NOW) == 2
    assert fresh(lenient, NOW, NOW) == 0
    assert fresh(BEE, NOW - 2 * DAY, NOW) == 0
    assert fresh(lenient.model_copy(update={"label": "nothing"}), NOW - DAY, NOW) is None
    store.close()
