import json
from decimal import Decimal

from tests.worker.world import BEE, NOW
from worker.decide.course import Course, Situation
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
    situation = Situation(BEE, Policy(), NOW)
    decision = decide(evaluation, History(known=True, champion="1"), Course(), situation, "i1").decision

    entry = recorded("//m", "e1", evaluation, decision, "p1", NOW, run_id="r1", incident_id="i1")

    shown = json.loads(json.dumps(printed(entry), allow_nan=False))
    assert shown["rules"][0]["inputs"]["value"] == 0.45
    assert [(rule["name"], rule["outcome"], rule["fired"]) for rule in shown.pop("rules")] == [
        ("performance_drop", "fired", True),
        ("drift_severity", "undefined", False),
        ("vote", "passed", False),
        ("arming", "passed", False),
        ("mode", "passed", False),
        ("one_run_per_bee", "passed", False),
        ("pause", "off", False),
        ("colony_pause", "off", False),
        ("cooldown", "off", False),
        ("breaker", "off", False),
        ("colony_breaker", "off", False),
        ("nothing_new", "off", False),
        ("concurrent_runs", "off", False),
        ("approval", "off", False),
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
