"""How predictions are logged follows the settings, and an app that closes leaves nothing in its queue."""

from datetime import timedelta
from pathlib import Path

import pytest

from config.settings import Settings, read_settings
from worker.adapters.features.local import LocalFeatureStore
from worker.app import App
from worker.app.predictions import logging_rules
from worker.bee import BeeSpec
from worker.clock import wall_clock
from worker.errors import Rejected
from worker.serving.log import Rules
from worker.serving.logged import Logged
from worker.serving.served import Answer, Served
from worker.serving.shadows import Entry

BEE = BeeSpec.model_validate(
    {"bee": "spam-guard", "entity": "content", "label": "label", "features": ["size"], "metric": "f1"}
)


def test_what_waits_is_stored_when_the_app_closes(tmp_path: Path) -> None:
    """The end of a process, which closes the app, stores each prediction that was served before."""
    app, now = App(Settings(home=tmp_path, predictions_seconds=3600), wall_clock), wall_clock()
    for number in range(3):
        served = Served("1", {"1": Answer(1.0, 0.5)}, {"size": 2.0})
        app.prediction_log.add(Entry(BEE, f"c{number}", now, served, {"size": 2.0}))
    counted = app.metrics
    app.close()

    store = LocalFeatureStore(tmp_path / "features", wall_clock)
    end = now + timedelta(seconds=1)
    assert [one.entity for one in Logged(store, BEE).predictions(now, end, end)] == ["c0", "c1", "c2"]
    assert {one.ttl for one in store.definitions()} == {timedelta(days=90)}
    assert 'colony_predictions_logged_total{bee="spam-guard"} 3' in counted.render()
    store.close()


@pytest.mark.parametrize(
    ("settings", "remote", "expected"),
    [
        ({}, False, Rules(1.0, 10_000, timedelta(days=90), 1.0)),
        ({}, True, Rules(1.0, 10_000, timedelta(days=90), 60.0)),
        (
            {"predictions_logged": 0.1, "predictions_queue": 5, "predictions_days": 0, "predictions_seconds": 7},
            True,
            Rules(0.1, 5, None, 7.0),
        ),
    ],
)
def test_the_settings_say_how(settings: dict[str, float], remote: bool, expected: Rules) -> None:  # noqa: FBT001
    """Share, queue, days and seconds are settings; a store behind a network is written to less often."""
    assert logging_rules(Settings(**settings), remote=remote) == expected  # type: ignore[arg-type]


def test_a_share_of_nothing_logs_nothing(tmp_path: Path) -> None:
    """With a share of 0 there is no log, and nothing is defined."""
    app = App(Settings(home=tmp_path, predictions_logged=0), wall_clock)
    assert not app.prediction_log.on
    assert not app.prediction_log.wants("c1", wall_clock())
    app.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COLONY_PREDICTIONS_LOGGED", "1.5"),
        ("COLONY_PREDICTIONS_QUEUE", "0"),
        ("COLONY_PREDICTIONS_DAYS", "-1"),
        ("COLONY_PREDICTIONS_SECONDS", "soon"),
    ],
)
def test_what_makes_no_sense_is_refused(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong value stops the start, with the variable in the reason."""
    monkeypatch.setenv(name, value)
    with pytest.raises(Rejected, match=name):
        read_settings(local=True)
