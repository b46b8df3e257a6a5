"""Messages in hand: their leases, the batch that comes ahead, what is given back at the end, and memory."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from google.api_core.exceptions import InvalidArgument, ResourceExhausted
from google.rpc.error_details_pb2 import ErrorInfo

from tests.google_pubsub import PubSubServer
from worker.adapters.bus.pubsub import PubSubSubscription
from worker.adapters.bus.pubsub_acks import ATTEMPTS, again
from worker.adapters.bus.pubsub_leases import AGAIN_S, EVERY_S, FIRST_S, LONGEST_S, Leases
from worker.adapters.bus.pubsub_room import BATCH_BYTES, Room
from worker.errors import TryLater

TOPIC, SUBSCRIPTION = "projects/p/topics/in", "projects/p/subscriptions/in"
PATIENCE_S = 60.0
DEADLINE_S = int(FIRST_S) + 1


class _Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _turned_by_hand(_run: Callable[[], None]) -> None:
    """Start nothing: a thread beside the test would take turns of its own on the test's clock."""


def test_leases_are_kept_until_they_are_answered() -> None:
    """What is in hand is moved on soon, then regularly; what was answered is not, and what takes too long is let go."""
    clock, extended = _Clock(), list[list[str]]()
    leases = Leases(lambda receipts: extended.append(sorted(receipts)), clock, _turned_by_hand)
    leases.hold(["a", "b"])
    leases.turn()
    assert extended == []

    clock.now = FIRST_S
    leases.turn()
    leases.release(["a"])
    leases.hold(["c"])
    clock.now += EVERY_S
    leases.turn()
    assert extended == [["a", "b"], ["b"], ["c"]]

    leases.release(["c"])
    clock.now = LONGEST_S
    leases.turn()
    assert len(extended) == 3
    assert leases.close() == []


def test_a_lease_that_could_not_be_kept_is_tried_again_soon() -> None:
    """When Pub/Sub is away the next try comes after a moment, not after the usual time."""
    clock, tries = _Clock(), list[float]()

    def extend(_receipts: Sequence[str]) -> None:
        tries.append(clock.now)
        raise TryLater("away")

    leases = Leases(extend, clock, _turned_by_hand)
    leases.hold(["a"])
    for moment in (FIRST_S, FIRST_S + AGAIN_S - 0.1, FIRST_S + AGAIN_S):
        clock.now = moment
        leases.turn()

    assert tries == [FIRST_S, FIRST_S + AGAIN_S]
    assert leases.close() == ["a"]


@pytest.fixture(name="clock")
def _clock() -> _Clock:
    """Give the clock of the server's deadlines: on a busy machine they must not pass while nobody looks."""
    return _Clock()


@pytest.fixture(name="server")
def _server(clock: _Clock) -> Iterator[PubSubServer]:
    """A Pub/Sub with one subscription, whose deadline is a little longer than the first extension takes to come."""
    server = PubSubServer(now=clock)
    _subscribe(server)
    yield server
    server.close()


def _subscribe(server: PubSubServer) -> None:
    server.publisher().create_topic(request={"name": TOPIC})
    wanted = {"name": SUBSCRIPTION, "topic": TOPIC, "ack_deadline_seconds": DEADLINE_S}
    server.subscriber().create_subscription(request=wanted)


def _send(server: PubSubServer, number: int) -> None:
    messages = [{"data": str(each).encode()} for each in range(number)]
    server.publisher().publish(request={"topic": TOPIC, "messages": messages})


def _subscription(server: PubSubServer) -> PubSubSubscription:
    clients = {"client": server.subscriber(), "publisher": server.publisher()}
    return PubSubSubscription("p", "in", dead_letter_topic="dead", **clients)


def _until(true: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_batch_that_takes_long_is_not_given_to_another(server: PubSubServer, clock: _Clock) -> None:
    """A batch in hand beyond its deadline stays ours, and its acknowledgement still counts."""
    _send(server, 3)
    ours, other = _subscription(server), _subscription(server)
    (first, *_) = batch = ours.pull(3, PATIENCE_S)

    _until(lambda: min(held.until for held in server.queues[SUBSCRIPTION].leased.values()) > DEADLINE_S)
    clock.now = DEADLINE_S + 0.2
    assert list(other.pull(3, 0.5)) == []
    ours.ack(batch)
    ours.close()

    assert server.left(SUBSCRIPTION) == 0
    assert first.receipt in server.requests("ModifyAckDeadline")[0].ack_ids
    other.close()


def test_the_next_batch_comes_while_the_last_is_handled(server: PubSubServer) -> None:
    """One batch comes ahead, not two; at the end everything that was not answered is given back at once."""
    _send(server, 9)
    ours = _subscription(server)
    first = ours.pull(3, PATIENCE_S)

    _until(lambda: len(server.leased(SUBSCRIPTION)) == 6)
    ours.ack(first)
    assert len(ours.pull(2, PATIENCE_S)) == 2
    assert server.count("Pull") == 2
    assert len(ours.pull(2, PATIENCE_S)) == 1
    _until(lambda: len(server.leased(SUBSCRIPTION)) == 6 - 1)
    ours.close()

    assert server.leased(SUBSCRIPTION) == []
    assert server.left(SUBSCRIPTION) == 6


def test_large_messages_make_small_batches() -> None:
    """What was asked for shrinks with the size of what came, and with each answer that was too large; then it grows."""
    room = Room(1000)
    assert room.most(500) == 500

    room.saw(10, 10 * 1024 * 1024)
    assert room.most(500) == BATCH_BYTES // (1024 * 1024)
    assert room.overflowed(ResourceExhausted("CLIENT: Received message larger than max"), asked=8)
    assert room.most(500) == 4
    huge = ResourceExhausted("CLIENT: Received message larger than max (300000000 vs. 67108864)")
    assert room.overflowed(huge, asked=30)
    assert room.most(500) == BATCH_BYTES // 10_000_000
    assert not room.overflowed(ResourceExhausted("quota"), asked=3)

    for _ in range(20):
        room.saw(10, 6000)
    assert room.most(500) == 500


def test_what_failed_for_a_moment_is_acknowledged_again() -> None:
    """Under exactly-once delivery some receipts of a call may fail: those that may pass are tried again, alone."""
    asked: list[list[str]] = []

    def call(receipts: list[str]) -> None:
        asked.append(receipts)
        told = {"b": "TRANSIENT_FAILURE_UNORDERED_ACK_ID", "c": "PERMANENT_FAILURE_INVALID_ACK_ID"}
        left = {one: told[one] for one in receipts if one in told and len(asked) == 1}
        if left:
            raise InvalidArgument("some failed", details=[ErrorInfo(metadata=left)])

    again(call, ["a", "b", "c"])
    assert asked == [["a", "b", "c"], ["b"]]

    def never(receipts: list[str]) -> None:
        asked.append(receipts)
        raise InvalidArgument("all failed", details=[ErrorInfo(metadata=dict.fromkeys(receipts, "TRANSIENT_X"))])

    asked.clear()
    with pytest.raises(InvalidArgument):
        again(never, ["a"])
    assert asked == [["a"]] * ATTEMPTS


def test_an_answer_that_is_too_large_ends_nothing(server: PubSubServer, clock: _Clock) -> None:
    """Messages that together are more than one answer may hold come in smaller answers."""
    for _ in range(8):
        server.publisher().publish(
            request={"topic": TOPIC, "messages": [{"data": b"x" * 1_000_000}]}, timeout=PATIENCE_S
        )
    clients = {"client": server.subscriber(limit=3_500_000), "publisher": server.publisher()}
    ours = PubSubSubscription("p", "in", dead_letter_topic="dead", **clients)

    end = time.monotonic() + PATIENCE_S
    while server.left(SUBSCRIPTION):
        assert time.monotonic() < end
        taken = ours.pull(8, 0.3)
        ours.ack(taken)
        # What was in an answer that never came is given out again once its deadline is over.
        clock.now += 0 if taken else 2 * DEADLINE_S

    asked = [request.max_messages for request in server.requests("Pull")]
    assert (asked[0], min(asked)) == (8, 2)
    ours.close()
