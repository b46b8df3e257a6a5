"""The intake loop's one turn: pull, receive, keep dead letters, acknowledge, give back; bounded retries for poison."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from worker.errors import TryLater
from worker.intake.port import Message, Subscription
from worker.intake.receive import EventHandler, NowFor, Received, Verdict, dead_letter, receive
from worker.ledger import Ledger

log = structlog.get_logger()

BATCH = 500
MAX_ATTEMPTS = 5


class Consumer:
    """Takes messages from one subscription."""

    def __init__(
        self,
        subscription: Subscription,
        ledger: Ledger,
        handlers: Mapping[str, EventHandler],
        now_for: NowFor,
        tell: Callable[[Received], None] = lambda _: None,
    ) -> None:
        """`tell` is called for each message once its verdict is durable."""
        self._subscription = subscription
        self._ledger = ledger
        self._handlers = handlers
        self._now_for = now_for
        self._tell = tell
        self._attempts: Counter[str] = Counter()

    def turn(self, wait_s: float, *, limit: int = BATCH) -> int:
        """Handle one batch and return how many messages came.

        Raises:
            TryLater: bus or ledger are away; what had been pulled was given back.
        """
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
        received = [self._bounded(item) for item in receive(messages, self._ledger, self._handlers, self._now_for)]
        self._answer(received)
        for item in received:
            self._tell(item)
        return received

    def _bounded(self, item: Received) -> Received:
        key = f"{item.message.message_id}\n{hash(item.message.body)}"
        if item.verdict is not Verdict.RETRY:
            del self._attempts[key]
            return item
        self._attempts[key] += 1
        # The bus's own count would also hold what was given back because the ledger was away.
        attempts = self._attempts[key]
        log.warning("message failed", attempt=attempts, reason=item.reason, message_id=item.message.message_id)
        if attempts < MAX_ATTEMPTS:
            return item
        reason = f"failed {attempts} times, last: {item.reason}"
        with self._ledger.begin() as transaction:
            transaction.inbox.add_dead_letter(dead_letter(item.message, reason, self._now_for(None)))
        del self._attempts[key]
        return replace(item, verdict=Verdict.DEAD_LETTER, reason=reason)

    def _answer(self, received: Sequence[Received]) -> None:
        for item in received:
            if item.verdict is Verdict.DEAD_LETTER:
                log.warning("message turned away", reason=item.reason, message_id=item.message.message_id)
                self._subscription.dead_letter(item.message, item.reason)
        again = [item.message for item in received if item.verdict is Verdict.RETRY]
        if again:
            self._subscription.retry(again)
        self._subscription.ack([item.message for item in received if item.verdict is not Verdict.RETRY])
