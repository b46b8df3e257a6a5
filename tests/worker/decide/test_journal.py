import json
from decimal import Decimal

from tests.worker.world import BEE, NOW
from worker.decide.decision import History, decide
from worker.decide.evaluation import parse_evaluation
from worker.decide.journal import printed, recorded
from worker.decide.policy import Policy


def test_the_published_form() -> None:
    """An entry is printed with the fields that scripts rely on, as plain JSON values."""
    body = {
        "beeId": BEE.bee,
        "modelVersion": 1,
        "metrics": {"f1": Decimal("0.45")},
        "baseline": {"f1": Decimal("0.9")},
        "unknown": [Decimal("1.5"), {"kept": None}],
    }
    evaluation = parse_evaluation(body, event_time=NOW)
    decision = decide(evaluation, History(known=True, champion="1"), BEE, Policy(), NOW)

    entry = recorded("//m", "e1", evaluation, decision, "p1", NOW, run_id="r1", incident_id="i1")

    shown = json.loads(json.dumps(printed(entry), allow_nan=False))
    assert shown["rules"][0]["inputs"]["value"] == 0.45
    assert [(rule["name"], rule["fired"]) for rule in shown.pop("rules")] == [
        ("performance_drop", True),
        ("drift_severity", False),
    ]
    assert shown == {
        "eventId": "e1",
        "source": "//m",
        "beeId": "spam-guard",
        "modelVersion": "1",
        "evaluatedAt": "2002-10-01T12:00:00Z",
        "decidedAt": "2002-10-01T12:00:00Z",
        "action": "trigger",
        "reason": "f1 0.45 against 0.9: 50.0% worse, more than 20.0%",
        "runId": "r1",
        "incidentId": "i1",
        "policyVersion": "p1",
    }
    assert entry.evaluation["unknown"] == [1.5, {"kept": None}]
