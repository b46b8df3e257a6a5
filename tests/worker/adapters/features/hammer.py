"""A process that writes and reads a local store as fast as it can; run by the tests, told apart by its number.

It prints how many writes were acknowledged: after each one (`--each`), or at its end.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.adapters.features.local import LocalFeatureStore
from worker.features.port import LabelWindow, TrainingRequest, Write

BEGIN = datetime(2020, 1, 1, tzinfo=UTC)


def hammer(directory: Path, number: int, seconds: float, *, each: bool) -> None:
    """Write pairs that belong together, read the own back, and look at the others'."""
    store = LocalFeatureStore(directory, lambda: datetime.now(UTC))
    end = time.monotonic() + seconds
    seen = dict.fromkeys(range(4), 0.0)
    count = 0
    while time.monotonic() < end:
        count += 1
        moment = BEGIN + timedelta(seconds=count)
        pair = [Write(f"e{number}", name, float(count), moment, moment) for name in ("left", "right")]
        assert store.write(pair) == 2
        if each:
            print(count, flush=True)
        look(store, number, count, seen)
    store.close()
    print(count, flush=True)


def look(store: LocalFeatureStore, number: int, count: int, seen: dict[int, float]) -> None:
    """Prove that the own write is there, no pair is torn, and nothing goes back."""
    read = store.read([f"e{other}" for other in seen], ["left", "right"], now=BEGIN)
    for other, before in seen.items():
        left, right = (read[f"e{other}"][name].value or 0.0 for name in ("left", "right"))
        assert left == right, "a pair is torn"
        assert isinstance(left, float)
        assert left >= before, "a value went back"
        seen[other] = left
    assert seen[number] == count, "the own write does not show"
    if count % 50 == 0:
        window = LabelWindow("left", BEGIN, BEGIN + timedelta(seconds=count))
        table = store.training_read(TrainingRequest("thing", ("right",), {}, None, window))
        assert table.columns["left"] == table.columns["right"]


if __name__ == "__main__":
    hammer(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), each="--each" in sys.argv)
