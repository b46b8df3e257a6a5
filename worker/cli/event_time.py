"""What time it is in a replay: the newest event time seen, which no event from the future can move."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from worker.clock import EPOCH, Clock, VirtualClock, parse_time, wall_clock
from worker.errors import Rejected
from worker.intake.consume import BATCH
from worker.intake.envelope import Event, open_envelope
from worker.intake.port import Message
from worker.intake.quick import QuickEvent, quick_envelope

AHEAD = timedelta(minutes=5)


class _Data(msgspec.Struct, gc=False):
    evaluatedAt: str | None = None  # noqa: N815 - the event's own name


_DECODE = msgspec.json.Decoder(_Data).decode


class EventTime:
    """The virtual clock of a recording."""

    def __init__(self, wall: Clock = wall_clock) -> None:
        """Begin before every event; `wall` tells what lies in the future."""
        self.clock = VirtualClock()
        self._wall = wall
        self._begun = False

    def __call__(self, event: Event | None) -> datetime:
        """Return the time for an event; events without any time happen now."""
        told, newest = told_time(event), self.clock()
        if told is None or told <= newest:
            return self.now()
        if told <= self._wall() + AHEAD:
            self.clock.advance(told)
            return told
        return self.now()

    def begin(self, messages: Sequence[Message]) -> None:
        """Begin where a recording does: at the first time that its first messages tell, were others before it or not.

        Else an event without a time that comes first would happen now, and all that follow would be older than it.
        """
        if not self._begun and self.clock() == EPOCH:
            told = next(filter(None, map(self.of_message, messages)), None)
            if told is not None:
                self.clock.advance(told)
        self._begun = True

    def of_message(self, message: Message) -> datetime | None:
        """Return the time that a message would bring, None if it brings none."""
        try:
            told = told_time(quick_envelope(message) or open_envelope(message))
        except Rejected:
            return None
        return told if told is not None and told <= self._wall() + AHEAD else None

    def now(self) -> datetime:
        """Return the newest event time, or the wall clock's before there is one."""
        return self._wall() if self.clock() == EPOCH else self.clock()


def told_time(event: Event | None) -> datetime | None:
    """Return the time that an event tells of itself, None if none can be read."""
    if event is None:
        return None
    try:
        return parse_time(_evaluated_at(event))
    except (KeyError, TypeError, ValueError):
        return event.time


def _evaluated_at(event: Event) -> Any:
    """Return what the data say of the time; of an event that was opened quickly nothing else is decoded for it."""
    if isinstance(event, QuickEvent):
        try:
            return _DECODE(event.text).evaluatedAt
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return event.data["evaluatedAt"]
    return event.data["evaluatedAt"]


def batches(subscription: Any, time_: EventTime) -> Iterator[Sequence[Message]]:
    """Yield a recording's messages as they come; time begins with the first of them."""
    while not subscription.exhausted():
        messages = subscription.pull(BATCH, 1.0)
        time_.begin(messages)
        yield messages
