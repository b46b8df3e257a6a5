"""Recorded messages → items: opened, parsed, told from duplicates, each with its time and its version's standing."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from worker.bee import BeeSpec
from worker.decide.evaluation import Evaluation
from worker.errors import ColonyError, Rejected
from worker.incidents.machine import incident_id
from worker.intake.envelope import Event
from worker.intake.port import Message
from worker.intake.quick import quick_envelope
from worker.intake.receive import EventHandler, open_message, readable
from worker.whatif.seen import Seen
from worker.whatif.shares import Share, bee_named
from worker.whatif.versions import Standing, Versions

_NOTHING = Standing(known=False, champion=None)


class Item(NamedTuple):
    """One message of a recording.

    Attributes:
        now: what time it is when it comes.
        evaluation: None for a dead letter.
        reason: why it is a dead letter.
        number: of the distinct event, from 0 on; `repeated` if it came before.
        key: the id of the incident that it would open.
        message_id: the bus's.
    """

    now: datetime
    message_id: str
    reason: str = ""
    source: str = ""
    event_id: str = ""
    evaluation: Evaluation | None = None
    bee: BeeSpec | None = None
    standing: Standing = _NOTHING
    number: int = -1
    repeated: bool = False
    key: str = ""


class Stream:
    """Reads messages in their order, each once."""

    def __init__(
        self,
        handlers: Mapping[str, EventHandler],
        now_for: Callable[[Event | None], datetime],
        versions: Versions,
        bee_of: Callable[[Evaluation], BeeSpec],
        *,
        ahead: timedelta = timedelta(minutes=5),
    ) -> None:
        """`now_for` tells what time an event brings; `bee_of` the spec that an evaluation is judged by.

        One further ahead of the time than `ahead` is refused, and says nothing of versions.
        """
        self._ahead = ahead
        self._handlers = handlers
        self._now_for = now_for
        self._versions = versions
        self._bee_of = bee_of
        self._seen = Seen()

    def items(self, messages: Iterable[Message]) -> Iterator[Item]:
        """Yield an item for each message, as they come."""
        for message in messages:
            yield self.item(message)

    def item(self, message: Message) -> Item:
        """Return the item of a message that has to be opened."""
        opened = open_message(message, self._handlers, self._now_for)
        if opened.event is None or opened.error is not None:
            return Item(self._now_for(None), message.message_id, _reason(opened.error))
        return self._item(opened.event, opened.parsed, opened.now, message.message_id)

    def shared(self, messages: Iterable[Message], share: Share) -> Iterator[Item | None]:
        """Yield an item for each message of the share, and None for every other; time goes by with all of them.

        A repeat is known only among the share's own: `ids` tells whether that was enough.
        """
        for message in messages:
            event = quick_envelope(message)
            named = None if event is None or event.type not in self._handlers else bee_named(event)
            if event is not None and named is not None and named not in share:
                self._now_for(event)
                yield None
                continue
            opened = open_message(message, self._handlers, self._now_for)
            if opened.event is None or opened.error is not None:
                # A dead letter that names no bee is counted once: in the first share.
                letter = Item(self._now_for(None), message.message_id, _reason(opened.error))
                yield letter if named is not None or share.first else None
            elif opened.parsed.bee in share:
                yield self._item(opened.event, opened.parsed, opened.now, message.message_id)
            else:
                yield None

    def ids(self) -> Sequence[int]:
        """Return a number for each distinct event, in order."""
        return self._seen.prefixes()

    def recorded(self, event: Event) -> Item:
        """Return the item of an event that was opened before."""
        now = self._now_for(event)
        try:
            parsed = self._handlers[event.type].parse(event, now)
        except Rejected as error:
            return Item(now, "", _reason(error))
        return self._item(event, parsed, now, "")

    def _item(self, event: Event, evaluation: Evaluation, now: datetime, message_id: str) -> Item:
        future = evaluation.evaluated_at - now > self._ahead
        if not future:
            self._versions.named(evaluation.bee, evaluation.version)
        number, new = self._seen.first(event.source, event.id)
        bee = self._bee_of(evaluation)
        if not new:
            return Item(now, message_id, "", event.source, event.id, evaluation, bee, _NOTHING, number, repeated=True)
        standing = _NOTHING if future else self._versions.standing(evaluation)
        key = incident_id(evaluation.bee, event.source, event.id)
        return Item(now, message_id, "", event.source, event.id, evaluation, bee, standing, number, key=key)


def _reason(error: Exception | None) -> str:
    """Return why a message is turned away; what is not foreseen would be tried again first."""
    if isinstance(error, ColonyError):
        return readable(str(error))
    return readable(f"failed: {type(error).__name__}: {error}")
