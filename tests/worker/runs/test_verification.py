"""A deployed model is verified by its next evaluations: well closes, still bad goes on, worse goes back."""

import pytest

from handlers.commands.answer_question import answer_question
from tests.worker.runs.colony import HOUR, Colony
from worker.decide.policy import Approval, Policy, Retry, Verify
from worker.incidents.machine import State
from worker.incidents.words import following
from worker.runs.lifecycle import Verdict


@pytest.fixture(name="deployed")
def _deployed(colony: Colony) -> Colony:
    """Give a colony whose version 2 has just replaced version 1, which had fallen to 0.45."""
    colony.evaluate()
    assert colony.end_run().verdict is Verdict.DEPLOYED
    colony.now += 24 * HOUR
    return colony


def test_well_closes(deployed: Colony) -> None:
    """A good window with enough evidence ends the incident, and the world is told."""
    said = deployed.evaluate(modelVersion="2", metrics={"f1": 0.9})

    assert said["action"] == "none"
    assert deployed.incident().state is State.CLOSED
    assert len(deployed.events("incident.closed")) == 1
    assert deployed.champion() == "2"


def test_still_bad_goes_on(deployed: Colony) -> None:
    """Bad, but not worse than before: the next attempt of the same incident begins."""
    said = deployed.evaluate(modelVersion="2", metrics={"f1": 0.5})

    assert said["action"] == "trigger"
    assert "the deployed model did not mend it" in said["reason"]
    assert (deployed.incident().state, deployed.incident().attempt) == (State.RETRAINING, 2)
    assert deployed.champion() == "2"


def test_worse_goes_back(deployed: Colony) -> None:
    """Worse than what it replaced: version 1 comes back at once, and the next attempt after the back-off."""
    said = deployed.evaluate(modelVersion="2", metrics={"f1": 0.3})

    assert "rolled back to version 1" in said["reason"]
    assert deployed.champion() == "1"
    (event,) = deployed.events("model.rolled_back")
    assert (event["version"], event["previous"]) == ("1", "2")
    assert deployed.incident().state is State.FAILED
    assert len(deployed.pass_time(24 * HOUR)) == 1
    assert deployed.incident().attempt == 2


def test_worse_stays_where_the_policy_says_so(deployed: Colony) -> None:
    """Without roll-back the worse model is retrained, not taken back."""
    deployed.policy = Policy(verify=Verify(roll_back=False))

    assert deployed.evaluate(modelVersion="2", metrics={"f1": 0.3})["action"] == "trigger"
    assert deployed.champion() == "2"


def test_the_demos_ten_days_say_nothing(deployed: Colony) -> None:
    """Six positives in 739 rows, and an F1 of 0: neither triggers, nor rolls back, nor closes; ten days long."""
    for _ in range(10):
        few = {"id": f"day {deployed.sent}", "sampleCount": 739, "positiveCount": 6}
        said = deployed.evaluate(modelVersion="2", metrics={"f1": 0.0}, window=few)
        deployed.pass_time(24 * HOUR)

        assert said["action"] == "none"
        assert "6 positives, fewer than 20: no evidence" in said["reason"]

    assert (deployed.champion(), deployed.incident().state) == ("2", State.DEPLOYED)
    assert len(deployed.runs()) == 1
    assert deployed.events("model.rolled_back") == []


def test_well_by_its_own_baseline_is_not_recovered(colony: Colony) -> None:
    """With `recover` the ledger remembers 0.9: 0.61 against 0.6 is the next attempt, 0.72 ends it."""
    colony.policy = Policy(verify=Verify(recover=True))
    colony.evaluate()
    assert colony.end_run().verdict is Verdict.DEPLOYED
    colony.now += 24 * HOUR

    said = colony.evaluate(modelVersion="2", metrics={"f1": 0.61}, baseline={"f1": 0.6})

    assert said["action"] == "trigger"
    assert "not recovered: f1 0.61 against 0.9 when the incident opened" in said["reason"]
    assert (colony.incident().state, colony.incident().attempt) == (State.RETRAINING, 2)
    assert colony.events("model.rolled_back") == []
    assert colony.end_run().verdict is Verdict.DEPLOYED
    assert "only what is near to 0.9, as before the incident, is well" in following(colony.incident(), 3, 1)
    colony.now += HOUR
    colony.evaluate(modelVersion="3", metrics={"f1": 0.72}, baseline={"f1": 0.6})
    assert colony.incident().state is State.CLOSED


def test_nobody_verifies_for_too_long(deployed: Colony) -> None:
    """Without any evidence in the time that the policy gives a person is asked."""
    deployed.policy = Policy(verify=Verify(within=48 * HOUR))

    deployed.pass_time(23 * HOUR)
    assert deployed.incident().state is State.DEPLOYED
    deployed.pass_time(HOUR)

    assert deployed.incident().state is State.ESCALATED
    (event,) = deployed.events("incident.escalated")
    assert event["reason"] == "no evidence that the deployed model is well within 2d"


def test_what_came_while_a_run_was_in_flight_is_judged_when_it_ends(colony: Colony) -> None:
    """Bad evaluations during a run begin no second one; the newest of them is the next attempt's reason."""
    colony.policy = Policy(retry=Retry(backoff=HOUR))
    colony.evaluate()
    colony.now += HOUR
    assert colony.evaluate(metrics={"f1": 0.41})["action"] == "attached"
    colony.now += HOUR
    assert colony.evaluate(metrics={"f1": 0.37})["action"] == "attached"
    assert len(colony.runs()) == 1
    colony.refuse_run()

    (again,) = colony.pass_time(HOUR)

    assert "f1 0.37 against 0.9" in again.reason
    assert again.attempt == 2
    assert again.as_of > colony.runs()[0].as_of


def test_well_again_while_a_run_was_in_flight(colony: Colony) -> None:
    """A refused run is not tried again if the model was found well in the meantime."""
    colony.evaluate()
    colony.now += HOUR
    colony.evaluate(metrics={"f1": 0.9})
    colony.refuse_run()

    assert colony.incident().state is State.CLOSED
    assert "well again in the meantime" in str(colony.incident().story[-1]["reason"])
    assert colony.pass_time(1000 * HOUR) == []


def test_well_again_while_a_person_was_asked(colony: Colony) -> None:
    """A refused deployment needs no further attempt either, if the old model was found well before the answer."""
    colony.policy = Policy(approval=Approval(deployments="always"))
    colony.evaluate()
    colony.end_run()
    colony.now += HOUR
    colony.evaluate(metrics={"f1": 0.9})
    assert colony.incident().state is State.GATED

    answer_question(colony.operator(), colony.questions()[0].id, approve=False, reason="no need")

    assert colony.incident().state is State.CLOSED
    assert colony.champion() == "1"
