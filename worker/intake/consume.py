"""The intake loop's one turn: pull, receive, keep dead letters, acknowledge, give back; bounded retries for poison."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from worker.errors import TryLater
from worker.intake.port import Failure, Message, Subscription
from worker.intake.receive import EventHandler, NowFor, Received, Verdict, dead_letter, message_id, receive
from worker.ledger import Ledger
from worker.tracing import trace_of

log = structlog.get_logger()

BATCH = 500
MAX_ATTEMPTS = 5
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True)
class Limits:
    """How much trouble the intake takes, and how much of it.

    Attributes:
        attempts: how often a message that fails is tried before it becomes a dead letter.
        backoff_s, longest_s: the wait before the second attempt, doubled before each further one, and its bound.
        outbox: so many events that could not be published stop the intake; 0 for no bound.
    """

    attempts: int = MAX_ATTEMPTS
    backoff_s: float = 0.5
    longest_s: float = 60.0
    outbox: int = 0

    def wait(self, failures: int) -> float:
        """Return the seconds to wait after so many failures."""
        return min(self.backoff_s * 2.0 ** (failures - 1), self.longest_s)


class Consumer:
    """Takes messages from one subscription, one batch at a time: what it cannot deal with yet stays on the bus."""

    def __init__(
        self,
        subscription: Subscription,
        ledger: Ledger,
        handlers: Mapping[str, EventHandler],
        now_for: NowFor,
        tell: Callable[[Received], None] = lambda _: None,
        *,
        limits: Limits = Limits(),
    ) -> None:
        """`tell` is called for each message once its verdict is durable."""
        self._subscription = subscription
        self._ledger = ledger
        self._handlers = handlers
        self._now_for = now_for
        self._tell = tell
        self._limits = limits
        self._failed: dict[str, int] = {}
        self._looked = -_LOOK_EVERY_S
        self._full = ""

    def turn(self, wait_s: float, *, limit: int = BATCH) -> int:
        """Handle one batch and return how many messages came.

        Raises:
            TryLater: bus or ledger are away, or too much waits to be published; what had been pulled was given back.
        """
        self._check_room()
        messages = self._subscription.pull(limit, wait_s)
        if messages:
            self.handle(messages)
        return len(messages)

    def handle(self, messages: Sequence[Message]) -> list[Received]:
        """Handle messages that were pulled; see `turn`."""
        try:
            return self.redo(messages)
        except TryLater:
            self._subscription.retry(messages)
            raise

    def redo(self, messages: Sequence[Message]) -> list[Received]:
        """Handle messages, keeping hold of them when the ledger is away: the caller calls again. Raises TryLater."""
        self._check_room()
        received = [self._bounded(item) for item in receive(messages, self._ledger, self._handlers, self._now_for)]
        self._answer(received)
        self._forget(received)
        for item in received:
            self._tell(item)
        return received

    def _check_room(self) -> None:
        """Refuse to take more while too many events wait to be published: memory and disk are not endless."""
        if not self._limits.outbox or time.monotonic() < self._looked + _LOOK_EVERY_S:
            if self._full:
                raise TryLater(self._full)
            return
        with self._ledger.begin(write=False) as transaction:
            waiting = transaction.outbox.waiting()
        self._looked = time.monotonic()
        full = waiting >= self._limits.outbox
        words = f"{waiting:,} events wait to be published, {self._limits.outbox:,} may: is the bus away?"
        self._full = words if full else ""
        if full:
            raise TryLater(self._full)

    def _bounded(self, item: Received) -> Received:
        """Count a failure in the ledger, where a restart does not forget it; the last one makes a dead letter."""
        if item.verdict is not Verdict.RETRY:
            return item
        key, now = message_id(item.message), self._now_for(None)
        with self._ledger.begin() as transaction:
            # The bus's own count would also hold what was given back because the ledger was away.
            history = transaction.inbox.failed(key, Failure(now, item.reason))
            given_up = len(history) >= self._limits.attempts
            reason = f"failed {len(history)} times, last: {item.reason}" if given_up else item.reason
            if given_up:
                letter = dead_letter(item.message, reason, now)
                transaction.inbox.add_dead_letter(replace(letter, history=history))
                transaction.inbox.forget_failures([key])
        log.warning("message failed", attempt=len(history), reason=item.reason, **_about(item.message))
        self._failed[key] = len(history)
        return replace(item, verdict=Verdict.DEAD_LETTER, reason=reason) if given_up else item

    def _forget(self, received: Sequence[Received]) -> None:
        if not self._failed:
            return
        done = [message_id(item.message) for item in received if item.verdict is not Verdict.RETRY]
        over = [key for key in done if self._failed.pop(key, None) is not None]
        if over:
            with self._ledger.begin() as transaction:
                transaction.inbox.forget_failures(over)

    def _answer(self, received: Sequence[Received]) -> None:
        for item in received:
            if item.verdict is Verdict.DEAD_LETTER:
                log.warning("message turned away", reason=item.reason, **_about(item.message))
                self._subscription.dead_letter(item.message, item.reason)
        for item in received:
            if item.verdict is Verdict.RETRY:
                failures = self._failed.get(message_id(item.message), 1)
                self._subscription.retry([item.message], self._limits.wait(failures))
        self._subscription.ack([item.message for item in received if item.verdict is not Verdict.RETRY])


def _about(message: Message) -> dict[str, str | None]:
    """Return what names a message in the log: the bus's id, and the event's id and trace where its sender told them."""
    return {
        "message_id": message.message_id,
        "event_id": message.attributes.get("ce-id"),
        **trace_of(message.attributes),
    }
