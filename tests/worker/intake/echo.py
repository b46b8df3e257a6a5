"""A handler for tests of the intake."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from worker.intake.envelope import Event
from worker.ledger import Transaction


@dataclass
class Echo:
    """A handler that counts its calls and raises what a test asks for."""

    errors: Mapping[str, Exception] = field(default_factory=dict)
    parse_errors: Mapping[str, Exception] = field(default_factory=dict)
    applied: list[str] = field(default_factory=list)

    def parse(self, event: Event, now: datetime) -> str:
        """Return the event's id."""
        if event.id in self.parse_errors:
            raise self.parse_errors[event.id]
        return event.id

    def bee(self, parsed: str) -> str:
        """Everything is about one bee."""
        return "spam-guard"

    def apply(self, event: Event, parsed: str, transaction: Transaction, now: datetime) -> Mapping[str, Any]:
        """Write something, then fail if asked to."""
        self.applied.append(parsed)
        transaction.outbox.add("spam-guard", "x", parsed, 1, now, {})
        if parsed in self.errors:
            raise self.errors[parsed]
        return {"action": "done", "eventId": parsed}

    def repeated(self, event: Event, parsed: str, transaction: Transaction) -> Mapping[str, Any]:
        """Say so."""
        return {"action": "duplicate"}
