"""Both versions on the rows whose labels came in."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.worker.rollout.rolled import DAY, HOUR, START, Files, bee, fill, outcomes, pair, store_in
from tests.worker.rollout.test_machine import a_rollout
from worker.adapters.features.local import LocalFeatureStore
from worker.errors import NotFound, Rejected
from worker.features.port import Write
from worker.rollout.machine import Rollout
from worker.rollout.outcomes import Paired, evidence
from worker.rollout.row_metrics import row_metric
from worker.rollout.told import Window, heard
from worker.rollout_plan import GuardMetric, RolloutSpec


@pytest.fixture(name="store")
def _store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    store = store_in(tmp_path)
    yield store
    store.close()


def compared(paired: Paired, name: str = "accuracy", *, lower: bool = False) -> tuple[int, float | None, float | None]:
    """Return count, and both versions' values."""
    metric = row_metric(name, "binary")
    assert metric is not None
    found = paired.compared(metric, lower_is_better=lower, confidence=0.95, planned=100)
    return found.count, found.champion, found.challenger


def test_both_are_scored_on_the_very_same_rows(store: LocalFeatureStore) -> None:
    """A model that is right everywhere beside one that is wrong in a fifth: the gain is positive, and proven."""
    fill(store, range(20))
    paired = outcomes(store).paired(pair(champion=7, challenger=5), START + 20 * DAY)
    assert compared(paired) == (400, pytest.approx(0.8), 1.0)
    metric = row_metric("accuracy", "binary")
    assert metric is not None
    gained = paired.compared(metric, lower_is_better=False, confidence=0.95, planned=100)
    assert gained.difference == pytest.approx(0.2)
    assert gained.lower is not None
    assert gained.upper is not None
    assert 0 < gained.lower < 0.2 < gained.upper
    assert not gained.asymptotic


def test_less_is_better_where_the_metric_falls(store: LocalFeatureStore) -> None:
    """Of an error the difference is turned: positive still means that the challenger is better."""
    fill(store, range(3))
    paired = outcomes(store).paired(pair(champion=7, challenger=5), START + 3 * DAY)
    metric = row_metric("error_rate", "binary")
    assert metric is not None
    found = paired.compared(metric, lower_is_better=True, confidence=0.95, planned=100)
    assert (found.champion, found.challenger) == (pytest.approx(0.2), 0.0)
    assert found.difference == pytest.approx(0.2)


def test_only_what_happened_since_and_is_known_counts(store: LocalFeatureStore) -> None:
    """Rows before the rollout began are none of its evidence, nor are those whose labels are still to come."""
    fill(store, range(10), known_after=2 * DAY)
    paired = outcomes(store).paired(pair(since=START + 3 * DAY), START + 8 * DAY)
    known = 3 * 20 + 1  # of the sixth day the first is known by its very beginning
    assert len(paired.times_us) == known
    assert paired.since(START + 5 * DAY) == known - 2 * 20


def test_rows_come_as_their_labels_became_known(store: LocalFeatureStore) -> None:
    """What was known at one look is the beginning of what is known at each later one, however late labels are."""
    generator = np.random.default_rng(3)
    writes = []
    for number in range(200):
        time = START + number * HOUR
        writes.append(Write(f"t{number}", "left", float(number % 10), time, time))
        late = timedelta(hours=int(generator.integers(0, 200)))
        writes.append(Write(f"t{number}", "label", float(generator.integers(0, 2)), time, time + late))
    store.write(writes)
    looks = [outcomes(store).paired(pair(), START + hours * HOUR) for hours in (60, 150, 300, 500)]
    for before, after in pairwise(looks):
        seen = len(before.times_us)
        assert 0 < seen < len(after.times_us)
        assert after.times_us[:seen].tolist() == before.times_us.tolist()
        assert after.champion.truth[:seen].tolist() == before.champion.truth.tolist()


def test_a_row_is_scored_once(store: LocalFeatureStore) -> None:
    """A further look scores only what is new, and says what a look from the beginning says; asked to, it is one."""
    files = Files()
    fill(store, range(5))
    reader, asked = outcomes(store, files), pair(champion=7)
    reader.paired(asked, START + 5 * DAY)
    fill(store, range(5, 8))
    second = reader.paired(asked, START + 8 * DAY)
    assert [model.asked for model in files.loaded] == [160, 160]
    anew = outcomes(store).paired(asked, START + 8 * DAY)
    assert (compared(second), second.times_us.tolist()) == (compared(anew), anew.times_us.tolist())
    reader.paired(asked, START + 8 * DAY, fresh=True)
    assert [model.asked for model in files.loaded] == [320, 320]


def test_a_corrected_label_counts_as_corrected(store: LocalFeatureStore) -> None:
    """Labels are read at every look: a correction changes what the row says, though its answers are kept."""
    fill(store, range(2))
    reader = outcomes(store)
    before = compared(reader.paired(pair(), START + 2 * DAY))
    time = START + 3 * HOUR
    store.write([Write("t0-3", "label", 1.0, time, START + 1.5 * DAY)])
    after = compared(reader.paired(pair(), START + 2 * DAY))
    assert (before, after) == ((40, 1.0, 1.0), (40, 39 / 40, 39 / 40))


def test_another_challenger_is_another_pair(store: LocalFeatureStore) -> None:
    """What was scored for one rollout is not taken for the next one's."""
    fill(store, range(2))
    reader = outcomes(store)
    assert compared(reader.paired(pair(challenger=7), START + 2 * DAY))[2] == pytest.approx(0.8)
    assert compared(reader.paired(pair(challenger=5), START + 2 * DAY))[2] == 1.0


def test_without_rows_there_is_no_evidence(store: LocalFeatureStore) -> None:
    """Before any label is known nothing is compared, and nothing breaks."""
    paired = outcomes(store).paired(pair(), START)
    assert compared(paired) == (0, None, None)
    assert paired.since(START) == 0


def test_features_that_were_not_known_in_time_are_missing(store: LocalFeatureStore) -> None:
    """A row whose features came later is scored without them, as it would have been served."""
    store.write([Write("late", "left", 9.0, START, START + DAY), Write("late", "label", 1.0, START, START)])
    assert compared(outcomes(store).paired(pair(), START + 2 * DAY)) == (1, 0.0, 0.0)
    known = bee(respectKnownAt=False)
    assert compared(outcomes(store).paired(pair(spec=known), START + 2 * DAY)) == (1, 1.0, 1.0)


def test_a_model_that_is_gone_is_told(store: LocalFeatureStore) -> None:
    """Without its file nothing can be compared."""
    with pytest.raises(NotFound):
        outcomes(store, Files(gone={"mem://7"})).paired(pair(challenger=7), START)


def test_reading_leaves_no_snapshots(store: LocalFeatureStore, tmp_path: Path) -> None:
    """However often a rollout is looked at, the store keeps nothing of it."""
    fill(store, range(3))
    for day in range(1, 4):
        outcomes(store).paired(pair(), START + day * DAY)
    with store._database.reading() as connection:
        assert connection.execute("SELECT count(*) FROM snapshot").fetchone() == (0,)


def test_a_model_that_cannot_answer_is_told(store: LocalFeatureStore) -> None:
    """Whatever it raises: the rollouts of others must not end with it."""
    fill(store, range(1))
    with pytest.raises(Rejected, match="version 2 of rolled cannot answer: ValueError"):
        outcomes(store).paired(pair(challenger=-1), START + DAY)


def test_numbers_are_compared_by_how_far_they_are_off(store: LocalFeatureStore) -> None:
    """Of a regression each row tells its absolute error."""
    fill(store, range(2))
    spec = bee(task="regression", metric="rmse")
    paired = outcomes(store).paired(pair(champion=7, spec=spec), START + 2 * DAY)
    metric = row_metric("mae", "regression")
    assert metric is not None
    found = paired.compared(metric, lower_is_better=True, confidence=0.95, planned=100)
    assert (found.champion, found.challenger, found.asymptotic) == (pytest.approx(0.2), 0.0, True)
    assert (found.lower, found.upper) == (None, None)  # of forty unbounded values nothing is proven


def rolled() -> Rollout:
    """Return a rollout of version 2 that began at the start, and compares accuracy."""
    return a_rollout(started_at=START, step_at=START, plan=RolloutSpec(strategy="canary"))


def heard_of(rollout: Rollout, samples: int) -> Rollout:
    """Return the rollout after events told of a window of both versions."""
    for version, value in (("1", 0.9), ("2", 0.8)):
        window = Window(version, "w", START + DAY, START, START + DAY, samples, {"accuracy": value})
        rollout = heard(rollout, window)[0]
    return rollout


def test_what_rests_on_more_counts(store: LocalFeatureStore) -> None:
    """Labelled rows, unless events tell of more; without any row events alone."""
    fill(store, range(2))
    paired = outcomes(store).paired(pair(), START + 2 * DAY)
    few, many = heard_of(rolled(), 10), heard_of(rolled(), 500)
    found = evidence(few, paired, START + 2 * DAY)
    assert (found.primary.source, found.primary.count, found.step_outcomes) == ("outcomes", 40, 40)
    found = evidence(many, paired, START + 2 * DAY)
    assert (found.primary.source, found.primary.count, found.step_outcomes) == ("events", 500, 500)
    assert evidence(few, None, START + 2 * DAY).primary.source == "events"


def test_guards_are_told_by_rows_where_they_can_be(store: LocalFeatureStore) -> None:
    """An error rate by the very same rows, with the sign that less is better; a latency by none of them."""
    fill(store, range(2))
    guards = {"error_rate": GuardMetric(margin=0.1), "latency_ms": GuardMetric(margin=1.0)}
    rollout = a_rollout(started_at=START, step_at=START, plan=RolloutSpec(strategy="canary", guards=guards))
    paired = outcomes(store).paired(pair(challenger=7), START + 2 * DAY)
    found = evidence(rollout, paired, START + 2 * DAY).guards
    assert found["error_rate"].difference == pytest.approx(-0.2)
    assert (found["error_rate"].source, found["latency_ms"].known) == ("outcomes", False)
