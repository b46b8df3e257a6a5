"""`feature.found` through the real intake and ledger."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.worker import world
from tests.worker.world import BEE, NOW, message, now_for
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import FeatureRule, Policy
from worker.intake.port import Message
from worker.intake.receive import Received, Verdict, receive
from worker.models.port import Deployment
from worker.models.traffic import Traffic

POLICY = Policy(features=FeatureRule(trigger=("stale",)))


@pytest.fixture(name="ledger")
def _ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = world.new_ledger(tmp_path)
    world.put_into_production(ledger)
    yield ledger
    ledger.close()


def _data(**changes: Any) -> dict[str, Any]:
    common = {"beeId": BEE.bee, "modelVersion": "1", "feature": "spam_probability", "kinds": ["stale"]}
    return {**common, "evaluatedAt": "2002-10-01T00:00:00Z", **changes}


def _message(id_: str, body: dict[str, Any]) -> Message:
    sent = message(id_, body)
    return replace(sent, attributes={**sent.attributes, "ce-type": "feature.found"})


def _receive(ledger: SqlLedger, *bodies: dict[str, Any]) -> list[Received]:
    sent = [_message(f"f{number}", body) for number, body in enumerate(bodies)]
    return receive(sent, ledger, world.handlers(ledger, policy=POLICY), now_for)


def test_once_in_once_in_effect(ledger: SqlLedger) -> None:
    """Delivered twice it is one decision and one run, in a batch or not; a second feature joins the incident."""
    first, second = _receive(ledger, _data(), _data(feature="user_reputation_score"))
    (again, _) = _receive(ledger, _data(), _data(feature="user_reputation_score"))
    assert [item.verdict for item in (first, second, again)] == [Verdict.ACK] * 3
    said = [item.result and item.result["action"] for item in (first, second, again)]
    assert said == ["trigger", "attached", "duplicate"]
    with ledger.begin(write=False) as transaction:
        assert len(list(transaction.decisions.list())) == 2
        assert transaction.decisions.watermark(BEE.bee, "1") is None
        run = transaction.runs.in_flight(BEE.bee)
    assert run is not None
    assert run.reason.startswith("spam_probability: stale")


@pytest.mark.parametrize("change", [{"beeId": "nobody"}, {"kinds": ["odd"]}, {"feature": 7}])
def test_what_is_wrong_is_a_dead_letter(ledger: SqlLedger, change: dict[str, Any]) -> None:
    """An unknown bee, kind, or no feature at all."""
    (item,) = _receive(ledger, _data(**change))
    assert item.verdict is Verdict.DEAD_LETTER


def test_while_traffic_is_divided_it_begins_nothing(ledger: SqlLedger) -> None:
    """A rollout or a test goes on undisturbed; the finding is in the journal, and is no evidence of it."""
    with ledger.begin() as transaction:
        transaction.models.add(world.version("2"))
        shares = Traffic(split=(("1", 90), ("2", 10)))
        transaction.models.deploy(Deployment(BEE.bee, 2, "1", None, NOW, "a canary", None, divided=shares))
    (item,) = _receive(ledger, _data())
    assert item.result is not None
    assert (item.result["action"], item.result["runId"]) == ("none", None)
    assert "a rollout or a test is under way" in item.result["reason"]
