"""Questions to people, on each database."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.worker.world import NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Conflict
from worker.incidents.approval import Answer, Kind, Question, answered, question_id

DAY = timedelta(days=1)
ONE = Question(
    id="a", kind=Kind.DEPLOYMENT, bee="spam-guard", attempt=2, asked_at=NOW, expires_at=NOW + DAY, on_expiry="refuse",
    incident_id="i", run_id="r", version="3", against=7, evidence={"gate": {"lower": 0.1}, "reason": "bad\u0000"},
)  # fmt: skip
OTHER = replace(ONE, id="b", kind=Kind.RUN, bee="other", asked_at=NOW + DAY, run_id=None, version=None, against=None)


def test_what_is_asked_is_kept_and_answered_once(ledger: SqlLedger) -> None:
    """A question comes back as it was, is not asked again, and takes one answer."""
    with ledger.begin() as transaction:
        transaction.approvals.add(ONE)
        transaction.approvals.add(replace(ONE, attempt=9))
        assert transaction.approvals.get("a") == ONE
        assert transaction.approvals.of_run("r") == ONE
        assert transaction.approvals.get("nothing") is None
        done = answered(ONE, Answer.REFUSED, "ann", "no \u0000", NOW)
        transaction.approvals.save(done)
    with ledger.begin(write=False) as transaction:
        found = transaction.approvals.get("a")

    assert found == replace(done, reason="no \ufffd")
    with pytest.raises(Conflict, match="refused by ann"):
        answered(done, Answer.APPROVED, "bob", "", NOW)


def test_questions_are_found(ledger: SqlLedger) -> None:
    """By bee, by answer, by incident, and in pages, the newest first."""
    with ledger.begin() as transaction:
        for question in (ONE, OTHER):
            transaction.approvals.add(question)
        kept = transaction.approvals

        assert kept.list() == [OTHER, ONE]
        assert kept.list(bee="spam-guard") == [ONE]
        assert kept.list(answer=Answer.APPROVED) == []
        assert kept.list(answer=Answer.WAITING) == [OTHER, ONE]
        assert kept.of_incident("i") == [ONE, OTHER]
        assert kept.page(bee=None, answer=None, before=None, limit=1) == [OTHER]
        assert kept.page(bee=None, answer=None, before=(OTHER.asked_at, OTHER.id), limit=5) == [ONE]


def test_a_question_has_one_name() -> None:
    """The same attempt is the same question, another is another."""
    names = [question_id(Kind.RUN, "i", "1"), question_id(Kind.RUN, "i", "2"), question_id(Kind.DEPLOYMENT, "i", "1")]

    assert len(set(names)) == 3
    assert question_id(Kind.RUN, "i", "1") == names[0]
