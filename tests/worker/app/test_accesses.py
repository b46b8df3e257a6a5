"""Which loops the settings ask for, and how the skew guard and the disk policy reach their parts."""

from pathlib import Path

import pytest

from config.settings import Settings
from worker.app import App
from worker.clock import wall_clock
from worker.errors import Rejected
from worker.features.skew import Guard


def loops(tmp_path: Path, **settings: object) -> set[str]:
    """Return the names of an app's loops."""
    app = App(Settings(home=tmp_path, **settings), wall_clock)  # type: ignore[arg-type]
    try:
        return {loop.name for loop in app.loops()}
    finally:
        app.close()


def test_reads_are_announced_unless_that_is_switched_off(tmp_path: Path) -> None:
    """A share of nothing has no loop."""
    assert "colony-accesses" in loops(tmp_path)
    assert "colony-accesses" not in loops(tmp_path, features_accessed=0)


@pytest.mark.parametrize("word", ["auto", "refuse", "warn"])
def test_the_skew_guard_is_a_setting(tmp_path: Path, word: str) -> None:
    """COLONY_SKEW reaches the predictions."""
    app = App(Settings(home=tmp_path, skew=word), wall_clock)
    assert app.predictions._guard is Guard(word)
    app.close()


def test_the_disk_policy_is_a_setting_for_steps_too(tmp_path: Path) -> None:
    """COLONY_FEATURES_SYNC reaches the store of this process, and those of its steps."""
    app = App(Settings(home=tmp_path, features_sync="normal"), wall_clock)
    assert app.features._database._sync == "normal"  # type: ignore[attr-defined]
    assert app.step_environment["COLONY_FEATURES_SYNC"] == "normal"
    app.close()


@pytest.mark.parametrize("name", ["COLONY_SKEW", "COLONY_FEATURES_SYNC", "COLONY_FEATURES_ACCESSED"])
def test_another_word_is_refused_by_the_variables_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error stops the start, with the variable in the reason."""
    from config.settings import read_settings

    monkeypatch.setenv(name, "sometimes")
    with pytest.raises(Rejected, match=name):
        read_settings()
