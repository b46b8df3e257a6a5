"""Whatever goes wrong with a call to Pub/Sub, before or after its effect, the end is that of an undisturbed run."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import pytest

from tests.google_pubsub import PubSubServer
from tests.google_server import Fault
from tests.worker import world
from worker.adapters.bus.pubsub import PubSubSubscription, PubSubTopic
from worker.adapters.bus.pubsub_setup import Names, init
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import TryLater
from worker.intake.consume import Consumer, Limits
from worker.publish.relay import Relay

PROJECT = "p"
NAMES = Names()
INTAKE = f"projects/{PROJECT}/subscriptions/{NAMES.intake_subscription}"
LETTERS = f"projects/{PROJECT}/subscriptions/{NAMES.dead_letter_subscription}"
HEARD = f"projects/{PROJECT}/subscriptions/heard"
EVENTS, BATCH = 36, 2
#: Each with an event of its own, so that nothing depends on the order in which they come.
BEES = {f"bee-{number:02}": world.BEE.model_copy(update={"bee": f"bee-{number:02}"}) for number in range(EVENTS)}
#: A deadline of a minute passes in this part of it.
SCALE = 0.01
PATIENCE_S = 60.0

CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
)
FAULTS = [
    *(Fault(code, after_effect=after) for code in CODES for after in (False, True)),
    *(Fault(cut=True, after_effect=after) for after in (False, True)),
]


@dataclass(frozen=True)
class Colony:
    """A worker's intake and relay on a stand-in for Pub/Sub."""

    server: PubSubServer
    ledger: SqlLedger
    consumer: Consumer
    relay: Relay
    subscription: PubSubSubscription

    def turn(self) -> None:
        """Take one batch and publish what waits; what is away is tried again with the next turn."""
        for work in (lambda: self.consumer.turn(0.1, limit=BATCH), self.relay.turn):
            try:
                work()
            except TryLater:
                continue

    def finish(self) -> None:
        """Turn until every message was acknowledged and every event published."""
        until = time.monotonic() + PATIENCE_S
        while self.server.left(INTAKE) or self.waiting():
            assert time.monotonic() < until, (self.server.left(INTAKE), self.waiting())
            self.turn()

    def waiting(self) -> int:
        """Return how many events wait to be published."""
        with self.ledger.begin(write=False) as transaction:
            return transaction.outbox.waiting()

    def end(self) -> Mapping[str, Any]:
        """Return what there is in the end, each thing once: delivery is at least once."""
        with self.ledger.begin(write=False) as transaction:
            decided = {one.event_id: (one.bee, one.action) for one in transaction.decisions.list()}
            inside = sorted(letter.body for letter in transaction.inbox.dead_letters())
        told: dict[str, dict[str, str]] = {}
        for message in self.server.messages(HEARD):
            of = message.attributes
            told.setdefault(message.ordering_key, {}).setdefault(of["ce-id"], f"{of['ce-sequence']} {of['ce-type']}")
        outside = sorted({message.data for message in self.server.messages(LETTERS)})
        in_order = {bee: list(events.values()) for bee, events in told.items()}
        return {"decided": decided, "told": in_order, "kept": inside, "dead": outside}


class _FailsOnce:
    """A handler whose first try of each second event fails, so that messages are given back."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._failed: set[str] = set()

    def apply(self, event: Any, *rest: Any) -> Any:
        if int(event.id[2:]) % 2 and event.id not in self._failed:
            self._failed.add(event.id)
            raise RuntimeError("not yet")
        return self._inner.apply(event, *rest)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@contextmanager
def started() -> Iterator[Colony]:
    """Give a colony whose intake is full."""
    server = PubSubServer(SCALE)
    init(PROJECT, NAMES, subscriber=server.subscriber(), publisher=server.publisher())
    far = {"name": HEARD, "topic": f"projects/{PROJECT}/topics/{NAMES.published_topic}"}
    server.subscriber().create_subscription(request=far)
    topic = f"projects/{PROJECT}/topics/{NAMES.intake_topic}"
    server.publisher().publish(request={"topic": topic, "messages": messages()})
    ledger = world.memory_ledger()
    for bee in BEES:
        world.put_into_production(ledger, bee=bee)
    colony = _colony(server, ledger)
    try:
        yield colony
    finally:
        colony.subscription.close()
        colony.relay.topic.close()
        ledger.close()
        server.close()


def _colony(server: PubSubServer, ledger: SqlLedger) -> Colony:
    subscription = PubSubSubscription(
        PROJECT,
        NAMES.intake_subscription,
        dead_letter_topic=NAMES.dead_letter_topic,
        client=server.subscriber(),
        publisher=server.publisher(),
    )
    handlers = {name: _FailsOnce(handler) for name, handler in world.handlers(ledger, BEES).items()}
    consumer = Consumer(subscription, ledger, handlers, world.now_for, limits=Limits(backoff_s=0.1))
    topic = PubSubTopic(PROJECT, NAMES.published_topic, client=server.publisher())
    return Colony(server, ledger, consumer, Relay(ledger, topic, lambda: world.NOW, "me"), subscription)


def messages() -> Sequence[Mapping[str, Any]]:
    """Return an evaluation of each bee, every third of them bad, a repeat among them, and poison."""
    made = []
    for number, bee in enumerate(BEES):
        body = world.data(beeId=bee) if number % 3 == 0 else world.healthy(beeId=bee)
        sent = world.message(f"e-{number:02}", body)
        made.append({"data": sent.body, "attributes": sent.attributes})
    return [*made, made[5], {"data": b"{poison"}, {"data": b"{more poison"}]


@pytest.fixture(name="undisturbed", scope="module")
def _undisturbed() -> Mapping[str, Any]:
    """What comes of the messages when nothing goes wrong."""
    with started() as colony:
        colony.finish()
        return colony.end()


def test_what_an_undisturbed_run_does(undisturbed: Mapping[str, Any]) -> None:
    """Each bee is decided about once, the bad ones are told of in order, and poison is kept inside and outside."""
    assert len(undisturbed["decided"]) == EVENTS
    assert sorted(undisturbed["told"]) == [bee for number, bee in enumerate(BEES) if number % 3 == 0]
    assert undisturbed["kept"] == undisturbed["dead"] == [b"{more poison", b"{poison"]


@pytest.mark.parametrize("method", ["Pull", "Acknowledge", "ModifyAckDeadline", "Publish"])
def test_a_fault_at_every_call(method: str, undisturbed: Mapping[str, Any]) -> None:
    """Every fault, before and after the effect, and a cut line, at every call in turn: the end is the same."""
    with started() as colony:
        # In between a call goes well: the pauses before further attempts would grow with each fault.
        colony.server.fail(method, *[each for fault in FAULTS for each in (fault, None)])
        colony.finish()

        assert colony.server.count(method) >= 2 * len(FAULTS) - 1
        assert colony.end() == undisturbed


def test_a_pull_that_hangs(undisturbed: Mapping[str, Any]) -> None:
    """A pull that is never answered ends with its own deadline, and the next one goes on."""
    with started() as colony:
        colony.server.fail("Pull", *[Fault(hangs_s=PATIENCE_S, after_effect=after) for after in (False, True)])
        colony.finish()

        assert colony.end() == undisturbed


def test_publishing_fails_for_long(undisturbed: Mapping[str, Any]) -> None:
    """While nothing can be published the intake goes on and the outbox grows; then all of it leaves, in order."""
    with started() as colony:
        colony.server.fail("Publish", *[Fault(grpc.StatusCode.PERMISSION_DENIED)] * 10_000)
        until = time.monotonic() + PATIENCE_S
        while colony.waiting() < sum(map(len, undisturbed["told"].values())) and time.monotonic() < until:
            colony.turn()
        assert colony.end()["told"] == {}

        colony.server.mend("Publish")
        colony.finish()

        assert colony.end() == undisturbed


@pytest.mark.parametrize(
    "method", ["GetTopic", "CreateTopic", "GetSubscription", "CreateSubscription", "UpdateSubscription"]
)
def test_setting_up_goes_on_after_faults(method: str) -> None:
    """Whatever goes wrong while topics and subscriptions are made, afterwards they are as without it."""
    wanted = _set_up(method, None)
    for fault in FAULTS:
        assert _set_up(method, fault) == wanted, fault


def _set_up(method: str, fault: Fault | None) -> tuple[Any, Any]:
    """Return the topics and subscriptions that come of a subscription made by hand, and `init` with a fault."""
    with closing(PubSubServer()) as server:
        client, publisher = server.subscriber(), server.publisher()
        topic = f"projects/{PROJECT}/topics/{NAMES.intake_topic}"
        publisher.create_topic(request={"name": topic})
        client.create_subscription(request={"name": INTAKE, "topic": topic, "ack_deadline_seconds": 10})
        server.fail(method, fault)
        init(PROJECT, NAMES, subscriber=client, publisher=publisher)
        assert list(init(PROJECT, NAMES, subscriber=client, publisher=publisher)) == []
        return server.topics, {name: queue.asked for name, queue in server.queues.items()}
