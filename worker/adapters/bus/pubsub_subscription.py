"""Intake from Pub/Sub by unary pull: the next batch comes while the last is handled, its leases kept meanwhile.

Unary, because one call that hangs ends with its own deadline, while a streaming pull can die without the library
noticing; and because it is the faster of the two for batches.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

import structlog
from google.api_core import exceptions
from google.pubsub_v1.types import PullResponse

from worker.adapters.bus.beside import Beside
from worker.adapters.bus.pubsub_acks import again
from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, translated, verified
from worker.adapters.bus.pubsub_clients import publisher as new_publisher
from worker.adapters.bus.pubsub_clients import subscriber as new_subscriber
from worker.adapters.bus.pubsub_leases import EXTENSION_S, Leases
from worker.adapters.bus.pubsub_messages import dead_letter, message
from worker.adapters.bus.pubsub_room import Room
from worker.errors import TryLater
from worker.intake.port import Message

ACKS_PER_CALL = 500
PULL_LIMIT = 1000
#: How long one call waits for messages: the longer, the seldomer one arrives just as its call gives up (it then comes
#: again only when its deadline has passed); the shorter, the sooner a call that hangs is replaced.
LEAST_PULL_S, LONGEST_PULL_S = 1.0, 30.0
EMPTY_PAUSE_S = 0.1
#: For giving back at the end, whatever the network does: the process has 8 s in all.
LAST_CALL_S = 2.0

log = structlog.get_logger(__name__)

#: Pub/Sub's own bound.
_LONGEST_DEADLINE_S = 600


class PubSubSubscription:
    """Pulls from a subscription, one batch ahead; dead letters are published to their own topic."""

    def __init__(
        self, project: str, subscription: str, *, dead_letter_topic: str, client: Any = None, publisher: Any = None
    ) -> None:
        """Talk to `subscription`; names may be short or full (`projects/…`).

        Raises:
            Rejected: no credentials.
        """
        self._subscription = path(project, "subscriptions", subscription)
        self._dead_letters = path(project, "topics", dead_letter_topic)
        with verified(self._subscription):
            self._client = client or new_subscriber()
            self._publisher = publisher or new_publisher()
        self._closed = threading.Event()
        self._leases = Leases(self._extend)
        self._room = Room(PULL_LIMIT)
        self._coming: Future[Sequence[Message]] | None = None
        self._kept: list[Message] = []
        self._patience_s = LEAST_PULL_S
        self._pulling, self._acking = Beside("colony-pull"), Beside("colony-ack")
        self._acked = self._acking.do(lambda: None)

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Return up to `limit` messages, or none after `wait_s`; used from one thread. Raises TryLater."""
        until = time.monotonic() + wait_s
        while not self._kept:
            coming = self._coming = self._coming or self._ask(limit)
            try:
                found = coming.result(max(0.0, until - time.monotonic()))
            except TimeoutError:
                if not coming.done():
                    return ()  # the call goes on, and the next pull takes what it brings
                self._coming = None
                continue
            except TryLater:
                self._coming = None
                raise
            self._coming, self._kept = None, list(found)
            # An answer may be empty before its time, and asking again at once would spin.
            if not found and self._closed.wait(min(EMPTY_PAUSE_S, max(0.0, until - time.monotonic()))):
                return ()
            if not found and time.monotonic() >= until:
                return ()
        taken, self._kept = self._kept[:limit], self._kept[limit:]
        if not self._kept and not self._coming:
            self._coming = self._ask(limit)
        return taken

    def _ask(self, limit: int) -> Future[Sequence[Message]]:
        number = self._room.most(limit)
        return self._pulling.do(lambda: self._pull(number))

    def _pull(self, number: int) -> Sequence[Message]:
        request = {"subscription": self._subscription, "max_messages": number}
        try:
            with translated(self._subscription):
                answer = PullResponse.pb(self._client.pull(request=request, timeout=self._patience_s, retry=None))
        except TryLater as error:
            if isinstance(error.__cause__, exceptions.DeadlineExceeded):
                self._patience_s = min(self._patience_s * 2, LONGEST_PULL_S)
                return ()
            if self._room.overflowed(error.__cause__, number):
                log.warning("an answer was too large, fewer messages are asked for", messages=number)
                return ()
            raise
        found = [message(one) for one in answer.received_messages]
        if found:
            self._leases.hold(one.receipt for one in found)
            self._room.saw(len(found), answer.ByteSize())
            self._patience_s = LEAST_PULL_S
        return found

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledge beside the next batch, best effort: an ack that is lost brings a duplicate, which intake knows.

        One batch at a time: the next one waits here for the last.
        """
        chunks = list(self._released(messages))
        self._acked.result()
        lost = "acknowledgement lost, the messages come again"

        def work() -> None:
            for chunk in chunks:
                self._tell(self._client.acknowledge, chunk, {}, lost)

        if chunks:
            self._acked = self._acking.do(work)

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Give back, best effort: what is not given back comes again when its deadline has passed."""
        wait = {"ack_deadline_seconds": min(math.ceil(after_s), _LONGEST_DEADLINE_S)}
        for chunk in self._released(messages):
            self._tell(self._client.modify_ack_deadline, chunk, wait, "messages wait for their deadline")

    def _released(self, messages: Sequence[Message]) -> Iterator[list[str]]:
        receipts = [message.receipt for message in messages]
        self._leases.release(receipts)
        return _chunks(receipts)

    def _tell(self, method: Callable[..., Any], receipts: list[str], more: dict[str, int], lost: str) -> None:
        request = {"subscription": self._subscription, **more}
        try:
            with translated(self._subscription):
                again(
                    lambda ids: method(request={**request, "ack_ids": ids}, timeout=ATTEMPT_S, retry=retrying()),
                    receipts,
                )
        except TryLater as error:
            log.warning(lost, messages=len(receipts), error=str(error))

    def _extend(self, receipts: Sequence[str]) -> None:
        for chunk in _chunks(receipts):
            request = {"subscription": self._subscription, "ack_ids": chunk, "ack_deadline_seconds": EXTENSION_S}
            with translated(self._subscription):
                self._client.modify_ack_deadline(request=request, timeout=ATTEMPT_S, retry=None)

    def dead_letter(self, message: Message, reason: str) -> None:
        """Publish the message and its reason, confirmed. Raises TryLater."""
        request = {"topic": self._dead_letters, "messages": [dead_letter(message, reason)]}
        with translated(self._dead_letters):
            self._publisher.publish(request=request, timeout=ATTEMPT_S, retry=retrying())

    def exhausted(self) -> bool:
        """A live bus has no end."""
        return False

    def verify(self) -> None:
        """Look the subscription and the dead letter topic up. Raises Rejected, TryLater."""
        with verified(self._subscription):
            request = {"subscription": self._subscription}
            self._client.get_subscription(request=request, timeout=ATTEMPT_S, retry=retrying())
        with verified(self._dead_letters):
            self._publisher.get_topic(request={"topic": self._dead_letters}, timeout=ATTEMPT_S, retry=retrying())

    def close(self) -> None:
        """Finish acknowledging, give back at once what is still in hand, and close both channels."""
        self._closed.set()
        with suppress(TimeoutError):
            self._acked.result(LAST_CALL_S)
        for chunk in _chunks(self._leases.close()):
            request = {"subscription": self._subscription, "ack_ids": chunk, "ack_deadline_seconds": 0}
            try:
                with translated(self._subscription):
                    self._client.modify_ack_deadline(request=request, timeout=LAST_CALL_S, retry=None)
            except TryLater as error:
                log.warning("messages wait for their deadline", messages=len(chunk), error=str(error))
                break
        self._pulling.close()
        self._acking.close()
        self._client.transport.close()
        self._publisher.transport.close()


def _chunks(receipts: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(receipts), ACKS_PER_CALL):
        yield list(receipts[start : start + ACKS_PER_CALL])
