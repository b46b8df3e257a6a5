from typing import Any

import pytest

from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline
from tests.worker import world
from tests.worker.world import BEE, BEES, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Rejected
from worker.runs.lifecycle import Run

TEMPLATES = {"auto-retrain": world.template(), "scores": world.template("scores", deploys=False)}


def _trigger(ledger: SqlLedger, template: str, key: str, **parameters: Any) -> Run:
    command = TriggerPipeline(template, BEE.bee, NOW, key, parameters=parameters)
    return trigger_pipeline(command, ledger, BEES, TEMPLATES, NOW)


@pytest.mark.parametrize(
    ("parameters", "field"), [({"dept": 1}, "parameters.dept"), ({"depth": "deep"}, "parameters.depth")]
)
def test_wrong_parameters(ledger: SqlLedger, parameters: dict[str, Any], field: str) -> None:
    """An unknown parameter, or a value of another type, is refused by its name, and nothing is stored."""
    with pytest.raises(Rejected) as caught:
        _trigger(ledger, "auto-retrain", "k", **parameters)

    assert caught.value.field == field
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.list() == []


def test_beside_the_slot(ledger: SqlLedger) -> None:
    """Runs of a template that makes no model neither wait for the bee's slot nor take it."""
    scores = [_trigger(ledger, "scores", "1")]
    retrain = _trigger(ledger, "auto-retrain", "2")
    scores.append(_trigger(ledger, "scores", "3"))

    assert [run.loop for run in scores] == [False, False]
    with ledger.begin(write=False) as transaction:
        assert transaction.runs.in_flight(BEE.bee) == retrain
