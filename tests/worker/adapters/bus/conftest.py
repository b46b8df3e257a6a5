"""The buses that the contract suite runs over, each with a hand on its far end."""

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.bus.local import FileSubscription, FileTopic
from worker.intake.port import Message, Subscription
from worker.publish.port import Topic

PROJECT = "colony-test"
#: So that what is given back comes again soon.
BACKOFF = (timedelta(milliseconds=100), timedelta(seconds=1))
Sent = tuple[bytes, Mapping[str, str]]


@dataclass(frozen=True)
class Bus:
    """One backend, and what a test does at its far end.

    Attributes:
        send: puts messages in, before the subscription is read.
        dead_letters: what lies in the dead letters as (body, attributes, reason).
        published: what the topic got, as (id, bee, sequence, type), in order of arrival.
    """

    subscription: Subscription
    topic: Topic
    send: Callable[[Sequence[Sent]], None]
    dead_letters: Callable[[], list[tuple[bytes, Mapping[str, str], str]]]
    published: Callable[[], list[tuple[str, str, int, str]]]


@pytest.fixture(name="bus", params=["local", "pubsub"])
def _bus(request: pytest.FixtureRequest) -> Bus:
    """One backend of the table."""
    bus: Bus = request.getfixturevalue(f"{request.param}_bus")
    return bus


@pytest.fixture(name="local_bus")
def _local_bus(tmp_path: Path) -> Iterator[Bus]:
    recording, letters, published = tmp_path / "in.jsonl", tmp_path / "dead.jsonl", tmp_path / "out.jsonl"
    recording.touch()

    def send(messages: Sequence[Sent]) -> None:
        with recording.open("ab") as file:
            for number, (body, attributes) in enumerate(messages):
                inner = {"data": base64.b64encode(body).decode(), "attributes": dict(attributes)}
                delivery = {"message": inner | {"messageId": str(number)}, "subscription": "s"}
                file.write(json.dumps(delivery).encode() + b"\n")

    def dead_letters() -> list[tuple[bytes, Mapping[str, str], str]]:
        entries = [json.loads(line) for line in letters.read_bytes().splitlines()]
        return [(base64.b64decode(one["data"]), one["attributes"], one["reason"]) for one in entries]

    def sent() -> list[tuple[str, str, int, str]]:
        events = [json.loads(line) for line in published.read_bytes().splitlines()]
        return [(one["id"], one["subject"], int(one["sequence"]), one["type"]) for one in events]

    bus = Bus(FileSubscription(recording, letters), FileTopic(published), send, dead_letters, sent)
    yield bus
    bus.subscription.close()
    bus.topic.close()


@pytest.fixture(name="emulated")
def _emulated(pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Point the client library to the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    return pubsub_emulator


@pytest.fixture(name="names")
def _names(emulated: str) -> Any:
    """Topics and subscriptions of this test alone, made by `init`."""
    from worker.adapters.bus.pubsub import Names, init

    unique = f"t{uuid.uuid4().hex[:12]}"
    names = Names(
        intake_topic=f"{unique}-in",
        intake_subscription=f"{unique}-in-sub",
        dead_letter_topic=f"{unique}-dead",
        dead_letter_subscription=f"{unique}-dead-sub",
        published_topic=f"{unique}-out",
    )
    init(PROJECT, names, backoff=BACKOFF)
    return names


@pytest.fixture(name="pubsub_bus")
def _pubsub_bus(names: Any) -> Iterator[Bus]:
    from google.cloud import pubsub_v1

    from worker.adapters.bus.pubsub import PubSubSubscription, PubSubTopic
    from worker.adapters.bus.pubsub_calls import path

    with pubsub_v1.SubscriberClient() as subscriber:
        publisher = pubsub_v1.PublisherClient()
        listening = path(PROJECT, "subscriptions", names.published_topic + "-sub")
        subscriber.create_subscription(
            request={
                "name": listening,
                "topic": path(PROJECT, "topics", names.published_topic),
                "enable_message_ordering": True,
            }
        )

        def send(messages: Sequence[Sent]) -> None:
            topic = path(PROJECT, "topics", names.intake_topic)
            for body, attributes in messages:
                publisher.publish(topic, body, **attributes).result(timeout=60)

        def dead_letters() -> list[tuple[bytes, Mapping[str, str], str]]:
            found = drain(subscriber, path(PROJECT, "subscriptions", names.dead_letter_subscription))
            return [(one.data, one.attributes, one.attributes["colony-dead-letter-reason"]) for one in found]

        def sent() -> list[tuple[str, str, int, str]]:
            found = [(one, one.attributes) for one in drain(subscriber, listening)]
            return [(a["ce-id"], one.ordering_key, int(a["ce-sequence"]), a["ce-type"]) for one, a in found]

        bus = Bus(
            PubSubSubscription(PROJECT, names.intake_subscription, dead_letter_topic=names.dead_letter_topic),
            PubSubTopic(PROJECT, names.published_topic),
            send,
            dead_letters,
            sent,
        )
        yield bus
        bus.subscription.close()
        bus.topic.close()
        publisher.stop()
        publisher.transport.close()


def drain(subscriber: Any, subscription: str) -> list[Any]:
    """Pull and acknowledge until a second passes with nothing."""
    from google.api_core.exceptions import DeadlineExceeded

    found: list[Any] = []
    while True:
        try:
            request = {"subscription": subscription, "max_messages": 100}
            got = subscriber.pull(request=request, timeout=1.0, retry=None).received_messages
        except DeadlineExceeded:
            return found
        if not got:
            return found
        subscriber.acknowledge(subscription=subscription, ack_ids=[one.ack_id for one in got])
        found += [one.message for one in got]


def pulled(subscription: Subscription, number: int, *, seconds: float = 15.0) -> list[Message]:
    """Pull until `number` messages have come, or the time is up."""
    until = time.monotonic() + seconds
    found: list[Message] = []
    while len(found) < number and time.monotonic() < until:
        found += subscription.pull(number - len(found), 1.0)
    return found


@pytest.fixture(name="pulled")
def _pulled() -> Callable[..., list[Message]]:
    """Give `pulled` to the tests: modules of the test tree do not import each other."""
    return pulled
