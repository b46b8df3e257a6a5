"""Operating the colony by HTTP: incidents, approvals, pauses, why, and the page behind a signed link."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.http import build
from handlers.http.access import Access
from tests.handlers.http.api import Client, Parts
from tests.handlers.http.conftest import MakeToken
from tests.worker.runs.colony import Colony
from tests.worker.world import BEE, NOW
from worker.access.link import SignedLinks
from worker.decide.policy import Approval, Policy, Retry
from worker.incidents.approval import Answer

SECRET = "s" * 32
ASKS = Policy(approval=Approval(runs="always"), retry=Retry(limit=1))


class Operated:
    """An API, and the colony that it operates."""

    def __init__(self, parts: Parts, policy: Policy, access: Access | None = None) -> None:
        """Put both on one ledger."""
        self.colony = Colony(parts.ledger, policy)
        self.links = SignedLinks(SECRET, "http://colony.test", parts.ledger.installation)
        services = replace(parts.services(access), policy=lambda: policy, links=self.links)
        self.client = Client(build(replace(services, clock=lambda: self.colony.now)))

    def link(self, later: timedelta = timedelta(hours=5)) -> str:
        """Return the path of the link to the newest question."""
        question = self.colony.questions()[-1]
        return self.links.url(question.id, self.colony.now + later).removeprefix("http://colony.test")


@pytest.fixture(name="asking")
def _asking(colony: Parts) -> Operated:
    """Give an API of a colony whose runs are approved by people; one is asked for."""
    operated = Operated(colony, ASKS)
    operated.colony.evaluate()
    return operated


def test_an_approval_by_api(asking: Operated) -> None:
    """It is listed with its evidence, approved once, and says what followed."""
    (listed,) = asking.client.get("approvals", params={"answer": "waiting"}).json()["approvals"]
    one = f"approvals/{listed['approvalId']}"
    assert asking.client.get(one).json() == listed
    assert (listed["kind"], listed["beeId"], listed["onExpiry"], listed["by"]) == ("run", BEE.bee, "refuse", None)

    done = asking.client.post(f"{one}/approve", json={"reason": "go"})

    assert done.status_code == 200
    assert done.json()["runId"] == asking.colony.runs()[0].id
    assert done.json()["approval"]["answer"] == "approved"
    again = asking.client.post(f"{one}/refuse", json={"reason": "no"})
    assert (again.status_code, "is approved by local" in again.json()["detail"]) == (409, True)
    assert asking.client.get("approvals", params={"answer": "waiting"}).json()["approvals"] == []
    assert asking.client.get("approvals/nothing").status_code == 404


def test_an_incident_by_api(asking: Operated) -> None:
    """Its story, what it waits for and what comes next; refused it is escalated, tried again, and closed."""
    (incident,) = asking.client.get("incidents").json()["incidents"]
    name = f"incidents/{incident['incidentId']}"
    assert incident["waitsFor"] == "attempt 1 waits for a person's approval"
    assert "A person is to rule on attempt 1" in incident["next"]
    assert [entry["what"] for entry in incident["timeline"]] == ["opened", "held", "asked"]
    approval = asking.colony.questions()[0].id
    asking.client.post(f"approvals/{approval}/refuse", json={"reason": "labels are wrong"})
    assert asking.client.get(name).json()["state"] == "escalated"

    retried = asking.client.post(f"{name}/retry", json={"reason": "labels are mended"})

    assert retried.json()["runId"] == asking.colony.runs()[0].id
    assert asking.client.post(f"{name}/close", json={"reason": "x"}).status_code == 409
    asking.colony.refuse_run()
    closed = asking.client.post(f"{name}/close", json={"reason": "known"})
    assert (closed.json()["state"], closed.json()["story"][-1]["by"]) == ("closed", "local")
    assert asking.client.get("incidents", params={"state": "open"}).json()["incidents"] == []
    assert asking.client.get("incidents/nothing").status_code == 404


def test_lists_go_on_at_the_cursor(colony: Parts) -> None:
    """Incidents and questions come in pages, newest first, each once."""
    operated = Operated(colony, ASKS)
    for _ in range(3):
        operated.colony.evaluate()
        operated.colony.now += timedelta(hours=1)
        operated.colony.evaluate(metrics={"f1": 0.91})
        operated.colony.now += timedelta(hours=1)
    for name, key in (("incidents", "incidentId"), ("approvals", "approvalId")):
        found: list[str] = []
        cursor: dict[str, Any] = {}
        while True:
            page = operated.client.get(name, params={"limit": 2, **cursor}).json()
            found += [item[key] for item in page[name]]
            if page["nextCursor"] is None:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert len(found) == len(set(found)) == 3


def test_a_pause_by_api(colony: Parts) -> None:
    """It is seen wherever one looks, holds what comes, and ends as it was asked to."""
    operated = Operated(colony, Policy())
    made = operated.client.post("pause", json={"beeId": BEE.bee, "reason": "moving house"})
    operated.client.post("pause", json={"reason": "a release", "until": "2002-10-02T12:00:00Z"})

    assert (made.json()["by"], made.json()["since"], made.json()["until"]) == ("local", "2002-10-01T12:00:00Z", None)
    assert [one["beeId"] for one in operated.client.get("pauses").json()["pauses"]] == [None, BEE.bee]
    assert operated.client.get("/readyz").json()["paused"] == [
        "the colony is paused by local since 2002-10-01T12:00:00Z until 2002-10-02T12:00:00Z: a release",
        "spam-guard is paused by local since 2002-10-01T12:00:00Z until it is resumed: moving house",
    ]
    assert operated.colony.evaluate()["action"] == "held"
    assert operated.client.post("pause", json={"reason": "x", "until": "2002-09-01T00:00:00Z"}).status_code == 422
    assert operated.client.post("pause", json={"beeId": "nobody", "reason": "x"}).status_code == 404
    assert operated.client.post("resume", json={"beeId": BEE.bee}).json()["reason"] == "moving house"
    assert operated.client.post("resume", json={}).json()["reason"] == "a release"
    assert operated.client.post("resume", json={}).status_code == 409
    (run,) = operated.colony.pass_time()
    assert run.bee == BEE.bee
    told = operated.colony.events("colony.paused") + operated.colony.events("colony.resumed")
    assert [(one["by"], one["reason"]) for one in told] == [("local", "moving house"), ("local", "moving house")]
    assert len(operated.colony.events("colony.paused", "*")) == 1


def test_strangers_do_not_learn_why_it_is_paused(colony: Parts, new_token: MakeToken) -> None:
    """The probe, which asks for no token, tells that something is paused, not what nor why."""
    assert new_token("read")
    operated = Operated(colony, Policy(), Access(guarded=True))
    colony_ = Operated(colony, Policy())
    colony_.client.post("pause", json={"beeId": BEE.bee, "reason": "moving house"})

    assert operated.client.get("/readyz").json()["paused"] == ["bees"]


@pytest.mark.parametrize("method", ["close", "retry"])
def test_only_operators_act(colony: Parts, new_token: MakeToken, method: str) -> None:
    """Whoever may read may not act; whoever acts is named by the token."""
    reader, actor = new_token("read", "write"), new_token("operate")
    operated = Operated(colony, ASKS, Access(guarded=True))
    operated.colony.evaluate()
    incident = operated.colony.incident().id
    call = {"path": f"incidents/{incident}/{method}", "json": {"reason": "x"}}

    assert operated.client.post(**call).status_code == 401
    assert operated.client.post(**call, token=reader).status_code == 403
    assert operated.client.post(**call, token=actor).status_code == 200
    assert any(str(entry.get("by", "")).startswith("token ") for entry in operated.colony.incident().story)


@pytest.mark.parametrize("subject", ["e1", BEE.bee])
def test_why_by_api(asking: Operated, subject: str) -> None:
    """An event and a bee are explained with every rule and guard, and what comes next."""
    (found,) = asking.client.get(f"why/{subject}").json()["explanations"]

    assert any("50.0% worse, more than 20.0%" in sentence for sentence in found["summary"])
    assert found["sections"][0]["title"] == "What the rules said"
    assert "A person is to rule on attempt 1" in found["next"]
    assert asking.client.get("why/nothing/at/all").status_code == 404
    assert asking.client.get("why/%00").status_code == 404


def test_a_signed_link_shows_and_takes_one_answer(asking: Operated) -> None:
    """Looking changes nothing, however often; the answer is taken once, in the name that was given."""
    path = asking.link()
    for _ in range(3):
        shown = asking.client.get(path)
        assert (shown.status_code, "Begin attempt 1 of retraining spam-guard?" in shown.text) == (200, True)
        assert "f1 0.45 against 0.9" in shown.text
        assert "form-action 'self'" in shown.headers["Content-Security-Policy"]
    assert asking.colony.questions()[0].answer is Answer.WAITING

    done = asking.client.post(path, data={"answer": "approve", "name": "Ann <b>", "reason": "go"})

    assert (done.status_code, "run auto-retrain-spam-guard" in done.text) == (200, True)
    (question,) = asking.colony.questions()
    assert (question.answer, question.by, question.reason) == (Answer.APPROVED, "Ann <b> (by signed link)", "go")
    again = asking.client.post(path, data={"answer": "refuse", "name": "Eve", "reason": "no"})
    assert again.status_code == 409
    assert "Ann &lt;b&gt;" in again.text
    assert "It is approved by Ann &lt;b&gt; (by signed link) already" in asking.client.get(path).text


def test_a_link_needs_no_token_and_lets_nowhere_else(colony: Parts, new_token: MakeToken) -> None:
    """On a guarded API the signature is what counts, and only for its page."""
    assert new_token("read")
    operated = Operated(colony, ASKS, Access(guarded=True))
    operated.colony.evaluate()

    assert operated.client.get(operated.link()).status_code == 200
    assert operated.client.get("approvals").status_code == 401


@pytest.mark.parametrize("change", ["signature", "expires", "id", "installation", "late"])
def test_a_wrong_link_opens_nothing(asking: Operated, change: str) -> None:
    """A signature is good for one question, one end and one installation, until that end."""
    path, question = asking.link(), asking.colony.questions()[0]
    if change == "signature":
        path = path[:-1] + ("0" if path[-1] != "0" else "1")
    elif change == "expires":
        path = path.replace("expires=1", "expires=2")
    elif change == "id":
        path = path.replace(question.id, "0" * 20)
    elif change == "installation":
        asking.links = SignedLinks(SECRET, "http://colony.test", "another")
        path = asking.link()
    else:
        asking.colony.now = NOW + timedelta(hours=6)

    for answer in (asking.client.get(path), asking.client.post(path, data={"answer": "approve", "name": "Eve"})):
        assert answer.status_code == 403
    assert asking.colony.questions()[0].answer is Answer.WAITING


@pytest.mark.parametrize("form", [{}, {"answer": "approve"}, {"answer": "maybe", "name": "Ann"}, {"name": "Ann"},
                                  {"answer": "refuse", "name": "Ann"}])  # fmt: skip
def test_a_form_that_says_too_little(asking: Operated, form: dict[str, str]) -> None:
    """Who, yes or no, and for a no why: without these nothing is done."""
    assert asking.client.post(asking.link(), data=form).status_code == 422
    assert asking.colony.questions()[0].answer is Answer.WAITING


def test_without_a_secret_no_link_counts(asking: Operated, colony: Parts) -> None:
    """An installation that signs nothing opens nothing, not even for a signature with an empty key."""
    path = asking.link()
    empty = SignedLinks("", "http://colony.test", colony.ledger.installation)
    client = Client(build(replace(colony.services(), links=empty)))

    assert client.get(path).status_code == 403
    assert Client(build(colony.services())).get(path).status_code == 403
