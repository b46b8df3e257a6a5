"""Events that are none of ours: a subscription's filter is a saving that may be missing, so they are told apart here.

Only what names its type outside its body (a CloudEvent in binary mode) is told so, as a filter would: its body may be
anything. What names an unknown type inside its body was sent to us, and is turned away.
"""

from collections.abc import Collection, Mapping
from typing import Any

from worker.intake.envelope import MAX_ID, Event
from worker.intake.port import Message

_LONGEST = MAX_ID


def foreign(message: Message, handled: Collection[str]) -> Event | None:
    """Return what a message says it is, if it says so outside its body and nothing here handles that; else None."""
    attributes = message.attributes
    named = tuple(attributes.get(f"ce-{name}", "") for name in ("source", "id", "type"))
    if named[2] in handled or attributes.get("ce-specversion") != "1.0":
        return None
    source, id_, type_ = named
    # What cannot be recorded as it is takes the usual way, which says what is wrong with it.
    if not all(name and name.isprintable() and len(name.encode()) <= _LONGEST for name in named):
        return None
    return Event(source=source, id=id_, type=type_, time=message.published_at, data={})


class Ignored:
    """The handler of what is ignored: it is recorded as any other, and nothing follows."""

    def parse(self, event: Event, now: Any) -> None:
        """Read nothing."""

    def bee(self, parsed: Any) -> str:  # noqa: ARG002 - the port's signature
        """Nobody's."""
        return ""

    def apply(self, event: Event, parsed: Any, transaction: Any, now: Any) -> Mapping[str, Any]:  # noqa: ARG002
        """Do nothing, and say so."""
        reason = f"nothing here handles the type {event.type!r}"
        return {"eventId": event.id, "source": event.source, "action": "ignored", "reason": reason}

    def repeated(self, event: Event, parsed: Any, transaction: Any) -> Mapping[str, Any]:
        """Say the same again."""
        return self.apply(event, parsed, transaction, None)


IGNORED = Ignored()
