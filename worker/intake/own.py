"""Events of our own for our own intake: by the bus where there is one, else handed to it as a message would be."""

from collections.abc import Mapping
from typing import Any, Protocol

from worker.errors import Rejected, TryLater
from worker.intake.consume import Consumer
from worker.intake.given import Given
from worker.intake.port import Message, Subscription
from worker.intake.receive import Verdict
from worker.publish.events import attributes, data
from worker.publish.port import Outgoing, Topic


class Consumers(Protocol):
    """Makes the intake of a subscription."""

    def __call__(self, *, subscription: Subscription) -> Consumer:
        """Return it."""
        ...


def hand_over(event: Outgoing, topic: Topic | None, consumers: Consumers) -> Mapping[str, Any] | None:
    """Give an event to the intake, and return what it concluded where that is known at once.

    Raises:
        TryLater: it was not taken; give it again.
        Rejected: the intake turned it away, and has kept it as a dead letter.
    """
    if topic is not None:
        if event.id not in topic.publish([event]):
            raise TryLater(f"event {event.id} was not confirmed")
        return None
    (received,) = consumers(subscription=Given()).handle([Message(data(event), attributes(event), event.id)])
    if received.verdict is Verdict.RETRY:
        raise TryLater(received.reason or "the event could not be handled; the log says why")
    if received.verdict is Verdict.DEAD_LETTER:
        raise Rejected(received.reason, field=event.type, mend="`colony dead-letters` shows it")
    return received.result
