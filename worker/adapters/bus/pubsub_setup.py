"""Creates the topics and subscriptions that the colony needs, as often as one likes (`colony pubsub init`)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import AlreadyExists
from google.cloud.pubsub_v1 import PublisherClient, SubscriberClient

from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, verified

ACK_DEADLINE_S = 60
RETENTION = timedelta(days=7)
BACKOFF = (timedelta(seconds=10), timedelta(seconds=600))
#: With the back-off above, some hours of outage; what is judged bad goes to the dead letters at once.
DELIVERIES = 100


@dataclass(frozen=True)
class Names:
    """The five names, short or full."""

    intake_topic: str = "colony-events"
    intake_subscription: str = "colony-events-worker"
    dead_letter_topic: str = "colony-dead-letters"
    dead_letter_subscription: str = "colony-dead-letters-review"
    published_topic: str = "colony-published"


def init(
    project: str,
    names: Names = Names(),
    *,
    subscriber: Any = None,
    publisher: Any = None,
    backoff: tuple[timedelta, timedelta] = BACKOFF,
) -> Sequence[str]:
    """Create what is missing and return the full names of what was created; what exists is left as it is.

    Args:
        project: the Google project.
        names: the topics and subscriptions.
        subscriber: a SubscriberClient, else one is made.
        publisher: a PublisherClient, else one is made.
        backoff: the shortest and the longest wait before a message that was given back comes again.

    Raises:
        Rejected: no permission, no such project, a wrong name.
        TryLater: Pub/Sub cannot be reached.
    """
    created: list[str] = []

    def make(create: Callable[..., object], name: str, request: dict[str, Any]) -> None:
        with verified(name):
            try:
                create(request={"name": name, **request}, timeout=ATTEMPT_S, retry=retrying())
                created.append(name)
            except AlreadyExists:
                return

    with verified(f"projects/{project}"):
        subscriber = subscriber or SubscriberClient()
        publisher = publisher or PublisherClient()
    topics = (names.intake_topic, names.dead_letter_topic, names.published_topic)
    for topic in topics:
        make(publisher.create_topic, path(project, "topics", topic), {})
    intake, dead_letters, _ = (path(project, "topics", topic) for topic in topics)
    make(
        subscriber.create_subscription,
        path(project, "subscriptions", names.intake_subscription),
        _subscription(intake) | _redelivery(dead_letters, backoff),
    )
    make(
        subscriber.create_subscription,
        path(project, "subscriptions", names.dead_letter_subscription),
        _subscription(dead_letters),
    )
    return created


def _subscription(topic: str) -> dict[str, Any]:
    return {
        "topic": topic,
        "ack_deadline_seconds": ACK_DEADLINE_S,
        "message_retention_duration": RETENTION,
        # An empty policy means that the subscription never expires; without one it is deleted after 31 idle days.
        "expiration_policy": {},
        # Intake compares event times itself; an ordered subscription would let one message hold up its key.
        "enable_message_ordering": False,
    }


def _redelivery(dead_letters: str, backoff: tuple[timedelta, timedelta]) -> dict[str, Any]:
    return {
        "retry_policy": {"minimum_backoff": backoff[0], "maximum_backoff": backoff[1]},
        "dead_letter_policy": {"dead_letter_topic": dead_letters, "max_delivery_attempts": DELIVERIES},
    }
