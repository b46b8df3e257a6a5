from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from handlers.commands.predict import PredictionServer
from tests.worker import world
from tests.worker.steps.trainers.conftest import ti_guy_chat
from worker.errors import Rejected
from worker.models.shown import settings_in_force, settings_of


def test_settings_in_production_are_told() -> None:
    """The version of a bee that generates text is its settings; any other model has none."""
    version = world.version()
    lineage = {"algorithm": "generation", "hyperparameters": {"model": "small", "temperature": 0.1}}

    assert settings_of(replace(version, lineage=lineage)) == {"model": "small", "temperature": 0.1}
    assert settings_of(version) is None


def test_settings_before_anything_was_learned() -> None:
    """A bee without a champion answers with its file's settings; one with a model of another kind has none."""
    lineage = {"algorithm": "generation", "hyperparameters": {"model": "large"}}
    champion = replace(world.version(), lineage=lineage)
    bee = ti_guy_chat()

    before = settings_in_force(bee, None)
    assert before is not None
    assert (before["model"], before["maxTokens"]) == ("small", 50)
    assert settings_in_force(bee, champion) == {"model": "large"}
    assert settings_in_force(world.BEE, None) is None
    assert settings_in_force(world.BEE, world.version()) is None


def test_settings_predict_nothing() -> None:
    """A prediction asked of a bee that generates text is refused with where its settings are."""
    nothing: Any = None
    server = PredictionServer(nothing, nothing, nothing, nothing)

    with pytest.raises(Rejected, match="GET models/ti-guy-chat"):
        server.predict(ti_guy_chat(), datetime(2026, 11, 20, tzinfo=UTC), features={})
