from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.worker import world
from tests.worker.world import BEE, BEES, NOW, data, healthy, message, plain
from worker.adapters.ledger.sql import SqlLedger
from worker.engine.state import Status
from worker.incidents import machine
from worker.incidents.machine import Incident, State
from worker.intake.envelope import open_envelope
from worker.intake.port import Message
from worker.intake.receive import Verdict, receive
from worker.runs.lifecycle import Run, concluded
from worker.runs.lifecycle import Verdict as RunVerdict


@pytest.fixture(name="live")
def _live(ledger: SqlLedger) -> SqlLedger:
    world.put_into_production(ledger)
    return ledger


def _send(ledger: SqlLedger, *messages: Message, bees: Any = BEES) -> list[Any]:
    received = receive(messages, ledger, world.handlers(ledger, bees), world.now_for)
    assert [item.verdict for item in received] == [Verdict.ACK] * len(messages)
    return [item.result for item in received]


def _at(minutes: int, **changes: Any) -> dict[str, Any]:
    moment = NOW - timedelta(days=1) + timedelta(minutes=minutes)
    return data(evaluatedAt=moment.isoformat(), **changes)


def _incident(ledger: SqlLedger) -> Incident:
    with ledger.begin(write=False) as transaction:
        (found,) = transaction.incidents.list(BEE.bee)
    assert isinstance(found, Incident)
    return found


def _settle(ledger: SqlLedger, run: Run, verdict: RunVerdict, state: State) -> None:
    """End a run and take its incident on, as *settle* does."""
    with ledger.begin() as transaction:
        transaction.runs.save(concluded(replace(run, status=Status.SUCCEEDED), verdict, None))
        transaction.incidents.save(machine.settled(_incident_of(transaction), state, "so", run.id, NOW))


def _incident_of(transaction: Any) -> Incident:
    found = transaction.incidents.open_for(BEE.bee)
    assert isinstance(found, Incident)
    return found


def _runs(ledger: SqlLedger) -> list[Run]:
    with ledger.begin(write=False) as transaction:
        return list(reversed(transaction.runs.list(bee=BEE.bee)))


def test_a_trigger_leaves_everything_in_one_transaction(live: SqlLedger) -> None:
    """A bad evaluation leaves its decision, an incident, a PENDING run of it, and the two events that say so."""
    (result,) = _send(live, message("e1"))

    run, incident = world.only_run(live), _incident(live)
    assert (result["action"], result["runId"], result["incidentId"]) == ("trigger", run.id, incident.id)
    assert (run.status, run.incident_id, run.attempt, run.trigger) == (Status.PENDING, incident.id, 1, "drift")
    assert run.as_of.isoformat() == "2002-10-01T00:00:00+00:00"
    assert run.id.startswith("auto-retrain-spam-guard-")
    assert (incident.state, incident.id) == (State.RETRAINING, machine.incident_id(BEE.bee, "//monitor", "e1"))
    assert world.event_types(live) == ["incident.opened", "pipeline.run.requested"]
    with live.begin(write=False) as transaction:
        (entry,) = transaction.decisions.list()
    assert (entry.action, entry.run_id, entry.evaluation["beeId"]) == ("trigger", run.id, BEE.bee)


def test_all_or_nothing(live: SqlLedger) -> None:
    """If the transaction does not commit, nothing of a trigger is left, and the same event triggers again."""
    handler, event = world.handlers(live)["model.evaluated"], open_envelope(message("e1"))

    def crash() -> None:
        with live.begin() as transaction:
            handler.apply(event, handler.parse(event, NOW), transaction, NOW)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        crash()

    assert _runs(live) == []
    assert world.event_types(live) == []
    assert _send(live, message("e1"))[0]["action"] == "trigger"


def test_fifty_times_is_once(live: SqlLedger) -> None:
    """The same event again is told as a duplicate, with what was decided, and changes nothing."""
    results = [_send(live, message("e1"))[0] for _ in range(5)]

    assert [one["action"] for one in results] == ["trigger"] + ["duplicate"] * 4
    assert {one["runId"] for one in results} == {world.only_run(live).id}
    assert "delivered before; then: f1 0.45 against 0.9" in results[1]["reason"]
    assert len(world.event_types(live)) == 2


def test_a_second_bad_evaluation_joins(live: SqlLedger) -> None:
    """While the retrain is in flight the next bad evaluation joins its incident."""
    first, second = _send(live, message("e1", _at(0)), message("e2", _at(1)))

    assert (first["action"], second["action"]) == ("trigger", "attached")
    assert second["incidentId"] == first["incidentId"]
    assert len(_runs(live)) == 1
    assert [entry["what"] for entry in _incident(live).story] == ["opened", "retraining", "attached"]


def test_after_a_refused_run_comes_the_next_attempt(live: SqlLedger) -> None:
    """A bad evaluation after a refused retrain is attempt 2 of the same incident: another run, the same episode."""
    _send(live, message("e1", _at(0)))
    _settle(live, _runs(live)[0], RunVerdict.REJECTED, State.REFUSED)

    (again,) = _send(live, message("e2", _at(1)))

    first, second = sorted(_runs(live), key=lambda run: run.attempt)
    assert again["action"] == "trigger"
    assert (first.attempt, second.attempt) == (1, 2)
    assert first.incident_id == second.incident_id
    assert first.id != second.id == again["runId"]
    assert (_incident(live).state, _incident(live).attempt) == (State.RETRAINING, 2)


def test_a_healthy_evaluation_closes_the_incident(live: SqlLedger) -> None:
    """A healthy evaluation of the new model closes the incident; the next bad one is a new episode."""
    (opened,) = _send(live, message("e1", _at(0)))
    world.put_into_production(live, "2")
    _settle(live, _runs(live)[0], RunVerdict.DEPLOYED, State.DEPLOYED)

    (closed,) = _send(live, message("e2", healthy(modelVersion="2", evaluatedAt=_at(1)["evaluatedAt"])))

    assert (closed["action"], closed["incidentId"]) == ("none", opened["incidentId"])
    assert _incident(live).state is State.CLOSED
    assert world.event_types(live)[-1] == "incident.closed"

    (new,) = _send(live, message("e3", _at(2, modelVersion="2")))
    assert new["action"] == "trigger"
    assert new["incidentId"] != opened["incidentId"]


def test_a_healthy_evaluation_while_retraining_is_noted(live: SqlLedger) -> None:
    """A good window while the run is in flight does not close the incident under it."""
    _send(live, message("e1", _at(0)), message("e2", healthy(evaluatedAt=_at(1)["evaluatedAt"])))

    assert _incident(live).state is State.RETRAINING
    assert [entry["what"] for entry in _incident(live).story] == ["opened", "retraining", "healthy"]


def test_no_evidence_heals_nothing(live: SqlLedger) -> None:
    """An undefined metric with quiet drift neither triggers nor closes, if the metric was told; it is recorded."""
    _send(live, message("e1", _at(0)))
    _settle(live, _runs(live)[0], RunVerdict.REJECTED, State.REFUSED)

    (result,) = _send(live, message("e2", _at(1, metrics={"f1": None})))

    assert result["action"] == "none"
    assert "no evidence" in result["reason"]
    assert _incident(live).state is State.REFUSED


def test_a_manual_run_in_flight_holds_back(live: SqlLedger) -> None:
    """While an operator's run is in flight nothing else is started; the incident waits for its end."""
    run = world.ask_for_run(live)

    (result,) = _send(live, message("e1"))

    assert result["action"] == "held"
    assert run.id in result["reason"]
    assert len(_runs(live)) == 1
    assert _incident(live).state is State.OPEN
    assert run.id in str(_incident(live).waiting)


def test_observe_journals_only(live: SqlLedger) -> None:
    """A bee in mode observe gets its decisions, and nothing is launched."""
    observed = {BEE.bee: BEE.model_copy(update={"mode": "observe"})}

    (result,) = _send(live, message("e1"), bees=observed)

    assert result["action"] == "held"
    assert _runs(live) == []
    assert world.event_types(live) == []


def test_out_of_order(live: SqlLedger) -> None:
    """An evaluation older than the newest judged is stale, and moves nothing; the order is per version."""
    _send(live, message("e1", healthy(evaluatedAt=_at(5)["evaluatedAt"])))

    (stale,) = _send(live, message("e2", _at(4)))
    (judged,) = _send(live, message("e3", _at(6)))

    assert (stale["action"], judged["action"]) == ("stale", "trigger")


def test_the_future_is_refused(live: SqlLedger) -> None:
    """An evaluation ahead of the clock is refused and moves no watermark."""
    ahead = (NOW + timedelta(minutes=6)).isoformat()

    (refused,) = _send(live, message("e1", data(evaluatedAt=ahead)))
    (judged,) = _send(live, message("e2"))

    assert (refused["action"], judged["action"]) == ("refused", "trigger")


@pytest.mark.parametrize(("number", "action"), [("9", "refused"), ("2", "none")])
def test_other_versions(live: SqlLedger, number: str, action: str) -> None:
    """An unknown version is refused and acknowledged, one that is not live is recorded; neither moves anything."""
    with live.begin() as transaction:
        transaction.models.add(world.version("2"))

    (result,) = _send(live, message("e1", data(modelVersion=number)))

    assert result["action"] == action
    assert _runs(live) == []


def test_the_recorded_evaluation_is_the_baseline(live: SqlLedger) -> None:
    """An evaluation without a baseline is compared with the champion's own, from its registration."""
    (result,) = _send(live, message("e1", data(baseline={})))

    assert result["action"] == "trigger"
    assert result["rules"][0]["inputs"]["baselineFrom"] == "the version's recorded evaluation"


def test_the_missions_own_example(live: SqlLedger) -> None:
    """The plainest event there is, drift with neither id nor time, is a trigger; a redelivery of it is a duplicate."""
    body = {
        "type": "model.evaluated",
        "beeId": BEE.bee,
        "modelVersion": "1",
        "drift": {"detected": True, "severity": "high"},
    }

    first, again, later = _send(live, plain(body, "m1"), plain(body, "m1"), plain(body, "m2"))

    assert [one["action"] for one in (first, again, later)] == ["trigger", "duplicate", "attached"]


def test_a_decision_about_an_unusual_id(live: SqlLedger) -> None:
    """An id of any printable letters is kept as it is, in the journal and in what is printed."""
    (result,) = _send(live, message("蜂-ünïcødé 🐝"))

    assert result["eventId"] == "蜂-ünïcødé 🐝"
    with live.begin(write=False) as transaction:
        assert transaction.decisions.get("//monitor", "蜂-ünïcødé 🐝") is not None
