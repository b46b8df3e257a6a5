"""A version judged by what it said when rows were served."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from tests.worker.monitor.watched import DAY, START, asked, bee, fill, monitor_of, store_in
from tests.worker.serving.logs import log
from worker.adapters.features.local import LocalFeatureStore
from worker.cli.monitor_table import print_judgement
from worker.features.port import Write
from worker.monitor.event import evaluation
from worker.monitor.judge import Judgement
from worker.publish.catalogue import catalogue
from worker.serving.served import Answer

AT_ONCE = timedelta(0)
HOUR = timedelta(hours=1)
WRONG, RIGHT = Answer(0.0, 0.1), Answer(1.0, 0.9)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """Give a store with forty days of things, all of which the model is right about when it is asked."""
    opened = store_in(tmp_path)
    fill(opened, range(40), labels_after=AT_ONCE)
    yield opened
    opened.close()


def _judge(store: LocalFeatureStore) -> Judgement:
    return monitor_of(store).judge(asked(bee(), 40))


def test_what_was_said_counts_and_not_what_would_be_said_now(store: LocalFeatureStore) -> None:
    """Rows that were served are judged by the answer of then, the others are scored; the output tells how many."""
    for day in range(33, 40):
        log(store, bee(), f"t{day}-9", START + day * DAY + 18 * HOUR, answers={"1": WRONG})

    found = _judge(store)

    assert found.complete
    assert (found.results.rows, found.logged) == (70, 7)
    assert found.results.metrics["accuracy"].value == pytest.approx(63 / 70)


def test_another_versions_answer_is_not_this_ones(store: LocalFeatureStore) -> None:
    """What another version answered does not count; what this one said in its shadow does."""
    at = START + 35 * DAY + 18 * HOUR
    log(store, bee(), "t35-9", at, answers={"2": WRONG})
    assert (_judge(store).logged, _judge(store).results.metrics["accuracy"].value) == (0, 1)

    log(store, bee(), "t36-9", at + DAY, answers={"2": RIGHT, "1": WRONG})
    assert (_judge(store).logged, _judge(store).results.metrics["accuracy"].value) == (1, pytest.approx(69 / 70))


def test_everything_served_needs_no_scoring(store: LocalFeatureStore) -> None:
    """Where each row was served the scores are those of then alone, a moment after the row's time as before it."""
    for day in range(33, 40):
        for number in range(10):
            at = START + day * DAY + number * 2 * HOUR + timedelta(seconds=3)
            log(store, bee(), f"t{day}-{number}", at, answers={"1": RIGHT if number < 5 else WRONG})

    found = _judge(store)

    assert (found.results.rows, found.logged) == (70, 70)
    assert (found.results.metrics["accuracy"].value, found.results.metrics["roc_auc"].value) == (0, 0)


def test_an_earlier_label_has_the_earlier_prediction(store: LocalFeatureStore) -> None:
    """A prediction that another label of the entity stands between does not count, though that is before the window."""
    log(store, bee(), "t10-9", START + 10 * DAY, answers={"1": WRONG})
    store.write([_label("t10-9", 20), _label("t10-9", 35)])

    found = _judge(store)

    assert (found.results.rows, found.logged) == (71, 0)


def _label(thing: str, day: int) -> Write:
    at = START + day * DAY
    return Write(thing, "label", 1.0, at, at)


def test_the_event_and_the_table_tell_how_many(store: LocalFeatureStore, capsys: pytest.CaptureFixture[str]) -> None:
    """Both say how many rows were judged by what was served, and say nothing of it where none was."""
    print_judgement(_judge(store))
    assert "by what was served" not in capsys.readouterr().out
    assert "loggedCount" not in evaluation(_judge(store))["window"]

    log(store, bee(), "t35-9", START + 35 * DAY + 18 * HOUR, answers={"1": WRONG})
    data = evaluation(_judge(store))
    print_judgement(_judge(store))

    assert data["window"]["loggedCount"] == 1
    jsonschema.Draft202012Validator(dict(catalogue()["model.evaluated"].schema)).validate(data)
    assert "70 labelled rows, 35 of them positive, 1 of them by what was served" in capsys.readouterr().out
