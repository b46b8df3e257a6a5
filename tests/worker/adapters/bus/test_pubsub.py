import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from worker.adapters.bus import pubsub
from worker.adapters.bus.pubsub import PubSubSubscription, PubSubTopic
from worker.adapters.options import Options
from worker.errors import Rejected, TryLater
from worker.intake.port import Message
from worker.publish.port import Outgoing

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROJECT = "colony-test"
Pull = Callable[..., list[Message]]


class Faulty:
    """A Pub/Sub of our own that does what the emulator never does: it refuses, by method, as the test says."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.calls: list[tuple[str, Any]] = []
        self.refuse: Callable[[str, Any], grpc.StatusCode | None] = lambda _method, _request: None
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 10_000_000)])
        empty = empty_pb2.Empty.SerializeToString
        publisher = {
            "Publish": self._handler("Publish", types.PublishRequest, types.PublishResponse.serialize, _publish),
            "GetTopic": self._handler(
                "GetTopic", types.GetTopicRequest, types.Topic.serialize, lambda _: types.Topic()
            ),
        }
        subscriber = {
            "Pull": self._handler(
                "Pull", types.PullRequest, types.PullResponse.serialize, lambda _: types.PullResponse()
            ),
            "Acknowledge": self._handler("Acknowledge", types.AcknowledgeRequest, empty, lambda _: empty_pb2.Empty()),
            "ModifyAckDeadline": self._handler(
                "ModifyAckDeadline", types.ModifyAckDeadlineRequest, empty, lambda _: empty_pb2.Empty()
            ),
        }
        for name, methods in (("Publisher", publisher), ("Subscriber", subscriber)):
            handler = grpc.method_handlers_generic_handler(f"google.pubsub.v1.{name}", methods)
            self._server.add_generic_rpc_handlers((handler,))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}")
        self._server.start()

    def publisher(self) -> Any:
        """Return the library's publisher, talking to this server."""
        return PublisherClient(transport=PublisherGrpcTransport(channel=self.channel))

    def subscriber(self) -> Any:
        """Return the library's subscriber, talking to this server."""
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=self.channel))

    def requests(self, method: str) -> list[Any]:
        """Return what was asked of a method."""
        return [request for name, request in self.calls if name == method]

    def close(self) -> None:
        """Stop serving."""
        self.channel.close()
        self._server.stop(None)

    def _handler(self, name: str, kind: Any, serialize: Any, body: Callable[[Any], Any]) -> grpc.RpcMethodHandler:
        def serve(request: Any, context: grpc.ServicerContext) -> Any:
            self.calls.append((name, request))
            code = self.refuse(name, request)
            if code:
                context.abort(code, "as asked for")
            return body(request)

        return grpc.unary_unary_rpc_method_handler(
            serve, request_deserializer=kind.deserialize, response_serializer=serialize
        )


def _publish(request: types.PublishRequest) -> types.PublishResponse:
    return types.PublishResponse(message_ids=[str(number) for number, _ in enumerate(request.messages)])


@pytest.fixture(name="faulty")
def _faulty() -> Iterator[Faulty]:
    server = Faulty()
    yield server
    server.close()


@pytest.fixture(name="subscription")
def _subscription(faulty: Faulty) -> PubSubSubscription:
    return PubSubSubscription(
        PROJECT, "sub", dead_letter_topic="dead", client=faulty.subscriber(), publisher=faulty.publisher()
    )


def event(bee: str, sequence: int, **data: Any) -> Outgoing:
    """One outgoing event."""
    return Outgoing(f"{bee}-{sequence}", "model.deployed", bee, sequence, NOW, data)


def test_what_does_not_exist_is_refused_at_boot(emulated: str) -> None:
    """A subscription or topic that is not there is Rejected by verify, with `colony pubsub init` as the mend."""
    subscription = PubSubSubscription(PROJECT, "no-such-sub", dead_letter_topic="no-such-topic")
    topic = PubSubTopic(PROJECT, "no-such-topic")

    with pytest.raises(Rejected, match="colony pubsub init"):
        subscription.verify()
    with pytest.raises(Rejected, match="colony pubsub init"):
        topic.verify()
    with pytest.raises(TryLater, match="no-such-sub"):
        subscription.pull(1, 1.0)
    with pytest.raises(TryLater, match="no-such-topic"):
        topic.publish([event("a", 1)])
    subscription.close()
    topic.close()


def test_events_leave_in_binary_mode(faulty: Faulty) -> None:
    """An event's data is the body, its CloudEvents attributes are the message's, the bee is the ordering key."""
    PubSubTopic(PROJECT, "out", client=faulty.publisher()).publish([event("spam-guard", 3, version="2")])

    (request,) = faulty.requests("Publish")
    (message,) = request.messages
    assert (json.loads(message.data), message.ordering_key) == ({"version": "2"}, "spam-guard")
    assert (message.attributes["ce-id"], message.attributes["ce-type"]) == ("spam-guard-3", "model.deployed")
    assert message.attributes["content-type"] == "application/json"


def test_a_bee_that_fails_sends_nothing_further(faulty: Faulty) -> None:
    """After a refused call none of that bee's later events go out; other bees' do, and only theirs are confirmed."""
    events = [event(bee, sequence, pad="x" * 6_000_000) for sequence in (1, 2) for bee in ("a", "b")]
    faulty.refuse = lambda _, request: (
        grpc.StatusCode.PERMISSION_DENIED if request.messages[0].attributes["ce-id"] == "a-1" else None
    )

    confirmed = PubSubTopic(PROJECT, "out", client=faulty.publisher()).publish(events)

    assert list(confirmed) == ["b-1", "b-2"]
    sent = {message.attributes["ce-id"] for request in faulty.requests("Publish") for message in request.messages}
    assert sent == {"a-1", "b-1", "b-2"}


def test_a_failed_bee_goes_on_with_the_next_publish(faulty: Faulty) -> None:
    """When nothing was confirmed it is TryLater; once the cause is gone the same events go out."""
    topic = PubSubTopic(PROJECT, "out", client=faulty.publisher())
    faulty.refuse = lambda *_: grpc.StatusCode.PERMISSION_DENIED
    with pytest.raises(TryLater, match="Grant"):
        topic.publish([event("a", 1), event("a", 2)])
    faulty.refuse = lambda *_: None

    assert list(topic.publish([event("a", 1), event("a", 2)])) == ["a-1", "a-2"]
    topic.close()


def test_a_short_fault_is_tried_again(faulty: Faulty) -> None:
    """Unavailable twice and then well is one publish that succeeds."""
    faulty.refuse = lambda *_: grpc.StatusCode.UNAVAILABLE if len(faulty.calls) <= 2 else None

    assert list(PubSubTopic(PROJECT, "out", client=faulty.publisher()).publish([event("a", 1)])) == ["a-1"]
    assert len(faulty.calls) == 3


def test_a_pull_that_fails_is_try_later(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """Pub/Sub being away is TryLater; its deadline passing is an empty pull."""
    faulty.refuse = lambda *_: grpc.StatusCode.UNAVAILABLE
    with pytest.raises(TryLater):
        subscription.pull(1, 1.0)
    faulty.refuse = lambda *_: grpc.StatusCode.DEADLINE_EXCEEDED

    assert list(subscription.pull(1, 0.1)) == []


def test_an_empty_pull_does_not_spin(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """When Pub/Sub answers at once that it has nothing, the pull waits out its time with pauses between its calls."""
    assert list(subscription.pull(1, 0.5)) == []
    assert 2 <= len(faulty.calls) <= 8


def test_acknowledgements_go_in_chunks(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """1,200 acknowledgements go out as three calls, 1,200 messages are given back in three, and none twice."""
    messages = [Message(b"", receipt=str(number)) for number in range(1200)]
    subscription.ack(messages)
    subscription.retry(messages)
    subscription.close()

    for method in ("Acknowledge", "ModifyAckDeadline"):
        assert [len(request.ack_ids) for request in faulty.requests(method)] == [500, 500, 200]
    assert {request.ack_deadline_seconds for request in faulty.requests("ModifyAckDeadline")} == {0}


def test_a_lost_acknowledgement_is_no_error(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """An ack or a giving back that Pub/Sub refuses raises nothing: the messages come again."""
    faulty.refuse = lambda *_: grpc.StatusCode.PERMISSION_DENIED

    subscription.ack([Message(b"", receipt="1")])
    subscription.retry([Message(b"", receipt="1")])
    subscription.close()

    assert len(faulty.calls) == 2


def test_a_dead_letter_that_is_not_confirmed_is_try_later(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """When the dead letter topic refuses, the caller learns it and does not acknowledge."""
    faulty.refuse = lambda *_: grpc.StatusCode.PERMISSION_DENIED

    with pytest.raises(TryLater, match="dead"):
        subscription.dead_letter(Message(b"x"), "reason")


def test_a_dead_letter_fits_into_what_pubsub_takes(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """The largest message, with the most attributes and reserved ones among them, still becomes a dead letter."""
    attributes = {f"key-{number:03}": "v" * 1024 for number in range(99)} | {"googclient_schemaencoding": "JSON"}

    subscription.dead_letter(Message(b"x" * 10_000_000, attributes), "é" * 2000)

    message = faulty.requests("Publish")[0].messages[0]
    assert types.PublishRequest.pb(faulty.requests("Publish")[0]).ByteSize() < 10_000_000
    assert len(message.attributes) <= 100
    assert not any(key.startswith("goog") for key in message.attributes)
    assert message.attributes["colony-truncated"] == "10000000"
    assert message.attributes["colony-dead-letter-reason"] == "é" * 512


def test_attributes_named_like_parameters_survive(faulty: Faulty, subscription: PubSubSubscription) -> None:
    """Attributes called `topic`, `data`, `retry` or `ordering_key` are attributes like any other."""
    attributes = dict.fromkeys(("topic", "data", "retry", "timeout", "ordering_key"), "value")

    subscription.dead_letter(Message(b"x", attributes), "reason")

    sent = dict(faulty.requests("Publish")[0].messages[0].attributes)
    assert sent == {**attributes, "colony-dead-letter-reason": "reason"}


def test_full_names_stay_as_they_are(faulty: Faulty) -> None:
    """A topic of another project is named in full."""
    topic = PubSubTopic(PROJECT, "projects/other/topics/out", client=faulty.publisher())
    topic.publish([event("a", 1)])

    assert faulty.requests("Publish")[0].topic == "projects/other/topics/out"


def test_options_need_a_project(tmp_path: Any) -> None:
    """Without a project both ends of the bus are refused, and the mend names the way out."""
    values = {"project": "", "subscription": "s", "dead_letter_topic": "d", "events_topic": "e"}
    options = Options(tmp_path, lambda: NOW, "me", values)

    for build in (pubsub.subscription_from, pubsub.topic_from):
        with pytest.raises(Rejected, match="COLONY_BUS=local"):
            build(options)


def test_an_exactly_once_subscription_does(emulated: str, pulled: Pull) -> None:
    """With exactly-once delivery, ordering and a filter, as an owner may choose them, intake works as without."""
    from worker.adapters.bus.pubsub_clients import publisher, subscriber

    name = uuid.uuid4().hex
    topic = f"projects/{PROJECT}/topics/t{name}"
    wanted = {"name": f"projects/{PROJECT}/subscriptions/s{name}", "topic": topic, "filter": 'attributes.a = "b"'}
    flags = {"enable_exactly_once_delivery": True, "enable_message_ordering": True}
    publishing, subscribing = publisher(), subscriber()
    publishing.create_topic(request={"name": topic})
    subscribing.create_subscription(request={**wanted, **flags})
    messages = [{"data": str(each).encode(), "attributes": {"a": "b"}, "ordering_key": "k"} for each in range(3)]
    publishing.publish(request={"topic": topic, "messages": messages})

    subscription = PubSubSubscription(PROJECT, f"s{name}", dead_letter_topic="dead", client=subscribing)
    found = pulled(subscription, 3)
    assert [one.body for one in found] == [b"0", b"1", b"2"]
    subscription.ack(found)
    assert list(subscription.pull(3, 1.0)) == []
    subscription.close()
    publishing.transport.close()
