"""One batch of messages, one transaction: each once per (source, id), each with a verdict of its own."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
import structlog

from worker.errors import ColonyError, Rejected, TryLater
from worker.frozen import made
from worker.intake.envelope import Event, open_envelope
from worker.intake.foreign import IGNORED, foreign
from worker.intake.port import DeadLetter, Message
from worker.intake.quick import quick_envelope
from worker.ledger import Batch, Ledger, NotInBatch, Transaction

log = structlog.get_logger()

MAX_REASON = 2000


class Verdict(StrEnum):
    """What becomes of a message."""

    ACK = "ack"
    RETRY = "retry"
    DEAD_LETTER = "deadLetter"


#: By the class's name it is a search.
_ACK = Verdict.ACK


@dataclass(frozen=True)
class Received:
    """One message's verdict; `result` is what the handler concluded (for an evaluation: the decision, as printed)."""

    message: Message
    verdict: Verdict
    reason: str = ""
    result: Mapping[str, Any] | None = None


#: What time it is for an event: the wall clock, or in a replay the newest event time seen. None: no event to read.
NowFor = Callable[[Event | None], datetime]


class EventHandler(Protocol):
    """Reacts to one type of event."""

    def parse(self, event: Event, now: datetime) -> Any:
        """Return the event's data, checked; `now` where it tells no time. Raises Rejected with field and mend."""
        ...

    def bee(self, parsed: Any) -> str:
        """Return the bee whose lock handling it needs."""
        ...

    def apply(self, event: Event, parsed: Any, transaction: Transaction, now: datetime) -> Mapping[str, Any]:
        """Do what the event asks for, inside the transaction, and return what was concluded."""
        ...

    def repeated(self, event: Event, parsed: Any, transaction: Transaction) -> Mapping[str, Any]:
        """Return what to say of an event that was handled before; change nothing."""
        ...


class Opened(msgspec.Struct, frozen=True, gc=False):
    """What is inside a message: an event and its handler, with the data checked; or the error."""

    message: Message
    now: datetime
    event: Event | None = None
    handler: EventHandler | None = None
    parsed: Any = None
    bee: str | None = None
    error: Exception | None = None


def receive(
    messages: Sequence[Message], ledger: Ledger, handlers: Mapping[str, EventHandler], now_for: NowFor
) -> list[Received]:
    """Handle a batch and commit; only after this returned may anything be acknowledged.

    Raises:
        TryLater: the ledger is not available; nothing was changed and every message is to be given back.
    """
    opened = [open_message(message, handlers, now_for) for message in messages]
    try:
        return _together(opened, ledger)
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one row must not stop the others
        if len(opened) > 1:
            log.warning("a batch could not be written, its messages are handled one by one", reason=str(error))
        return [_alone(item, ledger) for item in opened]


def _together(opened: Sequence[Opened], ledger: Ledger) -> list[Received]:
    keys = [(item.event.source, item.event.id) for item in opened if item.event]
    with ledger.batch(keys, [item.bee for item in opened if item.bee]) as batch:
        return [_in_batch(item, batch) for item in opened]


def _in_batch(item: Opened, batch: Batch) -> Received:
    try:
        return _handle(item, batch)
    except NotInBatch:
        with batch.directly() as transaction:
            return _handle(item, transaction)


def _alone(item: Opened, ledger: Ledger) -> Received:
    """Handle one message in a transaction of its own; what even then cannot be written is tried again later."""
    try:
        with ledger.begin() as transaction:
            transaction.lock([item.bee] if item.bee else [])
            return _handle(item, transaction)
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001 - told apart by the type, as every other
        return _failed(item, error)


def dead_letter(message: Message, reason: str, now: datetime, event: Event | None = None) -> DeadLetter:
    """Return the record of a message that is turned away; the same message always has the same id."""
    return DeadLetter(
        id=message_id(message),
        source=event.source if event else "",
        event_id=event.id if event else readable(message.message_id),
        reason=readable(reason),
        received_at=now,
        deliveries=1,
        attributes={readable(key): readable(value) for key, value in message.attributes.items()},
        body=message.body,
        message_id=readable(message.message_id),
    )


def message_id(message: Message) -> str:
    """Return what names a message by its content: the same message always has the same."""
    attributes = "\n".join(f"{key}={value}" for key, value in sorted(message.attributes.items()))
    return hashlib.sha256(attributes.encode("utf-8", "surrogatepass") + b"\0" + message.body).hexdigest()


def readable(text: str) -> str:
    """Return a text that any database stores and any terminal shows: bounded, control characters escaped."""
    short = text if len(text) <= MAX_REASON else f"{text[:MAX_REASON]}… ({len(text):,} characters)"
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in short)


def open_message(message: Message, handlers: Mapping[str, EventHandler], now_for: NowFor) -> Opened:
    """Return what is inside a message, checked, or why it cannot be handled. Raises TryLater."""
    event = quick_envelope(message)
    if event is None or event.type not in handlers:
        return open_exactly(message, handlers, now_for)
    try:
        handler, now = handlers[event.type], now_for(event)
        parsed = handler.parse(event, now)
        return Opened(message, now, event, handler, parsed, handler.bee(parsed))
    except TryLater:
        raise
    except Exception:  # noqa: BLE001 - whatever is the matter, the exact way tells it in its own words
        return open_exactly(message, handlers, now_for)


def open_exactly(message: Message, handlers: Mapping[str, EventHandler], now_for: NowFor) -> Opened:
    """Open what is not usual: the words of every refusal are from here."""
    stranger = foreign(message, handlers)
    if stranger is not None:
        return Opened(message, now_for(None), stranger, IGNORED)
    event = None
    try:
        event = open_envelope(message)
        handler, now = _handler(event, handlers), now_for(event)
        parsed = handler.parse(event, now)
        return Opened(message, now, event, handler, parsed, handler.bee(parsed))
    except TryLater:
        raise
    except Exception as error:  # noqa: BLE001 - told apart in `_turned_away`: no message may stop the others
        return Opened(message, now_for(None), event, error=error)


def _handler(event: Event, handlers: Mapping[str, EventHandler]) -> EventHandler:
    if event.type not in handlers:
        mend = f"send one of: {', '.join(sorted(handlers))}; or filter the subscription"
        raise Rejected(f"nothing here handles the type {event.type!r}", field="type", mend=mend)
    return handlers[event.type]


def _handle(item: Opened, transaction: Transaction) -> Received:
    if item.error is not None or item.event is None or item.handler is None:
        return _turned_away(item, item.error, transaction)
    try:
        with transaction.savepoint():
            return _apply(item.message, item.event, item.handler, item.parsed, transaction, item.now)
    except (TryLater, NotInBatch):
        raise
    except Exception as error:  # noqa: BLE001 - one poison message must not stop the others
        return _turned_away(item, error, transaction)


def _turned_away(item: Opened, error: Exception | None, transaction: Transaction) -> Received:
    """Tell by the error's type: what will never be accepted is kept at once, all else is retried first."""
    if isinstance(error, Rejected):
        letter = dead_letter(item.message, str(error), item.now, item.event)
        transaction.inbox.add_dead_letter(letter)
        return Received(item.message, Verdict.DEAD_LETTER, letter.reason)
    return _failed(item, error)


def _failed(item: Opened, error: Exception | None) -> Received:
    said = str(error) if isinstance(error, ColonyError) else f"{type(error).__name__}: {error}"
    return Received(item.message, Verdict.RETRY, readable(said))


def _apply(
    message: Message, event: Event, handler: EventHandler, parsed: Any, transaction: Transaction, now: datetime
) -> Received:
    if not transaction.inbox.arrived(event.source, event.id, event.type, now):
        return Received(message, Verdict.ACK, "duplicate", handler.repeated(event, parsed, transaction))
    result = handler.apply(event, parsed, transaction, now)
    transaction.inbox.conclude(event.source, event.id, _ACK, result["reason"] if handler is IGNORED else None)
    return made(Received, {"message": message, "verdict": _ACK, "reason": "", "result": result})
