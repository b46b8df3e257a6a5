"""An operator at the terminal: pauses, approvals, incidents, why, the policy, and what was told by webhook."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.cli.conftest import Here
from tests.worker.runs.colony import Colony
from tests.worker.world import NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.clock import wall_clock
from worker.publish.notice import Notice, Sent

POLICY = "approval: {runs: always, deployments: always}\nretry: {limit: 1}\nbees:\n  spam-guard: {maxDrop: 0.1}\n"


@pytest.fixture(name="asking")
def _asking(ledger: SqlLedger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Colony:
    """Give a colony of today whose runs people approve; one is asked for."""
    from config.schema import read_policy

    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "policy.yaml").write_text(POLICY)
    monkeypatch.setenv("COLONY_CONFIG", str(tmp_path / "conf"))
    colony = Colony(ledger, read_policy(tmp_path / "conf" / "policy.yaml"), now=wall_clock())
    colony.evaluate()
    return colony


def _rows(output: str) -> list[Any]:
    return [json.loads(line) for line in output.splitlines()]


def test_a_pause(here: Here, asking: Colony) -> None:
    """It is told above every list, by whom and why, until it is taken back; a second end is a conflict."""
    assert here("pause", "spam-guard", "--reason", "moving house", "--by", "ann")[0] == 0
    assert "the colony is paused by ann" in here("pause", "--reason", "a release", "--by", "ann")[1]

    for command in (["decisions"], ["runs"], ["incidents"], ["why", "spam-guard"]):
        code, _, errors = here(*command)
        assert (code, "spam-guard is paused by ann" in errors) == (0, True)
    assert [row["beeId"] for row in _rows(here("pauses", "--json")[1])] == [None, "spam-guard"]
    assert "moving house" in here("pauses")[1]
    assert here("resume", "spam-guard")[0] == 0
    assert here("resume")[0] == 0
    assert here("resume")[0] == 5
    assert "nothing is paused" in here("pauses")[1]
    assert here("pause", "--reason", "x", "--until", "2002-01-01")[0] == 2
    assert asking.incident().attempt == 0


def test_an_approval(here: Here, asking: Colony) -> None:
    """It is listed, shown with its evidence, approved once by name; then it is only in the whole list."""
    (row,) = _rows(here("approvals", "list", "--json")[1])
    shown = here("approvals", "show", row["approvalId"])[1]
    assert "may attempt 1 of spam-guard? waiting" in shown
    assert "f1 0.45 against 0.9" in shown
    assert "silence: refuse" in shown

    code, output, _ = here("approvals", "approve", row["approvalId"], "--by", "ann", "--reason", "go")

    assert (code, asking.runs()[0].id in output) == (0, True)
    assert here("approvals", "refuse", row["approvalId"], "--reason", "no")[0] == 5
    assert "nothing waits for a person" in here("approvals")[1]
    assert "approved by ann" in here("approvals", "list", "--all")[1]
    assert "by ann: go" in here("approvals", "show", row["approvalId"])[1]


def test_a_signed_link(here: Here, asking: Colony, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a secret the mend is named; with one the link leads to where the API is reached."""
    approval = asking.questions()[0].id
    code, _, errors = here("approvals", "link", approval)
    assert (code, "COLONY_LINK_SECRET" in errors) == (2, True)
    monkeypatch.setenv("COLONY_LINK_SECRET", "s" * 40)
    monkeypatch.setenv("COLONY_PUBLIC_URL", "https://colony.example.org/")

    assert here("approvals", "link", approval)[1].startswith(f"https://colony.example.org/api/mlops/answer/{approval}?")
    monkeypatch.setenv("COLONY_LINK_SECRET", "short")
    assert "COLONY_LINK_SECRET: use a random text" in here("approvals", "link", approval)[2]


def test_an_incident_in_a_persons_hands(here: Here, asking: Colony) -> None:
    """Refused it is escalated; its story tells everything; tried again, then closed."""
    incident, approval = asking.incident().id, asking.questions()[0].id
    here("approvals", "refuse", approval, "--reason", "labels are wrong", "--by", "bob")

    told = here("incident", incident)[1]
    assert "escalated" in told
    assert "bob refused attempt 1: labels are wrong" in told
    assert f"`colony incident retry {incident} --reason …`" in told
    assert "begins" in here("incident", "retry", incident, "--reason", "mended")[1]
    assert here("incident", "close", incident, "--reason", "x")[0] == 5
    asking.refuse_run()
    assert here("incident", "close", incident, "--reason", "known", "--by", "ann")[0] == 0
    assert _rows(here("incident", incident, "--json")[1])[0]["story"][-1]["by"] == "ann"
    assert _rows(here("incident", "--json", incident)[1])[0]["state"] == "closed"
    assert _rows(here("incidents", "--state", "open", "--json")[1]) == []


def test_the_policy(here: Here, asking: Colony) -> None:
    """The whole policy with its version, and what one bee has of its own."""
    whole, own = here("policy", "show")[1], here("policy", "show", "spam-guard")[1]

    assert f"version {asking.policy.version}" in whole.splitlines()[0]
    assert "maxDrop: 0.2" in whole
    assert "maxDrop: 0.1" in own
    assert _rows(here("policy", "show", "spam-guard", "--json")[1])[0]["policy"]["approval"]["runs"] == "always"


def test_what_could_not_be_told(here: Here, ledger: SqlLedger) -> None:
    """A notice that was given up is listed with its error, and can be sent after all."""
    lost = Notice("n1", "spam-guard", "incident.escalated", 3, NOW, NOW, NOW, Sent.LOST, "answered 404")
    with ledger.begin() as transaction:
        transaction.notices.save(lost)
    assert "answered 404" in here("notices", "--failed")[1]

    assert here("notices", "again", "n1")[0] == 0

    assert here("notices", "again", "n1")[0] == 4
    assert "nothing was sent" in here("notices")[1]


def test_what_runs_cost(here: Here, asking: Colony) -> None:
    """Estimate and cost stand in the list, in one run, and in JSON."""
    here("approvals", "approve", asking.questions()[0].id)
    run = asking.end_run(cost={"cpuSeconds": 7200})

    assert "0.1000" in here("runs")[1]
    assert "estimated 0.0027, spent 0.1000" in here("runs", "show", run.id)[1]
    (row,) = _rows(here("runs", "--json")[1])
    assert (row["estimatedCost"], row["cost"]) == (0.00275, 0.1)
