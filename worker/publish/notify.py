"""Tell people by webhook: each noteworthy event of the outbox at least once, in order per bee, with retries."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from worker.clock import Clock, parse_time
from worker.errors import LeaseLost, Rejected, TryLater
from worker.ledger import Ledger
from worker.publish.message import message
from worker.publish.notice import Notice, Sent
from worker.publish.port import Outgoing

log = structlog.get_logger()

#: How many are sent under one lease: with each taking its whole time limit they must be done before it ends.
AT_ONCE = 5
LEASE_S = 60.0
_FIRST, _LONGEST = timedelta(seconds=2), timedelta(minutes=10)


class Hook(Protocol):
    """Where messages go."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Post a message. Raises TryLater, or Rejected where the other side does not take this one."""
        ...

    def verify(self) -> str:
        """Reach the other side without telling anyone anything, and say what was reached. Raises TryLater."""
        ...


@dataclass(frozen=True)
class Notifier:
    """Any number of processes may do this beside each other: one of them sends at a time.

    Attributes:
        link: returns the signed link under which a question can be answered, None where there are none.
        give_up: what is older is lost, whether the other side was away for so long or nobody had listened before.
        refusals: so often a message is tried that the other side refuses as such.
    """

    ledger: Ledger
    hook: Hook
    clock: Clock
    owner: str
    link: Callable[[str, datetime], str | None] = lambda _id, _expires: None
    give_up: timedelta = timedelta(days=7)
    refusals: int = 3

    def turn(self) -> int:
        """Send what is due and return how many were taken. Raises TryLater if the ledger is away."""
        now = self.clock()
        with self.ledger.begin(write=False) as transaction:
            if not transaction.notices.next(now, 1):
                return 0
        with self.ledger.begin() as transaction:
            epoch = transaction.notices.claim(self.owner, lease_s=LEASE_S)
        if epoch is None:
            return 0
        try:
            return self._send_due(epoch)
        except LeaseLost as error:
            log.info("lease lost", reason=str(error))
            return 0
        finally:
            with self.ledger.begin() as transaction:
                transaction.notices.release(epoch)

    def _send_due(self, epoch: int) -> int:
        with self.ledger.begin(write=False) as transaction:
            due = transaction.notices.next(self.clock(), AT_ONCE)
        taken = 0
        for event, before in due:
            after = self._send(event, before)
            with self.ledger.begin() as transaction:
                transaction.notices.holds(epoch)
                transaction.notices.save(after)
            taken += after.state is Sent.SENT
        return taken

    def _send(self, event: Outgoing, before: Notice | None) -> Notice:
        now = self.clock()
        first = before.first_at if before else now
        attempts = (before.attempts if before else 0) + 1
        made = Notice(event.id, event.bee, event.type, attempts, first, now, now, Sent.SENT)
        if before is None and now - event.time > self.give_up:
            return _over(made, "it is older than what people are still told of")
        try:
            self.hook.send(message(event, self._link(event)))
        except Rejected as error:
            return self._failed(made, str(error), last=attempts >= self.refusals)
        except TryLater as error:
            return self._failed(made, str(error), last=now - event.time >= self.give_up)
        except Exception as error:
            # One message that trips over something unforeseen must not stop all that come after it.
            log.exception("a notice cannot be sent", event_id=event.id)
            return self._failed(made, f"{type(error).__name__}: {error}", last=attempts >= self.refusals)
        return made

    def _failed(self, made: Notice, reason: str, *, last: bool) -> Notice:
        log.warning("a notice was not taken", bee=made.bee, type=made.type, attempt=made.attempts, reason=reason)
        if last:
            return _over(made, reason)
        wait = min(_FIRST * 2 ** min(made.attempts - 1, 20), _LONGEST)
        return Notice(
            made.id, made.bee, made.type, made.attempts, made.first_at, made.last_at, made.last_at + wait,
            Sent.FAILING, reason,
        )  # fmt: skip

    def _link(self, event: Outgoing) -> str | None:
        approval, expires = event.data.get("approvalId"), event.data.get("expiresAt")
        if not isinstance(approval, str) or not isinstance(expires, str):
            return None
        return self.link(approval, parse_time(expires))


def _over(made: Notice, reason: str) -> Notice:
    return Notice(
        made.id, made.bee, made.type, made.attempts, made.first_at, made.last_at, made.next_at, Sent.LOST, reason
    )
