"""What every bus does, run once per backend of the table."""

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from worker.adapters.bus import BACKENDS
from worker.intake.port import Message
from worker.publish.port import Outgoing

Pull = Callable[..., list[Message]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(bee: str, sequence: int, **data: Any) -> Outgoing:
    """One outgoing event with an id of its own."""
    return Outgoing(f"{bee}-{sequence}", "pipeline.run.started", bee, sequence, NOW, data)


def test_the_table_names_modules_that_exist() -> None:
    """Every backend of the table can be imported."""
    for module in BACKENDS.values():
        import_module(module)


def test_a_message_arrives_as_it_was_sent(bus: Any, pulled: Pull) -> None:
    """Body and attributes arrive unchanged, also bytes that are no text, with an id and a receipt."""
    bus.send([(b'{"beeId": "spam-guard"}', {"ce-id": "1"}), (b"\xff\x00 not text", {"note": "ünïcode"})])

    got = {message.body: message for message in pulled(bus.subscription, 2)}

    assert set(got) == {b'{"beeId": "spam-guard"}', b"\xff\x00 not text"}
    assert got[b'{"beeId": "spam-guard"}'].attributes == {"ce-id": "1"}
    assert got[b"\xff\x00 not text"].attributes == {"note": "ünïcode"}
    assert all(message.message_id and message.receipt for message in got.values())


def test_no_more_comes_than_was_asked_for(bus: Any) -> None:
    """One pull gives at most `limit` messages."""
    bus.send([(str(number).encode(), {}) for number in range(5)])

    assert 1 <= len(bus.subscription.pull(2, 5.0)) <= 2


def test_an_empty_bus_gives_nothing(bus: Any) -> None:
    """A pull with nothing to give comes back empty, without an error."""
    assert list(bus.subscription.pull(10, 0.1)) == []


def test_what_is_acknowledged_stays_away_and_what_is_given_back_comes_again(bus: Any, pulled: Pull) -> None:
    """Of three messages, the one acknowledged never comes again, the two given back do."""
    bus.send([(b"1", {}), (b"2", {}), (b"3", {})])
    messages = {message.body: message for message in pulled(bus.subscription, 3)}

    bus.subscription.ack([messages[b"2"]])
    bus.subscription.retry([messages[b"1"], messages[b"3"]])

    again = pulled(bus.subscription, 2)
    assert sorted(message.body for message in again) == [b"1", b"3"]
    bus.subscription.ack(again)
    assert list(bus.subscription.pull(10, 1.0)) == []


def test_redeliveries_are_counted(bus: Any, pulled: Pull) -> None:
    """A message that was given back tells that this is not its first delivery."""
    bus.send([(b"1", {})])
    bus.subscription.retry(pulled(bus.subscription, 1))

    (again,) = pulled(bus.subscription, 1)
    assert again.delivery_attempt is not None
    assert again.delivery_attempt >= 2


def test_a_dead_letter_keeps_everything(bus: Any, pulled: Pull) -> None:
    """Body, attributes and reason lie in the dead letters, and the acknowledged message is gone."""
    bus.send([(b"\x00broken", {"ce-id": "7"})])
    (message,) = pulled(bus.subscription, 1)

    bus.subscription.dead_letter(message, "data.beeId: missing. Name the bee.")
    bus.subscription.ack([message])

    ((body, attributes, reason),) = bus.dead_letters()
    assert body == b"\x00broken"
    assert attributes["ce-id"] == "7"
    assert reason == "data.beeId: missing. Name the bee."


def test_a_long_reason_is_no_obstacle(bus: Any, pulled: Pull) -> None:
    """A reason longer than the bus takes is cut at a whole character, not refused."""
    bus.send([(b"x", {})])
    (message,) = pulled(bus.subscription, 1)

    bus.subscription.dead_letter(message, "é" * 5000)

    ((_, _, reason),) = bus.dead_letters()
    assert set(reason) == {"é"}
    assert len(reason) >= 500


def test_events_arrive_in_the_order_of_each_bee(bus: Any) -> None:
    """Of two bees' events, mixed, each bee's arrive in the order of their sequence, and every id is confirmed."""
    events = [event(bee, sequence, n=sequence) for sequence in range(1, 21) for bee in ("spam-guard", "churn")]

    confirmed = bus.topic.publish(events)

    assert list(confirmed) == [one.id for one in events]
    arrived = bus.published()
    for bee in ("spam-guard", "churn"):
        mine = [(ident, sequence) for ident, about, sequence, _ in arrived if about == bee]
        assert mine == [(f"{bee}-{sequence}", sequence) for sequence in range(1, 21)]
    assert {type_ for *_, type_ in arrived} == {"pipeline.run.started"}


def test_a_bee_with_an_impossible_event_sends_nothing_after_it(bus: Any) -> None:
    """What cannot be written as JSON holds up its own bee from there on, and no other bee."""
    events = [event("a", 1), event("a", 2, x=float("nan")), event("a", 3), event("b", 1)]

    assert list(bus.topic.publish(events)) == ["a-1", "b-1"]
    assert sorted(ident for ident, *_ in bus.published()) == ["a-1", "b-1"]


def test_publishing_nothing_is_fine(bus: Any) -> None:
    """No events, no ids."""
    assert list(bus.topic.publish([])) == []


def test_verify_passes_on_a_bus_that_is_there(bus: Any) -> None:
    """The real call at boot succeeds, for intake and for publishing."""
    bus.subscription.verify()
    bus.topic.verify()
