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
