"""Between Pub/Sub's messages and ours, within Pub/Sub's limits."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from google.pubsub_v1.types import PubsubMessage

from worker.errors import TryLater
from worker.intake.port import Message
from worker.publish.events import attributes, data
from worker.publish.port import Outgoing

REASON = "colony-dead-letter-reason"
DELIVERIES = "colony-dead-letter-deliveries"
TRUNCATED = "colony-truncated"
#: Pub/Sub's limits, with room for the envelope of a request.
VALUE_BYTES = 1024
MESSAGE_BYTES = 9_900_000
ATTRIBUTES = 100
MESSAGES_PER_CALL = 500

Encoded = tuple[str, PubsubMessage]


def message(received: Any) -> Message:
    """Return a ReceivedMessage (the plain protobuf: its wrapper costs more than handling the message) as ours."""
    inner = received.message
    published = inner.publish_time
    return Message(
        body=inner.data,
        attributes=dict(inner.attributes),
        message_id=inner.message_id,
        published_at=datetime.fromtimestamp(published.seconds, UTC).replace(microsecond=published.nanos // 1000),
        receipt=received.ack_id,
        # Pub/Sub counts only under a dead letter policy, and says 0 otherwise.
        delivery_attempt=received.delivery_attempt or None,
    )


def dead_letter(turned_away: Message, reason: str) -> PubsubMessage:
    """Return the original with its reason and the number of its deliveries, cut to what Pub/Sub takes."""
    kept = {_allowed(key): value for key, value in sorted(turned_away.attributes.items())[: ATTRIBUTES - 3]}
    kept[REASON] = _cut(reason, VALUE_BYTES)
    if turned_away.delivery_attempt:
        kept[DELIVERIES] = str(turned_away.delivery_attempt)
    room = MESSAGE_BYTES - sum(len(key.encode()) + len(value.encode()) for key, value in kept.items())
    if len(turned_away.body) > room:
        kept[TRUNCATED] = str(len(turned_away.body))
    return PubsubMessage(data=turned_away.body[:room], attributes=kept)


def encoded(events: Sequence[Outgoing], schemas: str = "") -> tuple[list[Encoded], TryLater | None]:
    """Return ids and messages up to the first event that cannot be written, and why that one cannot.

    `schemas` is the public URL below which the events' schemas are served.
    """
    messages: list[Encoded] = []
    for event in events:
        try:
            made = PubsubMessage(data=data(event), attributes=attributes(event, schemas), ordering_key=event.bee)
        except (TypeError, ValueError) as error:
            return messages, TryLater(f"event {event.id} cannot be written as JSON: {error}")
        messages.append((event.id, made))
    return messages, None


def chunks(messages: Sequence[Encoded]) -> Iterator[list[Encoded]]:
    """Yield the messages of one bee in calls that Pub/Sub takes (bytes, and number)."""
    chunk: list[Encoded] = []
    size = 0
    for ident, made in messages:
        weight = len(made.data) + _weight(made.attributes) + 64
        if chunk and (size + weight > MESSAGE_BYTES or len(chunk) == MESSAGES_PER_CALL):
            yield chunk
            chunk, size = [], 0
        chunk.append((ident, made))
        size += weight
    if chunk:
        yield chunk


def _allowed(key: str) -> str:
    """Rename what Pub/Sub adds itself (`googclient_…`): publishing it is refused."""
    return f"colony-{key}" if key.startswith("goog") else key


def _cut(text: str, size: int) -> str:
    return text.encode(errors="replace")[:size].decode(errors="ignore")


def _weight(values: Mapping[str, str]) -> int:
    return sum(len(key) + len(value) for key, value in values.items())
