"""Events of our own on their way to our own intake."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.worker import world
from tests.worker.world import NOW, data
from worker.adapters.ledger.sql import SqlLedger
from worker.errors import Rejected, TryLater
from worker.intake.consume import Consumer
from worker.intake.own import hand_over
from worker.publish.port import Outgoing


class Bus:
    """A topic that keeps what it is given, or confirms nothing."""

    def __init__(self, *, away: bool = False) -> None:
        self.given: list[Outgoing] = []
        self._away = away

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Take events."""
        self.given += events
        return [] if self._away else [event.id for event in events]

    def verify(self) -> None:
        """There is nothing to call."""

    def close(self) -> None:
        """There is nothing to close."""


def _event(**changes: Any) -> Outgoing:
    return Outgoing("one", "model.evaluated", "spam-guard", 0, NOW, data(**changes), "//colony/monitor")


@pytest.fixture(name="ledger")
def _ledger(tmp_path: Path) -> SqlLedger:
    ledger = world.new_ledger(tmp_path)
    world.put_into_production(ledger)
    return ledger


def _consumers(ledger: SqlLedger) -> Any:
    return lambda *, subscription: Consumer(subscription, ledger, world.handlers(ledger), world.now_for)


def test_without_a_bus_the_intake_decides_at_once(ledger: SqlLedger) -> None:
    """The event is decided as any other, and a second time it is a duplicate by its source and id."""
    first = hand_over(_event(), None, _consumers(ledger))
    again = hand_over(_event(), None, _consumers(ledger))
    assert first is not None
    assert again is not None
    assert (first["action"], again["action"]) == ("trigger", "duplicate")
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("//colony/monitor", "one") == 2
        assert len(transaction.runs.list()) == 1


def test_what_the_intake_turns_away_is_an_error_and_kept(ledger: SqlLedger) -> None:
    """A bee that nobody knows goes to the dead letters, and the giver hears why."""
    with pytest.raises(Rejected, match="stranger"):
        hand_over(_event(beeId="stranger"), None, _consumers(ledger))
    with ledger.begin(write=False) as transaction:
        assert len(transaction.inbox.dead_letters()) == 1


def test_with_a_bus_it_goes_there(ledger: SqlLedger) -> None:
    """The bus gets the event, and the ledger nothing."""
    bus = Bus()
    assert hand_over(_event(), bus, _consumers(ledger)) is None
    assert [event.id for event in bus.given] == ["one"]
    with ledger.begin(write=False) as transaction:
        assert transaction.inbox.deliveries("//colony/monitor", "one") == 0


def test_what_the_bus_does_not_confirm_is_to_be_given_again(ledger: SqlLedger) -> None:
    """Without its id among the confirmed ones the event was not taken."""
    with pytest.raises(TryLater, match="not confirmed"):
        hand_over(_event(), Bus(away=True), _consumers(ledger))
