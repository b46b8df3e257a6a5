"""A person's word on runs and deployments: asked with evidence, carried out once, recorded."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from handlers.commands.answer_question import answer_question
from handlers.commands.promote_model import promote_model
from handlers.commands.tend_incident import close_incident, retry_incident
from tests.handlers.commands.models import Artifacts
from tests.worker import world
from tests.worker.runs.colony import HOUR, Colony
from tests.worker.world import BEE
from worker.decide.policy import Approval, Policy, Retry
from worker.errors import Conflict, NotFound, Rejected
from worker.incidents.approval import Answer, Kind
from worker.incidents.machine import State
from worker.models.port import Deployment
from worker.runs.lifecycle import Verdict

DEPLOYMENTS = Policy(approval=Approval(deployments="always"), retry=Retry(limit=2))


def _gated(colony: Colony, policy: Policy = DEPLOYMENTS) -> str:
    """Bring an incident to the gate, and return the question's id."""
    colony.policy = policy
    colony.evaluate()
    run = colony.end_run()
    assert run.verdict is Verdict.GATED
    return colony.questions()[-1].id


def _states(colony: Colony) -> list[tuple[str, str]]:
    with colony.ledger.begin(write=False) as transaction:
        return [(one.version, one.state) for one in transaction.models.versions(BEE.bee)]


def test_a_deployment_waits_and_is_carried_out(colony: Colony) -> None:
    """The version is registered, production stays as it was; approved it goes into production, and all is recorded."""
    question = _gated(colony)

    assert (colony.champion(), _states(colony)) == ("1", [("1", "deployed"), ("2", "registered")])
    assert colony.incident().state is State.GATED
    (asked,) = colony.events("approval.requested")
    assert (asked["kind"], asked["version"], asked["approvalId"]) == ("deployment", "2", question)
    assert asked["evidence"]["gate"] == world.gate()
    assert asked["evidence"]["cost"] == pytest.approx(1.5 / 3600 * 0.05, abs=1e-6)
    assert asked["evidence"]["reason"] == "f1 0.45 against 0.9: 50.0% worse, more than 20.0%"
    assert asked["links"]["approve"] == f"/api/mlops/approvals/{question}/approve"
    colony.now += HOUR
    done = answer_question(colony.operator("bob"), question, approve=True, reason="looks good")

    assert done.said == "version 2 deployed: approved by bob (looks good)"
    assert (colony.champion(), _states(colony)) == ("2", [("1", "retired"), ("2", "deployed")])
    assert colony.runs()[0].verdict is Verdict.DEPLOYED
    assert colony.incident().state is State.DEPLOYED
    entry = colony.incident().story[-1]
    assert (entry["what"], entry["by"], entry["at"]) == ("deployed", "bob", "2002-10-01T13:00:00Z")
    (deployed,) = colony.events("model.deployed")
    assert (deployed["version"], deployed["previous"]) == ("2", "1")
    (kept,) = colony.questions()
    assert (kept.answer, kept.by, kept.reason, kept.ruled_at) == (Answer.APPROVED, "bob", "looks good", colony.now)


def test_a_refused_deployment_is_a_refused_attempt(colony: Colony) -> None:
    """Production stays, the version is refused, the incident goes on after its back-off; a refusal says why."""
    question = _gated(colony)
    with pytest.raises(Rejected, match="Say why"):
        answer_question(colony.operator("bob"), question, approve=False, reason=" ")

    answer_question(colony.operator("bob"), question, approve=False, reason="not on a Friday")

    assert (colony.champion(), _states(colony)) == ("1", [("1", "deployed"), ("2", "refused")])
    assert colony.runs()[0].verdict is Verdict.REJECTED
    incident = colony.incident()
    assert incident.state is State.REFUSED
    assert incident.waiting is not None
    assert incident.waiting.until == colony.now + 24 * HOUR
    assert "refused by bob (not on a Friday)" in str(incident.story[-2]["reason"])
    assert len(colony.events("model.rejected")) == 1
    assert len(colony.pass_time(24 * HOUR)) == 1


def test_what_production_has_moved_on_from_is_superseded(colony: Colony, tmp_path: Any) -> None:
    """Approved against a champion that is gone the version is not deployed: the answer was to another question."""
    question = _gated(colony)
    file = tmp_path / "model"
    file.write_text("1")
    with colony.ledger.begin() as transaction:
        transaction.models.add(world.version("7", created_at=colony.now))
    promote_model(colony.operator("ada"), BEE.bee, "7", _AnyArtifact(), reason="by hand")

    done = answer_question(colony.operator("bob"), question, approve=True)

    assert "judged against version 1, and production has moved on to 7" in done.said
    assert colony.champion() == "7"
    assert colony.runs()[0].verdict is Verdict.SUPERSEDED
    assert colony.incident().state is State.REFUSED


class _AnyArtifact(Artifacts):
    """Has every file."""

    def __init__(self) -> None:
        """Need no directory."""

    def fetch(self, artifact: Any) -> Any:
        """Say that it is there."""
        return artifact


@pytest.mark.parametrize(("on_expiry", "champion", "state"),
                         [("refuse", "1", State.REFUSED), ("approve", "2", State.DEPLOYED)])  # fmt: skip
def test_silence_means_what_the_policy_said(colony: Colony, on_expiry: Any, champion: str, state: State) -> None:
    """A question that nobody answers in time is answered by its stated default; afterwards nobody can."""
    asks = Approval(deployments="always", expires=5 * HOUR, on_expiry=on_expiry)
    question = _gated(colony, Policy(approval=asks))

    colony.pass_time(5 * HOUR - timedelta(seconds=1))
    assert colony.incident().state is State.GATED
    colony.pass_time(timedelta(seconds=1))

    assert (colony.champion(), colony.incident().state) == (champion, state)
    (kept,) = colony.questions()
    assert (kept.answer, kept.by) == (Answer.EXPIRED, "silence")
    with pytest.raises(Conflict, match="is expired"):
        answer_question(colony.operator(), question, approve=True)


def test_an_answer_counts_once(colony: Colony) -> None:
    """The second answer is refused and changes nothing; so is one after the end that the timers have not seen yet."""
    question = _gated(colony)
    answer_question(colony.operator("bob"), question, approve=True)

    with pytest.raises(Conflict, match="is approved by bob, it cannot be refused as well"):
        answer_question(colony.operator("eve"), question, approve=False, reason="no")

    assert colony.champion() == "2"
    with pytest.raises(NotFound, match="there is no approval nothing"):
        answer_question(colony.operator(), "nothing", approve=True)


def test_too_late_an_answer_does_not_count(colony: Colony) -> None:
    """Once it has expired silence has the word, though the timers have not turned yet."""
    question = _gated(colony)
    colony.now += 24 * HOUR

    with pytest.raises(Conflict, match="has expired, and silence means refuse"):
        answer_question(colony.operator(), question, approve=True)

    assert colony.champion() == "1"
    assert colony.questions()[0].answer is Answer.WAITING


def test_a_run_by_hand_asks_before_it_deploys(colony: Colony) -> None:
    """A deployment without an incident waits for a person all the same, and is carried out."""
    colony.policy = DEPLOYMENTS
    world.ask_for_run(colony.ledger)
    colony.end_run()

    assert colony.champion() == "1"
    (question,) = colony.questions()
    assert (question.kind, question.incident_id) == (Kind.DEPLOYMENT, None)
    answer_question(colony.operator(), question.id, approve=True)
    assert colony.champion() == "2"


@pytest.mark.parametrize(("limit", "asked"), [(Decimal("0.00001"), True), (Decimal(1), False)])
def test_a_deployment_above_a_cost_asks(colony: Colony, limit: Decimal, *, asked: bool) -> None:
    """What a run cost decides whether a person is asked, where the policy says so."""
    colony.policy = Policy(approval=Approval(deployments_above_cost=limit))
    colony.evaluate()
    colony.end_run()

    assert bool(colony.questions()) == asked
    assert colony.champion() == ("1" if asked else "2")


def test_only_named_bees_ask(colony: Colony) -> None:
    """A policy of one bee asks for that bee alone."""
    colony.policy = Policy(bees={"other-bee": Policy(approval=Approval(runs="always", deployments="always"))})
    colony.evaluate()
    colony.end_run()

    assert (colony.champion(), colony.questions()) == ("2", [])


def test_a_run_is_approved_and_begins(colony: Colony) -> None:
    """The question carries what the guards said; its approval begins the run in the same moment, by name."""
    colony.policy = Policy(approval=Approval(runs="always"))
    colony.evaluate()
    (question,) = colony.questions()
    assert (question.kind, question.attempt) == (Kind.RUN, 1)
    assert {"mode", "one_run_per_bee", "approval"} <= {check["name"] for check in question.evidence["checks"]}

    done = answer_question(colony.operator("bob"), question.id, approve=True, reason="go")

    (run,) = colony.runs()
    assert done.run_id == run.id
    assert [entry["what"] for entry in colony.incident().story] == ["opened", "held", "approved", "retraining"]
    assert colony.incident().story[2]["by"] == "bob"
    checks = colony.incident().story[3]["checks"]
    assert {"name": "approval", "outcome": "passed", "why": "approved by bob"} in checks


def test_a_refused_run_is_a_persons_case(colony: Colony) -> None:
    """The incident is escalated, with who and why; a person may ask for the attempt after all."""
    colony.policy = Policy(approval=Approval(runs="always"))
    colony.evaluate()
    answer_question(colony.operator("bob"), colony.questions()[0].id, approve=False, reason="labels are wrong")

    incident = colony.incident()
    assert incident.state is State.ESCALATED
    assert incident.story[-1]["reason"] == "bob refused attempt 1: labels are wrong"
    assert len(colony.events("incident.escalated")) == 1
    _, run = retry_incident(colony.operator("ann"), incident.id, "labels are mended")

    assert run is not None
    assert colony.incident().story[-2]["by"] == "ann"
    assert len(colony.questions()) == 1


def test_an_idle_question_is_withdrawn(colony: Colony) -> None:
    """An incident that ends while a person is asked takes its question along; nobody can answer it any more."""
    colony.policy = Policy(approval=Approval(runs="always"))
    colony.evaluate()
    colony.now += HOUR
    colony.evaluate(metrics={"f1": 0.91})

    assert colony.incident().state is State.CLOSED
    (question,) = colony.questions()
    assert (question.answer, question.reason) == (Answer.WITHDRAWN, "no longer asked")
    with pytest.raises(Conflict, match="withdrawn"):
        answer_question(colony.operator(), question.id, approve=True)
    assert colony.runs() == []


def test_after_the_last_attempt_only_a_person_goes_on(colony: Colony) -> None:
    """Escalated after its attempts it rests until a person asks for one more: that one begins, and no second."""
    colony.policy = Policy(retry=Retry(limit=1))
    colony.evaluate()
    colony.refuse_run()
    incident = colony.incident()
    assert incident.state is State.ESCALATED
    assert colony.pass_time(100 * HOUR) == []

    _, run = retry_incident(colony.operator(), incident.id, "more data is in")
    assert run is not None
    assert run.attempt == 2
    colony.refuse_run()

    assert colony.incident().state is State.ESCALATED
    with pytest.raises(Rejected, match="reason"):
        retry_incident(colony.operator(), incident.id, "")
    close_incident(colony.operator("bob"), incident.id, "known")
    assert (colony.incident().state, colony.incident().story[-1]["by"]) == (State.CLOSED, "bob")
    with pytest.raises(Conflict, match="is closed"):
        retry_incident(colony.operator(), incident.id, "again")


def test_what_is_in_flight_cannot_be_closed_or_tried_again(colony: Colony) -> None:
    """Both say what is to be done first."""
    colony.evaluate()
    incident = colony.incident().id

    for command in (close_incident, retry_incident):
        with pytest.raises(Conflict, match="cancel its run first"):
            command(colony.operator(), incident, "why not")
    colony.policy = replace(colony.policy, approval=Approval(deployments="always"))
    colony.end_run()
    with pytest.raises(Conflict, match="approve or refuse its deployment first"):
        close_incident(colony.operator(), incident, "why not")


def test_the_deployment_names_its_run(colony: Colony) -> None:
    """What is in production after an approval leads back to the run that made it."""
    question = _gated(colony)
    answer_question(colony.operator("bob"), question, approve=True)

    with colony.ledger.begin(write=False) as transaction:
        found = transaction.models.champion(BEE.bee)
    assert isinstance(found, Deployment)
    assert (found.run_id, found.reason) == (colony.runs()[0].id, "approved by bob")
