"""Google Pub/Sub: unary synchronous pull, and unary publishing with the bee as ordering key.

The library's batching publisher is not used: with ordering keys it retries for ever behind the caller's back, and an
error it does not expect leaves a key stuck without an answer. One bounded Publish call per bee confirms its ids or
fails, and bees go out in parallel. `PUBSUB_EMULATOR_HOST` is honoured by the client library.
"""

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from google.api_core import exceptions
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1 import PublisherClient as Publishing
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, translated, verified
from worker.adapters.bus.pubsub_setup import Names, init
from worker.adapters.options import Options
from worker.errors import Rejected, TryLater
from worker.intake.port import Message
from worker.publish.events import attributes, data
from worker.publish.port import Outgoing

__all__ = ["Names", "PubSubSubscription", "PubSubTopic", "init", "subscription_from", "topic_from"]

REASON = "colony-dead-letter-reason"
TRUNCATED = "colony-truncated"
#: Pub/Sub's limits, with room for the envelope of a request.
VALUE_BYTES = 1024
MESSAGE_BYTES = 9_900_000
ATTRIBUTES = 100
ACKS_PER_CALL = 500
MESSAGES_PER_CALL = 500
PULL_LIMIT = 1000
#: A call needs this long to be worth making, also when the caller would not wait.
LEAST_PULL_S = 1.0
EMPTY_PAUSE_S = 0.1

log = structlog.get_logger(__name__)

#: Pub/Sub's own bound.
_LONGEST_DEADLINE_S = 600


class PubSubSubscription:
    """Pulls from a subscription; dead letters are published to their own topic."""

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
            self._client = client or SubscriberClient()
            self._publisher = publisher or PublisherClient()
        self._closed = threading.Event()

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Return up to `limit` messages, or none after `wait_s`. Raises TryLater."""
        until = time.monotonic() + wait_s
        while True:
            received = self._pull(min(limit, PULL_LIMIT), until - time.monotonic())
            # An answer may be empty before its time, and asking again at once would spin.
            if received or self._closed.wait(min(EMPTY_PAUSE_S, max(0.0, until - time.monotonic()))):
                return [_message(one) for one in received]
            if time.monotonic() >= until:
                return ()

    def _pull(self, limit: int, wait_s: float) -> Sequence[ReceivedMessage]:
        request = {"subscription": self._subscription, "max_messages": limit}
        with translated(self._subscription):
            try:
                answer = self._client.pull(request=request, timeout=max(LEAST_PULL_S, wait_s), retry=None)
            except exceptions.DeadlineExceeded:
                return ()
        received: Sequence[ReceivedMessage] = answer.received_messages
        return received

    def ack(self, messages: Sequence[Message]) -> None:
        """Acknowledge, best effort: an ack that is lost brings a duplicate, which intake knows."""
        for chunk in _receipts(messages):
            request = {"subscription": self._subscription, "ack_ids": chunk}
            try:
                with translated(self._subscription):
                    self._client.acknowledge(request=request, timeout=ATTEMPT_S, retry=retrying())
            except TryLater as error:
                log.warning("acknowledgement lost, the messages come again", messages=len(chunk), error=str(error))

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Give back, best effort: what is not given back comes again when its deadline has passed."""
        wait = min(math.ceil(after_s), _LONGEST_DEADLINE_S)
        for chunk in _receipts(messages):
            request = {"subscription": self._subscription, "ack_ids": chunk, "ack_deadline_seconds": wait}
            try:
                with translated(self._subscription):
                    self._client.modify_ack_deadline(request=request, timeout=ATTEMPT_S, retry=retrying())
            except TryLater as error:
                log.warning("messages wait for their deadline", messages=len(chunk), error=str(error))

    def dead_letter(self, message: Message, reason: str) -> None:
        """Publish the message and its reason, confirmed. Raises TryLater."""
        request = {"topic": self._dead_letters, "messages": [_dead_letter(message, reason)]}
        with translated(self._dead_letters):
            Publishing.publish(self._publisher, request=request, timeout=ATTEMPT_S, retry=retrying())

    def exhausted(self) -> bool:
        """A live bus has no end."""
        return False

    def verify(self) -> None:
        """Look the subscription and the dead letter topic up. Raises Rejected, TryLater."""
        with verified(self._subscription):
            self._client.get_subscription(subscription=self._subscription, timeout=ATTEMPT_S, retry=retrying())
        with verified(self._dead_letters):
            self._publisher.get_topic(topic=self._dead_letters, timeout=ATTEMPT_S, retry=retrying())

    def close(self) -> None:
        """Close both channels."""
        self._closed.set()
        self._client.close()
        self._publisher.stop()
        self._publisher.transport.close()


class PubSubTopic:
    """Publishes CloudEvents in binary mode, in order per bee."""

    def __init__(self, project: str, topic: str, *, client: Any = None, parallel: int = 8) -> None:
        """Publish to `topic` (short or full name), up to `parallel` bees at a time. Raises Rejected: no credentials."""
        self._topic = path(project, "topics", topic)
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="publish")
        with verified(self._topic):
            self._client = client or PublisherClient()

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Publish each bee's events in order; a bee whose call fails sends nothing further.

        Raises:
            TryLater: nothing was confirmed.
        """
        by_bee: dict[str, list[Outgoing]] = {}
        for event in events:
            by_bee.setdefault(event.bee, []).append(event)
        results = list(self._pool.map(self._publish_bee, by_bee.values()))
        confirmed = {ident for ids, _ in results for ident in ids}
        errors = [error for _, error in results if error]
        if errors and not confirmed:
            raise errors[0]
        return [event.id for event in events if event.id in confirmed]

    def _publish_bee(self, events: Sequence[Outgoing]) -> tuple[list[str], TryLater | None]:
        messages, fault = _encoded(events)
        confirmed: list[str] = []
        try:
            for chunk in _chunks(messages):
                request = {"topic": self._topic, "messages": [message for _, message in chunk]}
                with translated(self._topic):
                    Publishing.publish(self._client, request=request, timeout=ATTEMPT_S, retry=retrying())
                confirmed += [ident for ident, _ in chunk]
        except TryLater as error:
            fault = error
        if fault:
            log.warning("events wait", bee=events[0].bee, confirmed=len(confirmed), error=str(fault))
        return confirmed, fault

    def verify(self) -> None:
        """Look the topic up. Raises Rejected, TryLater."""
        with verified(self._topic):
            self._client.get_topic(topic=self._topic, timeout=ATTEMPT_S, retry=retrying())

    def close(self) -> None:
        """Wait for calls under way, and close the channel."""
        self._pool.shutdown()
        self._client.stop()
        self._client.transport.close()


def _message(received: ReceivedMessage) -> Message:
    inner = received.message
    return Message(
        body=inner.data,
        attributes=dict(inner.attributes),
        message_id=inner.message_id,
        published_at=inner.publish_time,
        receipt=received.ack_id,
        # Pub/Sub counts only under a dead letter policy, and says 0 otherwise.
        delivery_attempt=received.delivery_attempt or None,
    )


def _receipts(messages: Sequence[Message]) -> Iterator[list[str]]:
    receipts = [message.receipt for message in messages]
    for start in range(0, len(receipts), ACKS_PER_CALL):
        yield receipts[start : start + ACKS_PER_CALL]


def _dead_letter(message: Message, reason: str) -> PubsubMessage:
    """Return the original with its reason, cut to what Pub/Sub takes."""
    kept = {_allowed(key): value for key, value in sorted(message.attributes.items())[: ATTRIBUTES - 2]}
    kept[REASON] = _cut(reason, VALUE_BYTES)
    room = MESSAGE_BYTES - sum(len(key.encode()) + len(value.encode()) for key, value in kept.items())
    if len(message.body) > room:
        kept[TRUNCATED] = str(len(message.body))
    return PubsubMessage(data=message.body[:room], attributes=kept)


def _allowed(key: str) -> str:
    """Rename what Pub/Sub adds itself (`googclient_…`): publishing it is refused."""
    return f"colony-{key}" if key.startswith("goog") else key


def _cut(text: str, size: int) -> str:
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def _encoded(events: Sequence[Outgoing]) -> tuple[list[tuple[str, PubsubMessage]], TryLater | None]:
    """Return ids and messages up to the first event that cannot be written, and why that one cannot."""
    messages: list[tuple[str, PubsubMessage]] = []
    for event in events:
        try:
            message = PubsubMessage(data=data(event), attributes=attributes(event), ordering_key=event.bee)
        except (TypeError, ValueError) as error:
            return messages, TryLater(f"event {event.id} cannot be written as JSON: {error}")
        messages.append((event.id, message))
    return messages, None


def _chunks(messages: Sequence[tuple[str, PubsubMessage]]) -> Iterator[list[tuple[str, PubsubMessage]]]:
    """Yield the messages of one bee in calls that Pub/Sub takes (bytes, and number)."""
    chunk: list[tuple[str, PubsubMessage]] = []
    size = 0
    for ident, message in messages:
        weight = len(message.data) + _weight(message.attributes) + 64
        if chunk and (size + weight > MESSAGE_BYTES or len(chunk) == MESSAGES_PER_CALL):
            yield chunk
            chunk, size = [], 0
        chunk.append((ident, message))
        size += weight
    if chunk:
        yield chunk


def _weight(values: Mapping[str, str]) -> int:
    return sum(len(key) + len(value) for key, value in values.items())


def subscription_from(options: Options) -> PubSubSubscription:
    """Return the subscription of the settings. Raises Rejected: no project, no credentials."""
    values = options.values
    return PubSubSubscription(_project(options), values["subscription"], dead_letter_topic=values["dead_letter_topic"])


def topic_from(options: Options) -> PubSubTopic:
    """Return the topic of the settings. Raises Rejected as `subscription_from` does."""
    return PubSubTopic(_project(options), options.values["events_topic"])


def _project(options: Options) -> str:
    project = str(options.values["project"])
    if not project:
        raise Rejected("Pub/Sub needs a project", field="GOOGLE_CLOUD_PROJECT", mend="Set it, or COLONY_BUS=local.")
    return project
