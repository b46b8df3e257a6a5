"""`monitor:` in files of features: which are watched, together, and how."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.schema import SHIPPED, load_feature_groups, load_features
from worker.errors import Rejected
from worker.features.port import Definition
from worker.monitor.feature_spec import FeatureMonitorSpec

FEATURES = "features:\n  - {name: age, entity: user, type: number}\n  - {name: rank, entity: user, type: string}\n"


def _write(directory: Path, name: str, text: str) -> Path:
    (directory / "features").mkdir(parents=True, exist_ok=True)
    (directory / "features" / f"{name}.yaml").write_text(text)
    return directory


def test_a_file_watches_its_own_features_or_those_it_names(tmp_path: Path) -> None:
    """What is not said has its default: windows as long as `every`, both references, a year and more of profiles."""
    _write(tmp_path, "user", f"{FEATURES}monitor: {{every: 7d, expect: 2d, drift: {{psi: 0.2}}}}\n")
    _write(tmp_path, "named", "monitor: {every: 1h, window: 1d, features: [age]}\n")
    _write(tmp_path, "whole", "monitor: {reference: [previous], features: all}\n")
    _write(tmp_path, "unwatched", "features:\n  - {name: size, entity: user, type: number}\n")
    named, user, whole = load_feature_groups([SHIPPED, tmp_path])
    assert (user.name, user.features, user.spec.length, user.spec.drift.psi) == (
        "user",
        ("age", "rank"),
        timedelta(days=7),
        0.2,
    )
    assert (named.features, named.spec.length, named.spec.reference) == (
        ("age",),
        timedelta(days=1),
        ("previous", "training"),
    )
    assert (whole.features, whole.spec.every, whole.spec.length) == (None, None, timedelta(days=1))
    definitions = {
        "age": Definition("age", "user", "number"),
        "size": Definition("size", "user", "number"),
        "twice": Definition("twice", "user", "number", source="computed", computation="age * 2"),
    }
    assert [[one.name for one in group.of(definitions)] for group in (user, whole)] == [["age"], ["age", "size"]]


def test_a_later_directory_replaces_a_file_of_the_same_name(tmp_path: Path) -> None:
    """One that says nothing of it stops the watching."""
    below = _write(tmp_path / "below", "user", f"{FEATURES}monitor: {{every: 7d}}\n")
    above = _write(tmp_path / "above", "user", FEATURES)
    assert [len(load_feature_groups(layers)) for layers in ([below], [below, above], [above, below])] == [1, 0, 1]
    assert set(load_features([below])) == {"age", "rank"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("features: []\n", "says nothing"),
        ("monitor: {every: 1d}\n", "names no features"),
        (f"{FEATURES}monitor: {{every: 0s}}\n", "every must be longer than nothing"),
        (f"{FEATURES}monitor: {{delay: soon}}\n", "not a duration"),
        (f"{FEATURES}monitor: {{every: 300d}}\n", "keep must be two windows or more"),
        (f"{FEATURES}monitor: {{reference: [yesterday]}}\n", "previous"),
        (f"{FEATURES}monitor: {{often: 1d}}\n", "often"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """Each fault is named with its file."""
    _write(tmp_path, "user", text)
    with pytest.raises(Rejected, match=words) as refused:
        load_feature_groups([tmp_path])
    assert "user.yaml" in str(refused.value)


def test_a_delay_cannot_be_negative() -> None:
    """A window is looked at when it has ended, not before."""
    with pytest.raises(ValueError, match="delay must not be negative"):
        FeatureMonitorSpec(delay=timedelta(hours=-1))
