"""A stand-in for Pub/Sub in memory, of its own message types: leases, redelivery, dead letters' attempts, and faults.

The emulator does what it is asked; this one also goes wrong when it is asked to (see `google_server`).
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import empty_pb2
from google.pubsub_v1 import PublisherClient, SubscriberClient, types
from google.pubsub_v1.services.publisher.transports.grpc import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports.grpc import SubscriberGrpcTransport

from tests.google_server import GoogleServer, answering, plus


@dataclass
class _Held:
    """One message of one subscription."""

    message: Any
    deliveries: int = 0
    until: float = 0.0


@dataclass
class _Queue:
    """What one subscription has: what waits, and what is leased by receipt."""

    asked: Any
    waiting: deque[_Held] = field(default_factory=deque)
    leased: dict[str, _Held] = field(default_factory=dict)


class PubSubServer(GoogleServer):
    """Topics and subscriptions; `scale` makes every deadline shorter, so that a test need not wait for it.

    Where it may not depend on how quick a machine is whether a deadline passes, the test moves the clock `now`.
    """

    def __init__(self, scale: float = 1.0, now: Callable[[], float] = time.monotonic) -> None:
        """Listen, with no topics; deadlines go by `now`, in seconds."""
        self._scale, self._now = scale, now
        self.topics: dict[str, Any] = {}
        self.queues: dict[str, _Queue] = {}
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        self._channels: list[grpc.Channel] = []
        empty = empty_pb2.Empty
        super().__init__(
            {
                "google.pubsub.v1.Publisher": {
                    "CreateTopic": plus(self._create_topic, types.Topic, types.Topic),
                    "GetTopic": plus(self._get_topic, types.GetTopicRequest, types.Topic),
                    "Publish": plus(self._publish, types.PublishRequest, types.PublishResponse),
                },
                "google.pubsub.v1.Subscriber": {
                    "CreateSubscription": plus(self._create, types.Subscription, types.Subscription),
                    "GetSubscription": plus(self._get, types.GetSubscriptionRequest, types.Subscription),
                    "UpdateSubscription": plus(self._update, types.UpdateSubscriptionRequest, types.Subscription),
                    "Pull": plus(self._pull, types.PullRequest, types.PullResponse),
                    "Acknowledge": answering(self._acknowledge, types.AcknowledgeRequest, empty),
                    "ModifyAckDeadline": answering(self._modify, types.ModifyAckDeadlineRequest, empty),
                },
            }
        )

    def subscriber(self, limit: int = -1) -> Any:
        """Return a client of Google's that pulls from here, and takes answers of at most so many bytes."""
        options = [("grpc.max_receive_message_length", limit)]
        return SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel(options)))

    def publisher(self) -> Any:
        """Return a client of Google's that publishes to here."""
        return PublisherClient(transport=PublisherGrpcTransport(channel=self._channel()))

    def left(self, subscription: str) -> int:
        """Return how many messages a subscription has that were not acknowledged."""
        with self._changed:
            queue = self.queues[subscription]
            return len(queue.waiting) + len(queue.leased)

    def leased(self, subscription: str) -> list[str]:
        """Return the receipts that are in somebody's hand."""
        with self._changed:
            return list(self.queues[subscription].leased)

    def messages(self, subscription: str) -> list[Any]:
        """Return what waits, in order of arrival."""
        with self._changed:
            return [held.message for held in self.queues[subscription].waiting]

    def close(self) -> None:
        """Stop serving."""
        for channel in self._channels:
            channel.close()
        super().close()

    def _channel(self, options: Sequence[tuple[str, int]] = ()) -> grpc.Channel:
        made = grpc.insecure_channel(self.address, options=options)
        self._channels.append(made)
        return made

    def _create_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.name in self.topics:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{request.name} exists")
        self.topics[request.name] = request
        return request

    def _get_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.topic not in self.topics:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.topic} is not there")
        return self.topics[request.topic]

    def _publish(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.topic not in self.topics:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.topic} is not there")
        ids = []
        with self._changed:
            for message in request.messages:
                message.message_id = str(next(self._numbers))
                ids.append(message.message_id)
                for queue in self.queues.values():
                    if queue.asked.topic == request.topic:
                        queue.waiting.append(_Held(message))
            self._changed.notify_all()
        return types.PublishResponse(message_ids=ids)

    def _create(self, request: Any, context: grpc.ServicerContext) -> Any:
        if request.name in self.queues:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{request.name} exists")
        self.queues[request.name] = _Queue(request)
        return request

    def _get(self, request: Any, context: grpc.ServicerContext) -> Any:
        return self._queue(request.subscription, context).asked

    def _update(self, request: Any, context: grpc.ServicerContext) -> Any:
        queue = self._queue(request.subscription.name, context)
        for name in request.update_mask.paths:
            setattr(queue.asked, name, getattr(request.subscription, name))
        return queue.asked

    def _queue(self, name: str, context: grpc.ServicerContext) -> _Queue:
        if name not in self.queues:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{name} is not there")
        return self.queues[name]

    def _pull(self, request: Any, context: grpc.ServicerContext) -> Any:
        queue = self._queue(request.subscription, context)
        with self._changed:
            while context.is_active() and not self.closed.is_set():
                self._expire(queue)
                if queue.waiting:
                    return types.PullResponse(received_messages=self._taken(queue, request.max_messages))
                self._changed.wait(0.02)
        return types.PullResponse()

    def _taken(self, queue: _Queue, most: int) -> list[Any]:
        found = []
        while queue.waiting and len(found) < most:
            held = queue.waiting.popleft()
            held.deliveries += 1
            held.until = self._now() + (queue.asked.ack_deadline_seconds or 10) * self._scale
            receipt = f"{held.message.message_id}/{held.deliveries}"
            queue.leased[receipt] = held
            attempt = held.deliveries if queue.asked.dead_letter_policy else 0
            found.append(types.ReceivedMessage(ack_id=receipt, message=held.message, delivery_attempt=attempt))
        return found

    def _acknowledge(self, request: Any, context: grpc.ServicerContext) -> Any:
        queue = self._queue(request.subscription, context)
        with self._changed:
            self._expire(queue)
            for receipt in request.ack_ids:
                queue.leased.pop(receipt, None)
        return empty_pb2.Empty()

    def _modify(self, request: Any, context: grpc.ServicerContext) -> Any:
        queue = self._queue(request.subscription, context)
        with self._changed:
            self._expire(queue)
            for receipt in request.ack_ids:
                if receipt in queue.leased:
                    queue.leased[receipt].until = self._now() + request.ack_deadline_seconds * self._scale
            self._expire(queue)
            self._changed.notify_all()
        return empty_pb2.Empty()

    def _expire(self, queue: _Queue) -> None:
        now = self._now()
        for receipt, held in list(queue.leased.items()):
            if held.until <= now:
                queue.waiting.append(queue.leased.pop(receipt))
