"""People are told: at least once, in order per bee, whatever fails on the way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.worker import world
from tests.worker.world import BEE, NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.clock import VirtualClock
from worker.errors import LeaseLost, Rejected, TryLater
from worker.publish.message import escaped
from worker.publish.notice import Notice, Sent
from worker.publish.notify import Notifier

DAY = timedelta(days=1)


@dataclass
class Hook:
    """Takes messages, or fails as the test has set."""

    taken: list[Mapping[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    tried: int = 0

    def send(self, message: Mapping[str, Any]) -> None:
        """Take one."""
        self.tried += 1
        if self.error is not None:
            raise self.error
        self.taken.append(message)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Who and what was told, in order."""
        return [(message["event"]["beeId"], message["event"]["data"]["reason"]) for message in self.taken]


@dataclass
class Told:
    """A notifier on a ledger, with its clock."""

    ledger: SqlLedger
    hook: Hook = field(default_factory=Hook)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(NOW))

    def notifier(self, **changes: Any) -> Notifier:
        """Return a notifier, as a process of its own would build it."""
        return Notifier(self.ledger, self.hook, self.clock, "one", **changes)

    def turn(self, later: timedelta = timedelta(0)) -> int:
        """Move the clock and turn until nothing more is taken."""
        self.clock.advance(self.clock() + later)
        taken = 0
        while found := self.notifier().turn():
            taken += found
        return taken

    def notices(self) -> list[Notice]:
        """Return every notice, newest first."""
        with self.ledger.begin(write=False) as transaction:
            return list(transaction.notices.list(limit=1000))


@pytest.fixture(name="told")
def _told(ledger: SqlLedger) -> Told:
    return Told(ledger)


def _happens(
    ledger: SqlLedger,
    number: int,
    type_: str = "incident.escalated",
    bee: str = BEE.bee,
    time: datetime = NOW,
    **data: Any,
) -> None:
    with ledger.begin() as transaction:
        transaction.lock([bee])
        transaction.outbox.add(bee, type_, f"s{number}", 1, time, {"beeId": bee, "reason": str(number), **data})


def test_what_is_noteworthy_is_told_once_and_in_order(told: Told) -> None:
    """Escalations, approvals, silence, breakers and budgets are told; runs and deployments are not."""
    types = ["incident.escalated", "approval.requested", "evaluation.missing", "breaker.opened", "budget.exceeded"]
    for number, type_ in enumerate([*types, "pipeline.run.requested", "model.deployed"]):
        _happens(told.ledger, number, type_)

    assert told.turn() == 5
    assert [message["event"]["type"] for message in told.hook.taken] == types
    assert [reason for _, reason in told.hook.told] == ["0", "1", "2", "3", "4"]
    assert told.turn() == 0
    assert {notice.state for notice in told.notices()} == {Sent.SENT}


def test_what_fails_comes_again_and_nothing_overtakes_it(told: Told) -> None:
    """While a bee's first notice is not taken its later ones wait; another bee's do not."""
    _happens(told.ledger, 1)
    _happens(told.ledger, 2)
    told.hook.error = TryLater("hooks.example.org answered 503")

    assert told.turn() == 0
    assert told.hook.tried == 1
    (failing,) = told.notices()
    assert (failing.state, failing.attempts, failing.error) == (Sent.FAILING, 1, "hooks.example.org answered 503")
    told.hook.error = None
    assert told.turn() == 0, "its back-off is not over"
    _happens(told.ledger, 3, bee="other-bee")
    assert told.turn() == 1
    assert told.turn(timedelta(seconds=2)) == 2

    assert told.hook.told == [("other-bee", "3"), (BEE.bee, "1"), (BEE.bee, "2")]


def test_the_wait_grows_and_ends(told: Told) -> None:
    """It is tried again and again with a growing wait, for a week; then it is lost, recorded, and makes way."""
    _happens(told.ledger, 1)
    _happens(told.ledger, 2)
    told.hook.error = TryLater("away")
    waits = []
    for _ in range(12):
        told.turn()
        (notice,) = told.notices()
        waits.append(int((notice.next_at - notice.last_at).total_seconds()))
        told.clock.advance(notice.next_at)

    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600, 600]
    _happens(told.ledger, 3, time=NOW + 2 * DAY)
    told.turn(7 * DAY)
    told.turn()
    lost = [notice for notice in told.notices() if notice.state is Sent.LOST]
    assert {notice.error for notice in lost} == {"away", "it is older than what people are still told of"}
    told.hook.error = None
    assert told.turn(timedelta(minutes=10)) == 1
    assert told.hook.told == [(BEE.bee, "3")]
    with told.ledger.begin() as transaction:
        assert transaction.notices.again(lost[0].id)
        assert not transaction.notices.again("nothing")
    assert lost[0].id not in {notice.id for notice in told.notices()}


def test_what_is_refused_as_such_makes_way_soon(told: Told) -> None:
    """A message that the other side does not take is tried three times, not for a day."""
    _happens(told.ledger, 1)
    told.hook.error = Rejected("hooks.example.org answered 400 invalid_payload")
    for _ in range(5):
        told.turn(timedelta(minutes=1))

    (notice,) = told.notices()
    assert (notice.state, notice.attempts, told.hook.tried) == (Sent.LOST, 3, 3)


def test_a_fault_of_ours_stops_nobody(told: Told) -> None:
    """One message that trips over something unforeseen is recorded like any other."""
    _happens(told.ledger, 1)
    _happens(told.ledger, 2, bee="other-bee")
    told.hook.error = ValueError("never seen")

    assert told.turn() == 0
    assert {notice.error for notice in told.notices()} == {"ValueError: never seen"}


def test_old_news_is_not_told(told: Told) -> None:
    """What happened long before anybody listened is marked, not sent."""
    _happens(told.ledger, 1)

    assert told.turn(8 * DAY) == 0
    assert told.hook.taken == []
    (notice,) = told.notices()
    assert (notice.state, notice.error) == (Sent.LOST, "it is older than what people are still told of")


def test_one_process_sends_at_a_time(told: Told) -> None:
    """While one has the right to send no other sends; one that lost it writes nothing."""
    _happens(told.ledger, 1)
    with told.ledger.begin() as transaction:
        epoch = transaction.notices.claim("another", lease_s=60)
        assert epoch is not None

    assert told.turn() == 0
    assert told.hook.tried == 0
    with told.ledger.begin() as transaction:
        transaction.notices.release(epoch)
        taken = transaction.notices.claim("a third", lease_s=0)
        assert taken == epoch + 1
        with pytest.raises(LeaseLost):
            transaction.notices.holds(epoch)
    assert told.turn() == 1


def test_the_message(told: Told) -> None:
    """A text that mentions nobody, the facts as fields, and the way to answer."""
    gate = world.gate()
    evidence = {"gate": gate, "cost": 0.05}
    _happens(told.ledger, 1, "approval.requested", approvalId="a1", expiresAt="2002-10-02T12:00:00Z",
             onExpiry="refuse", evidence=evidence, version="3", links={})  # fmt: skip
    with told.ledger.begin() as transaction:
        transaction.outbox.add(BEE.bee, "incident.escalated", "x", 1, NOW, {"reason": "<!channel> & <@U1>"})
    notifier = told.notifier(link=lambda id_, expires: f"https://colony.example.org/{id_}?{expires:%d}")

    while notifier.turn():
        pass

    first, second = told.hook.taken
    assert first["text"] == "*spam-guard*: a person's approval is asked for. 1"
    fields = {item["title"]: item["value"] for item in first["attachments"][0]["fields"]}
    assert fields["Gate"] == "f1 0.800 → 0.930, difference 0.050 to 0.200, 200 unseen rows"
    assert fields["Answer"] == "<https://colony.example.org/a1?02|approve or refuse>"
    assert (fields["Silence means"], fields["New version"], fields["Cost of the run"]) == ("refuse", "3", "0.05")
    assert second["text"].endswith("&lt;!channel&gt; &amp; &lt;@U1&gt;")
    assert len(escaped("x" * 9999)) < 3000
