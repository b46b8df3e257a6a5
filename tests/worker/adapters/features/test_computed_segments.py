"""Computed features of the embedded store over values that have left the log."""

import random
from datetime import timedelta
from pathlib import Path

from tests.worker.adapters.features.conftest import START
from worker.adapters.features.embedded.segments.flush import flush
from worker.adapters.features.local import LocalFeatureStore
from worker.clock import VirtualClock
from worker.features.port import Definition, TrainingRequest, Write

NAMES = ("total", "week", "spread", "latest")
TEXTS = ("sum(n) / max(1, last(n))", "sum(n over 7d)", "std(n over 20d) + distinct(n)", "n * 2")


def _late(number: int) -> list[Write]:
    """Return values of three entities, some known late, some corrected."""
    draw = random.Random(number)
    found = []
    for _ in range(150):
        event = START - timedelta(hours=draw.randrange(700))
        known = min(START, event + timedelta(hours=draw.choice([0, 0, 3, 100])))
        value = None if draw.random() < 0.1 else draw.gauss(0, 10)
        found.append(Write(f"u{draw.randrange(3)}", "n", value, event, known))
    return found


def test_moving_values_into_segments_changes_no_answer(tmp_path: Path) -> None:
    """Online and point-in-time answers are the same bits before and after, and while some lie here and some there."""
    store, plain = (LocalFeatureStore(tmp_path / name, VirtualClock(START)) for name in ("segments", "log"))
    for each in (store, plain):
        each.define(Definition("n", "user", "number"))
        for name, text in zip(NAMES, TEXTS, strict=True):
            each.define(Definition(name, "user", "number", source="computed", computation=text))
    ids = ["u0", "u1", "u2", "u3"]
    spine = tuple((one, START - timedelta(hours=hours)) for hours in (0, 50, 171, 400, 690) for one in ids)
    kept = []
    for number in range(4):
        for each in (store, plain):
            each.write(_late(number))
        if number < 3:
            with store._upkeep.alone():
                flush(store._database, store._archive, 1)
        request = TrainingRequest("user", (*NAMES, "n"), spine=spine)
        table = store.training_read(request)
        kept.append(table)
        assert repr(table) == repr(plain.training_read(request))
        assert store.read(ids, NAMES, now=START) == plain.read(ids, NAMES, now=START)
        online = store.read(ids, NAMES, now=START)
        for name in NAMES:
            assert [online[one][name].value for one in ids] == table.columns[name][: len(ids)]
    assert len(list((tmp_path / "segments" / "segments").iterdir())) > 2
    for table in kept:
        assert repr(store.reproduce(table.snapshot_id)) == repr(table)
    for each in (store, plain):
        each.close()
