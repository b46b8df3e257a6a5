"""What people are told, on each database; and decisions by event, run and incident, which `why` asks for."""

from dataclasses import replace
from datetime import datetime, timedelta

from tests.worker.adapters.ledger.records import decision
from tests.worker.world import NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.publish.notice import Notice, Sent

LATER = NOW + timedelta(hours=1)


def _tell(ledger: SqlLedger, bee: str, subject: str, type_: str = "incident.escalated") -> None:
    with ledger.begin() as transaction:
        transaction.lock([bee])
        transaction.outbox.add(bee, type_, subject, 1, NOW, {})


def _next(ledger: SqlLedger, when: datetime = NOW) -> list[tuple[str, int]]:
    with ledger.begin(write=False) as transaction:
        return [(event.bee, event.sequence) for event, _ in transaction.notices.next(when, 10)]


def test_the_first_of_each_bee_is_next(ledger: SqlLedger) -> None:
    """One per bee, in order; one that waits hides those behind it; one that is over makes way."""
    _tell(ledger, "a", "1", "model.deployed")
    for bee, subject in (("a", "2"), ("a", "3"), ("b", "4")):
        _tell(ledger, bee, subject)
    assert _next(ledger) == [("a", 2), ("b", 1)]
    with ledger.begin() as transaction:
        event, before = transaction.notices.next(NOW, 1)[0]
        assert before is None
        failing = Notice(event.id, "a", event.type, 1, NOW, NOW, LATER, Sent.FAILING, "away \u0000")
        transaction.notices.save(failing)

    assert _next(ledger) == [("b", 1)]
    assert _next(ledger, LATER) == [("a", 2), ("b", 1)]
    with ledger.begin() as transaction:
        assert transaction.notices.next(LATER, 1)[0][1] == replace(failing, error="away \ufffd")
        transaction.notices.save(replace(failing, state=Sent.LOST))
        assert [one.state for one in transaction.notices.list(limit=5)] == [Sent.LOST]
        assert transaction.notices.list(state=Sent.SENT, limit=5) == []
    assert _next(ledger, LATER) == [("a", 3), ("b", 1)]
    with ledger.begin() as transaction:
        assert transaction.notices.again(failing.id)
    assert _next(ledger) == [("a", 2), ("b", 1)]


def test_decisions_are_found_by_event_run_and_incident(ledger: SqlLedger) -> None:
    """An event's id may stand in several sources; a run has one decision; an incident's newest is the last."""
    first = decision("e", source="s1", bee="spam-guard", run_id="r", incident_id="i")
    others = [
        decision("e", source="s2", bee="other"),
        decision("x", source="s3", bee="spam-guard", incident_id="i", decided_at=NOW + timedelta(hours=2)),
    ]
    with ledger.begin() as transaction:
        for entry in (first, *others):
            transaction.decisions.add(entry)
        journal = transaction.decisions

        assert [one.source for one in journal.named("e")] == ["s1", "s2"]
        assert journal.named("nothing") == []
        assert journal.for_run("r") == first
        assert journal.for_run("none") is None
        assert journal.newest("spam-guard") == others[1]
        assert journal.newest("spam-guard", incident_id="i", until=first.decided_at) == first
        assert journal.newest("nobody") is None
