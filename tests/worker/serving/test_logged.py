"""The prediction log read back from a real feature store."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.serving.logs import log
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.features.port import Definition
from worker.features.spine import Spine
from worker.models.port import Scored
from worker.serving.logged import Logged
from worker.serving.served import Answer

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
BEE = BeeSpec.model_validate(
    {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "f1"}
)

ROOT = Path(__file__).parents[3]
#: Logs, waits until that is stored, logs once more and kills itself.
KILLED = """
import os, signal, sys, time
from datetime import datetime, UTC
from pathlib import Path
from tests.worker.serving.kept import Heard
from tests.worker.serving.test_logged import BEE, START
from worker.adapters.features.local import LocalFeatureStore
from worker.serving.log import PredictionLog, Rules
from worker.serving.served import Answer, Served
from worker.serving.shadows import Entry

store, heard = LocalFeatureStore(Path(sys.argv[1]), lambda: START), Heard()
predictions = PredictionLog(store, Rules(every_s=3600), heard)
add = lambda name: predictions.add(Entry(BEE, name, START, Served("1", {"1": Answer(1.0, 0.5)}, {"size": 1.0}), {}))
add("kept")
while not heard.counts["logged", "spam-guard"]:
    time.sleep(0.01)
for number in range(20):
    add(f"lost{number}")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = LocalFeatureStore(tmp_path, lambda: START + 99 * HOUR)
    yield store
    store.close()


def _spine(*rows: tuple[str, float]) -> Spine:
    return Spine.from_rows([(entity, START + hours * HOUR) for entity, hours in rows])


def test_a_period_is_read_by_time(store: LocalFeatureStore) -> None:
    """What was served from the start on and before the end is there, by time, one for each version that was asked."""
    log(store, BEE, "b", START + 2 * HOUR, answers={"1": Answer("spam", 0.9), "2": Answer("ham", 0.1)})
    log(store, BEE, "a", START + HOUR, features={"size": 3.0})
    log(store, BEE, "c", START + 3 * HOUR)

    found = list(Logged(store, BEE).predictions(START, START + 3 * HOUR, START + 9 * HOUR))

    assert [(one.entity, one.version, one.prediction, one.score, one.answered) for one in found] == [
        ("a", "1", 1.0, 0.75, True),
        ("b", "1", "spam", 0.9, True),
        ("b", "2", "ham", 0.1, False),
    ]
    assert (found[0].time, found[0].snapshot) == (START + HOUR, {"size": 3.0})
    only = Logged(store, BEE).predictions(START, START + 9 * HOUR, START + 9 * HOUR, version="2")
    assert [one.entity for one in only] == ["b"]


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_in_pieces_as_at_once(store: LocalFeatureStore, at_once: int) -> None:
    """A long log is read piece by piece, each prediction in one of them, in the same order."""
    for number in range(7):
        log(store, BEE, f"c{number % 3}", START + number * HOUR)
    logged, end = Logged(store, BEE, at_once), START + 7 * HOUR

    assert [one.time for one in logged.predictions(START, end, end)] == [START + number * HOUR for number in range(7)]
    assert len(list(logged.pieces(START, end, end))) == -(-7 // at_once)
    assert logged.answers(_spine(("c0", 6), ("c2", 6), ("c1", 1)), "1", end) == [Scored(1.0, 0.75)] * 3


def test_what_was_served_later_was_not_known(store: LocalFeatureStore) -> None:
    """As of a time nothing is there that was served after it; what was served at that very time is."""
    for hours in (1, 2, 3):
        log(store, BEE, "a", START + hours * HOUR)

    found = Logged(store, BEE).predictions(START, START + 9 * HOUR, START + 2 * HOUR)

    assert [one.time for one in found] == [START + HOUR, START + 2 * HOUR]


def test_a_store_without_a_log_has_nothing_to_tell(store: LocalFeatureStore) -> None:
    """A bee that was never logged is no fault, nor another entity's feature of that name, nor an empty period."""
    end = START + 9 * HOUR
    assert list(Logged(store, BEE).predictions(START, end, end)) == []
    assert Logged(store, BEE).answers(_spine(("a", 1)), "1", end) == [None]
    store.define(Definition("spam_guard_served", "user", "string"))
    assert list(Logged(store, BEE).predictions(START, end, end)) == []
    assert list(Logged(store, BEE).predictions(end, START, end)) == []


def test_the_answers_for_labelled_rows(store: LocalFeatureStore) -> None:
    """A row has what the version said of its entity last, whether it answered or not; not what another said."""
    log(store, BEE, "a", START + HOUR, answers={"1": Answer(1.0, 0.8), "2": Answer(0.0, 0.3)})
    log(store, BEE, "a", START + 2 * HOUR, answers={"1": Answer(0.0, 0.4)})
    log(store, BEE, "b", START + HOUR, answers={"2": Answer(1.0, 0.6)})
    rows = _spine(("b", 4), ("a", 4), ("c", 4))

    logged, known_by = Logged(store, BEE), START + 9 * HOUR

    assert logged.answers(rows, "1", known_by) == [None, Scored(0.0, 0.4), None]
    assert logged.answers(rows, "2", known_by) == [Scored(1.0, 0.6), Scored(0.0, 0.3), None]
    assert logged.answers(rows, "2", START) == [None, None, None]
    assert logged.answers(_spine(), "2", known_by) == []


def test_a_killed_process_loses_what_waited_and_nothing_else(tmp_path: Path) -> None:
    """After a kill between queue and store what was stored before is whole, and the rest is gone: never half of one."""
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=120, cwd=ROOT)
    assert killed.returncode == -9

    store = LocalFeatureStore(tmp_path, lambda: START + HOUR)
    found = list(Logged(store, BEE).predictions(START, START + HOUR, START + HOUR))
    facts = {one.feature: one.values for one in store.facts()}
    store.close()

    assert [(one.entity, one.prediction, one.snapshot) for one in found] == [("kept", 1.0, {"size": 1.0})]
    assert set(facts.values()) == {1}
    assert len(facts) == 4
