"""A version judged on the rows of a real feature store."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.worker.monitor.watched import DAY, START, asked, bee, fill, monitor_of, store_in
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.port import LabelWindow, TrainingRequest, Write
from worker.monitor.event import evaluation, outgoing
from worker.monitor.judge import Asked, Judgement
from worker.publish.catalogue import catalogue

AT_ONCE = timedelta(0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """Give a store without values."""
    opened = store_in(tmp_path)
    yield opened
    opened.close()


def _judge(store: LocalFeatureStore, spec: BeeSpec, day: int, **lineage: Any) -> Judgement:
    return monitor_of(store).judge(asked(spec, day, **lineage))


def test_the_window_alone_is_measured(store: LocalFeatureStore) -> None:
    """Rows from the window's start up to its end count, labels and all; what is before or after does not."""
    fill(store, range(33), labels_after=AT_ONCE)
    fill(store, range(33, 40), wrong=2, labels_after=AT_ONCE)
    fill(store, range(40, 42), wrong=10, labels_after=AT_ONCE)
    found = _judge(store, bee(), 40)
    assert found.complete
    assert (found.results.rows, found.results.positives) == (70, 49)
    assert found.results.metrics["accuracy"].value == pytest.approx(0.8)
    assert found.baseline == {"accuracy": 0.9}
    assert (found.labelled, found.usual, found.reference_rows) == (1, 1, 300)


def test_labels_that_were_not_known_by_then_are_not_there(store: LocalFeatureStore) -> None:
    """Labels that come after five days leave the window unjudged on its last day, and judged five days on."""
    fill(store, range(60), labels_after=5 * DAY)
    early = _judge(store, bee(), 40)
    assert not early.complete
    assert early.results.metrics["accuracy"].value is None
    assert early.labelled == pytest.approx(21 / 70)
    late = _judge(store, bee(labelDelay="5d"), 45)
    assert late.complete
    assert (late.asked.window.start, late.asked.window.end) == (START + 33 * DAY, START + 40 * DAY)
    assert late.results.rows == 70


def test_enough_labels_are_as_many_as_usual(store: LocalFeatureStore) -> None:
    """Where only half is ever labelled half is enough; where all is, it is not, unless the spec asks for less."""
    fill(store, range(33), labels_after=AT_ONCE)
    fill(store, range(33, 36), labels_after=AT_ONCE)
    fill(store, range(36, 40), labels_after=None)
    assert not _judge(store, bee(), 40).complete
    assert _judge(store, bee(minLabelled=0.4), 40).complete


def test_a_label_with_a_time_of_its_own_counts_for_its_entity(store: LocalFeatureStore) -> None:
    """A thing whose label is of a later time than its features is labelled, and judged at the label's time."""
    fill(store, range(40), labels_after=None)
    for day in range(40):
        time = START + day * DAY
        store.write([Write(f"t{day}-{n}", "label", float(n >= 5), time + 2 * DAY, time + 2 * DAY) for n in range(10)])
    found = _judge(store, bee(labelDelay="2d"), 42)
    assert found.complete
    assert found.labelled == 1
    assert found.results.metrics["accuracy"].value == 1


def test_no_label_at_all_is_no_fault(store: LocalFeatureStore) -> None:
    """Neither an empty store nor one without labels is an error: nothing is measured."""
    empty = _judge(store, bee(), 40)
    assert (empty.complete, empty.drift, empty.labelled) == (False, None, None)
    fill(store, range(40), labels_after=None)
    assert not _judge(store, bee(), 40).complete


def test_drift_is_told_without_labels(store: LocalFeatureStore) -> None:
    """While labels are awaited drift is that of whatever was seen; the predictions are told with the features."""
    fill(store, range(33), labels_after=30 * DAY)
    fill(store, range(33, 40), shift=6, labels_after=30 * DAY)
    found = _judge(store, bee(), 40)
    assert not found.complete
    assert found.drift is not None
    assert found.drift.drifted == ("left",)
    assert found.drift.predictions is not None
    assert found.drift.predictions.findings
    assert (found.reference_rows, found.drift.features[0].window_rows) == (300, 70)


def test_the_reference_can_be_chosen(store: LocalFeatureStore) -> None:
    """A feature that moved once is drift from the training rows for ever, from the previous days only at first."""
    fill(store, range(20), labels_after=AT_ONCE)
    fill(store, range(20, 60), shift=6, labels_after=AT_ONCE)
    window = LabelWindow("label", START, START + 20 * DAY)
    snapshot = store.training_read(TrainingRequest("thing", ("left", "colour"), label=window)).snapshot_id
    quiet = _judge(store, bee(), 58)
    again = _judge(store, bee(reference="training"), 58, snapshotId=snapshot)
    short = _judge(store, bee(reference="5d"), 25)
    for found, drifted in ((quiet, ()), (again, ("left",)), (short, ("left",))):
        assert found.drift is not None
        assert found.drift.drifted == drifted
    assert (again.reference_rows, short.reference_rows) == (200, 50)
    with pytest.raises(Rejected, match="trained on"):
        _judge(store, bee(reference="training"), 58)


def test_the_event_fits_its_schema_and_has_one_id_per_version_and_window(store: LocalFeatureStore) -> None:
    """Judged again later the event has the same id; another window's has another. Every field is in the schema."""
    fill(store, range(40), wrong=2, labels_after=AT_ONCE)
    first = outgoing(_judge(store, bee(), 40))
    again = outgoing(monitor_of(store).judge(Asked(bee(), asked(bee(), 40).version, START + 41 * DAY,
                                                   asked(bee(), 40).window, "previous")))  # fmt: skip
    assert first.id == again.id != outgoing(_judge(store, bee(), 39)).id
    assert (first.source, first.bee, first.time) == ("//colony/monitor", "watched", START + 40 * DAY)
    data = json.loads(json.dumps(first.data, allow_nan=False))
    jsonschema.Draft202012Validator(dict(catalogue()["model.evaluated"].schema)).validate(data)
    assert data["window"]["id"] == "2024-02-03..2024-02-10"
    assert data["metrics"]["accuracy"] == pytest.approx(0.8)
    assert data["intervals"]["accuracy"][0] < 0.8 < data["intervals"]["accuracy"][1]
    # Of 70 rows 49 are positive, and 35 were taken for that.
    assert [data["sampleCounts"][name] for name in ("accuracy", "recall", "precision")] == [70, 49, 35]
    assert data["drift"]["severity"] == "none"
    assert data["drift"]["reference"]["sampleCount"] == 300


def test_what_is_undefined_is_null_in_the_event(store: LocalFeatureStore) -> None:
    """Without labels each metric is null, and without rows nothing is said of drift."""
    data = evaluation(_judge(store, bee(), 40))
    assert set(data["metrics"].values()) == {None}
    assert data["window"]["sampleCount"] == 0
    assert "drift" not in data
