"""Why, in words: from the answer alone a newcomer can say why a run did or did not happen, and what comes next."""

import pytest

from handlers.commands.answer_question import answer_question
from handlers.commands.pause import pause, resume
from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE
from worker.decide.policy import Approval, FeatureRule, Policy, Retry
from worker.engine.state import Status
from worker.errors import NotFound
from worker.monitor.finding import FeatureFindings, Finding
from worker.runs.explain import Explainer
from worker.runs.explanation import Explanation, printed

BAD = "f1 0.45 against 0.9: 50.0% worse, more than 20.0%"


def _why(colony: Colony, subject: str) -> Explanation:
    with colony.ledger.begin(write=False) as transaction:
        (found,) = Explainer(transaction, colony.bees, colony.policy, colony.now).explain(subject)
    return found


def _said(explanation: Explanation) -> str:
    return " ".join(explanation.summary)


def _outcomes(explanation: Explanation) -> dict[str, str]:
    return {line.name: line.outcome for section in explanation.sections for line in section.lines}


def test_an_event_that_triggered(colony: Colony) -> None:
    """The rule that fired, every guard that let through, and the run that followed."""
    colony.evaluate()

    found = _why(colony, "e1")

    assert found.kind == "event"
    assert "It triggered a retrain (version 1 of spam-guard" in _said(found)
    assert f"Because: {BAD}." in _said(found)
    assert f"Run {colony.runs()[0].id} began." in _said(found)
    outcomes = _outcomes(found)
    assert (outcomes["performance_drop"], outcomes["drift_severity"]) == ("fired", "undefined")
    assert (outcomes["vote"], outcomes["arming"], outcomes["mode"]) == ("passed", "passed", "passed")
    titles = [section.title for section in found.sections]
    assert titles[:2] == ["What the rules said", "Taken together"]
    assert found.following == "The run of attempt 1 is in flight; its gate decides."


def test_an_event_that_did_not(colony: Colony) -> None:
    """No reason, and with which numbers."""
    colony.evaluate(metrics={"f1": 0.89})

    found = _why(colony, "e1")

    assert "It did not retrain: there was no reason to" in _said(found)
    assert "f1 0.89 against 0.9: 1.1% worse, within tolerance" in _said(found)
    (line,) = [line for line in found.sections[0].lines if line.name == "performance_drop"]
    assert (line.inputs["value"], line.inputs["baseline"], line.inputs["threshold"]) == (0.89, 0.9, 0.2)
    assert found.following == "The next evaluation of spam-guard is judged by the same rules."


def test_an_event_that_was_held_back(colony: Colony) -> None:
    """What held it, and what became of it once that was over."""
    pause(colony.operator(), BEE.bee, "moving house")
    colony.evaluate()
    held = _why(colony, "e1")
    assert "There was a reason to retrain, but it was held back" in _said(held)
    assert "paused by ann (moving house) until it is resumed" in _said(held)
    assert held.following.startswith("Attempt 1 of 3 waits: paused by ann (moving house) until it is resumed.")
    colony.now += HOUR
    resume(colony.operator("bob"), BEE.bee)
    colony.pass_time()

    found = _why(colony, "e1")

    (section,) = [one for one in found.sections if one.title == "What became of what was held back"]
    assert section.lines[0].why == f"attempt 1 began 2002-10-01T13:00:00Z: run {colony.runs()[0].id}"


def test_a_run_that_time_began(colony: Colony) -> None:
    """A second attempt: what the first came to, what it waited for, and what had been checked."""
    colony.policy = Policy(retry=Retry(backoff=HOUR))
    colony.labels = 0
    colony.evaluate()
    colony.refuse_run()
    colony.pass_time(HOUR)
    colony.labels = 12
    (run,) = colony.pass_time(HOUR)

    found = _why(colony, run.id)

    assert "Attempt 2 of incident" in _said(found)
    assert f"Because: {BAD}." in _said(found)
    assert "It had waited since 2002-10-01T13:00:00Z: nothing new: no label has become known" in _said(found)
    assert _outcomes(found)["nothing_new"] == "passed"
    story = [line.outcome for line in found.sections[-1].lines]
    assert story == ["opened", "retraining", "refused", "held", "held", "retraining"]


def test_a_run_that_a_person_asked_for(colony: Colony) -> None:
    """By hand, or by approval: by whom, and with which words."""
    run = world.ask_for_run(colony.ledger)
    assert "It was asked for by hand: a test." in _said(_why(colony, run.id))
    colony.end_run(status=Status.FAILED)
    assert "It failed: it broke" in _said(_why(colony, run.id))
    colony.policy = Policy(approval=Approval(runs="always"))
    colony.evaluate()
    answer_question(colony.operator("bob"), colony.questions()[0].id, approve=True, reason="go")

    found = _why(colony, next(run.id for run in colony.runs() if run.trigger == "drift"))

    assert "bob approved it 2002-10-01T12:00:00Z: go." in _said(found)


def test_a_bee(colony: Colony) -> None:
    """What is in production, how it was found last, where its incident stands, and every guard as it is now."""
    pause(colony.operator(), None, "a release", colony.now + HOUR)
    colony.evaluate()

    found = _why(colony, BEE.bee)

    assert "In production: version 1 since" in _said(found)
    assert "Newest evaluation: e1" in _said(found)
    assert "is open, no attempt has begun." in _said(found)
    assert _outcomes(found)["colony_pause"] == "held"
    assert printed(found)["sections"][-1]["lines"][0]["outcome"] == "opened"
    assert "It was never evaluated." in _said(_why(colony, "other-bee"))


def test_a_bee_whose_feature_is_broken(colony: Colony) -> None:
    """What would hold a retrain back now is told by the feature's name, where the policy asks for it."""
    found = FeatureFindings("spam_probability", colony.now - HOUR, colony.now, (Finding("stale", "it is old"),))
    with colony.ledger.begin() as transaction:
        transaction.features.found(found)
    assert "features" not in _outcomes(_why(colony, BEE.bee))
    colony.policy = Policy(features=FeatureRule(hold=("stale",)))
    lines = [line for section in _why(colony, BEE.bee).sections for line in section.lines if line.name == "features"]
    assert [(line.outcome, line.why) for line in lines] == [
        ("held", "never trained on a broken feature: spam_probability: it is old")
    ]
    colony.evaluate()
    guards = _why(colony, "e1").sections[-1]
    assert guards.title.startswith("What may hold a retrain back")
    assert [line.name for line in guards.lines if line.outcome == "held"] == ["features"]


def test_a_deployment_that_waits(colony: Colony) -> None:
    """The next thing is a person's, and the words to type are there."""
    colony.policy = Policy(approval=Approval(deployments="always"))
    colony.evaluate()
    run = colony.end_run()

    found = _why(colony, run.id)

    question = colony.questions()[0].id
    assert "Its model passed its gate: it waits for a person's approval: f1 0.800 → 0.930" in _said(found)
    assert f"`colony approvals approve {question}`, or refuse" in found.following
    assert "Silence until 2002-10-02T12:00:00Z means refuse." in found.following


def test_two_sources_with_one_id(colony: Colony) -> None:
    """An id that two senders use is explained twice; one that nobody used is told so."""
    from worker.intake.receive import receive

    sent = [world.message("same", source=source) for source in ("//a", "//b")]
    receive(sent, colony.ledger, world.handlers(colony.ledger), world.now_for)
    with colony.ledger.begin(write=False) as transaction:
        explainer = Explainer(transaction, colony.bees, colony.policy, colony.now)
        assert len(explainer.explain("same")) == 2
        for nothing in ("nothing", "\x00"):
            with pytest.raises(NotFound, match="colony decisions"):
                explainer.explain(nothing)


def test_events_that_were_turned_away(colony: Colony) -> None:
    """Also what was not judged says why: a version that nobody knows, an evaluation that comes too late."""
    colony.evaluate(metrics={"f1": 0.9})
    colony.evaluate(modelVersion="9")
    colony.now -= 24 * HOUR
    colony.evaluate()

    assert "It was refused" in _said(_why(colony, "e2"))
    assert "It was not judged: it is older than one that was" in _said(_why(colony, "e3"))
