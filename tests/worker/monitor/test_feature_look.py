"""A look at features through a real store: profiles instead of rows, training snapshots, what was served."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.worker.monitor.watched import DAY, START, bee, fill, store_in, version
from tests.worker.serving.logs import log
from worker.adapters.features.local import LocalFeatureStore
from worker.bee import DriftSpec
from worker.features.port import Definition, LabelWindow, TrainingRequest, Write
from worker.models.port import ModelVersion
from worker.monitor.feature_look import Look, Seen
from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec
from worker.monitor.period import Period
from worker.monitor.profile import Profile

SPEC = FeatureMonitorSpec(window=7 * DAY, drift=DriftSpec(min_rows=20))
GROUP = FeatureGroup("things", SPEC, ("left", "colour"))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """Give a store without values."""
    opened = store_in(tmp_path)
    yield opened
    opened.close()


def _look(store: LocalFeatureStore, day: int, kept: Mapping[tuple[str, str], Profile] = {}, **changes: object) -> Seen:
    end = START + day * DAY
    look = Look(store, GROUP, Period(end - 7 * DAY, end), end, lambda *key: kept.get(key))
    return replace(look, **changes).see()  # type: ignore[arg-type]


def _by_name(seen: Seen) -> dict[str, tuple[str, ...]]:
    return {state.definition.name: tuple(one.kind for one in state.all) for state in seen.states}


def _kept(seen: Seen) -> dict[tuple[str, str], Profile]:
    return {(profile.feature, profile.period): profile for profile in seen.profiles}


def test_the_kept_period_says_what_its_rows_say(store: LocalFeatureStore) -> None:
    """With profiles of the week before the answer is the same, and its rows need not be there any more."""
    fill(store, range(7))
    fill(store, range(7, 14), shift=8)
    first = _look(store, 7)
    assert {profile.feature for profile in first.profiles} == {"left", "colour", "label"}
    again, alone = _look(store, 14), _look(store, 14, _kept(first))
    assert _by_name(again) == _by_name(alone) == {"left": ("drifted",), "colour": ()}
    assert [state.column for state in again.states] == [state.column for state in alone.states]
    emptied = {key: replace(profile, known=70, entities=35) for key, profile in _kept(first).items()}
    # What is said of the period before is what was kept of it, not what is stored.
    assert _look(store, 14, emptied).states[0].column.missing[0] == 0.5


def test_a_profile_that_is_lost_is_made_up_for(store: LocalFeatureStore) -> None:
    """Without one feature's profile the rows of all of its entity are read again: who was seen is told by all."""
    fill(store, range(7))
    fill(store, range(7, 14), shift=8)
    kept = _kept(_look(store, 7))
    del kept["left", "2024-01-01..2024-01-08"]
    assert [state.column for state in _look(store, 14, kept).states] == [
        state.column for state in _look(store, 14).states
    ]


def test_only_what_is_asked_for_is_compared(store: LocalFeatureStore) -> None:
    """`reference: [training]` says nothing of the period before, freshness and range aside."""
    fill(store, range(7))
    fill(store, range(7, 14), shift=8)
    group = replace(GROUP, spec=SPEC.model_copy(update={"reference": ("training",)}))
    seen = _look(store, 14, group=group)
    assert _by_name(seen) == {"left": (), "colour": ()}
    assert seen.states[0].counts == (0, 70)


def test_what_is_computed_from_a_feature_is_told(store: LocalFeatureStore) -> None:
    """A computed feature that stands on another computed one depends on what both are made of."""
    store.define(Definition("twice", "thing", "number", source="computed", computation="left * 2"))
    store.define(Definition("more", "thing", "number", source="computed", computation="twice + 1"))
    fill(store, range(7))
    assert {name: sorted(fed) for name, fed in _look(store, 7).feeds.items()} == {"left": ["more", "twice"]}


def _trained(store: LocalFeatureStore) -> ModelVersion:
    request = TrainingRequest("thing", ("left", "colour"), label=LabelWindow("label", START, START + 7 * DAY))
    return version(snapshotId=store.training_read(request).snapshot_id)


def test_the_window_is_compared_with_what_models_learned_from(store: LocalFeatureStore) -> None:
    """A shift that was there the week before, too, is no drift, but the model has never seen it."""
    fill(store, range(7), labels_after=timedelta(0))
    champion = _trained(store)
    fill(store, range(7, 21), shift=8)
    spec = bee()
    seen = _look(store, 21, champions=[(spec, champion)])
    assert _by_name(seen) == {"left": ("unlikeTraining",), "colour": ()}
    (finding,) = seen.states[0].found
    assert (finding.bee, finding.version) == ("watched", "1")
    assert "unlike what version 1 of watched learned from" in finding.words
    # The snapshot's own profile stands for it from now on.
    kept = {key: one for key, one in _kept(seen).items() if one.period.startswith("snapshot:")}
    assert {name for name, _ in kept} == {"left", "colour"}
    gone = replace(champion, lineage={"snapshotId": champion.lineage["snapshotId"]})
    assert _by_name(_look(store, 21, kept, champions=[(spec, gone)])) == _by_name(seen)
    assert not [one for one in _look(store, 21, kept, champions=[(spec, gone)]).profiles if one.period in dict(kept)]


def test_what_is_computed_is_looked_at_for_who_reads_it(store: LocalFeatureStore) -> None:
    """Unlike what was learned it is told under its own name, and clean it is told, too: that ends the finding."""
    store.define(Definition("twice", "thing", "number", source="computed", computation="left * 2"))
    fill(store, range(7), labels_after=timedelta(0))
    request = TrainingRequest("thing", ("left", "twice"), label=LabelWindow("label", START, START + 7 * DAY))
    champion = version(snapshotId=store.training_read(request).snapshot_id)
    fill(store, range(7, 14), shift=8)
    fill(store, range(14, 21))
    spec = bee().model_copy(update={"features": ("left", "twice")})
    seen = [_by_name(_look(store, day, champions=[(spec, champion)])) for day in (14, 21)]
    assert seen[0] == {"left": ("drifted", "unlikeTraining"), "twice": ("unlikeTraining",), "colour": ()}
    assert seen[1] == {"left": ("drifted",), "twice": (), "colour": ()}


def test_a_snapshot_that_is_gone_stops_nothing(store: LocalFeatureStore) -> None:
    """What cannot be compared is left out; the rest is told."""
    fill(store, range(7))
    fill(store, range(7, 14), shift=8)
    seen = _look(store, 14, champions=[(bee(), version(snapshotId="nobody")), (bee(), version())])
    assert _by_name(seen) == {"left": ("drifted",), "colour": ()}


def test_what_is_served_otherwise_than_stored_is_skewed(store: LocalFeatureStore) -> None:
    """It is told for the bee that was served; the log of predictions is none of the features that are looked at."""
    spec = bee(drift={"minRows": 5})
    fill(store, range(14))
    for number in range(20):
        time = START + 10 * DAY + number * timedelta(minutes=10)
        log(store, spec, f"t9-{number % 10}", time, features={"left": -1.0, "colour": "red" if number % 2 else "blue"})
    whole = replace(GROUP, features=None, spec=SPEC)
    seen = _look(store, 14, group=whole, champions=[(spec, version())])
    assert _by_name(seen) == {"left": ("skewed",), "colour": (), "label": ()}
    (finding,) = seen.states[0].found
    assert (finding.bee, finding.words) == ("watched", "20 of 20 reads by watched differ from the training values")
    assert {profile.feature for profile in seen.profiles} == {"left", "colour", "label"}
    assert _by_name(_look(store, 14, group=whole))["left"] == ()


def test_what_comes_after_the_look_does_not_count(store: LocalFeatureStore) -> None:
    """With a delay the window may have values that were known by the look; later ones are not there."""
    fill(store, range(7))
    end = START + 14 * DAY
    late = [Write(f"late{n}", "left", 1.0, end - DAY, end + n * timedelta(hours=1)) for n in range(48)]
    store.write(late)
    look = Look(store, GROUP, Period(end - 7 * DAY, end), end + DAY)
    counts = {state.definition.name: state.counts for state in look.see().states}
    assert counts["left"] == (70, 25)
