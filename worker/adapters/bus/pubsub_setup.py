"""Brings topics and subscriptions to what the colony needs, as often as one likes (`colony pubsub init`)."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.api_core.exceptions import AlreadyExists, NotFound
from google.pubsub_v1.types import Subscription

from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, verified
from worker.adapters.bus.pubsub_clients import publisher as new_publisher
from worker.adapters.bus.pubsub_clients import subscriber as new_subscriber
from worker.errors import Rejected

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
    """Make what is missing, change what differs, and return a line for each; nothing is done twice.

    A subscription's filter, ordering, exactly-once delivery and push endpoint are its owner's: they stay as they are.

    Args:
        project: the Google project.
        names: the topics and subscriptions.
        subscriber: a SubscriberClient, else one is made.
        publisher: a PublisherClient, else one is made.
        backoff: the shortest and the longest wait before a message that was given back comes again.

    Raises:
        Rejected: no permission, no such project, a wrong name, a subscription to another topic.
        TryLater: Pub/Sub cannot be reached.
    """
    with verified(f"projects/{project}"):
        subscriber = subscriber or new_subscriber()
        publisher = publisher or new_publisher()
    topics = (names.intake_topic, names.dead_letter_topic, names.published_topic)
    done = [_topic(publisher, path(project, "topics", topic)) for topic in topics]
    intake, dead_letters, _ = (path(project, "topics", topic) for topic in topics)
    wanted = {
        names.intake_subscription: _subscription(intake) | _redelivery(dead_letters, backoff),
        names.dead_letter_subscription: _subscription(dead_letters),
    }
    done += [_subscribed(subscriber, path(project, "subscriptions", name), how) for name, how in wanted.items()]
    return [line for line in done if line]


def grants(project: str, names: Names, push_email: str = "") -> Sequence[str]:
    """Return the commands that let Pub/Sub itself move dead letters, and sign push deliveries if there are any.

    They give Google's own service agent rights, which takes an owner of the project; repeating them is harmless.
    """
    number = f"$(gcloud projects describe {project} --format='value(projectNumber)')"
    agent = f'--member="serviceAccount:service-{number}@gcp-sa-pubsub.iam.gserviceaccount.com"'
    letters = path(project, "topics", names.dead_letter_topic)
    intake = path(project, "subscriptions", names.intake_subscription)
    commands = [
        f"gcloud pubsub topics add-iam-policy-binding {letters} {agent} --role=roles/pubsub.publisher",
        f"gcloud pubsub subscriptions add-iam-policy-binding {intake} {agent} --role=roles/pubsub.subscriber",
    ]
    if push_email:
        role = "--role=roles/iam.serviceAccountTokenCreator"
        commands.append(f"gcloud iam service-accounts add-iam-policy-binding {push_email} {agent} {role}")
    return commands


def _topic(publisher: Any, name: str) -> str:
    with verified(name):
        try:
            publisher.get_topic(request={"topic": name}, timeout=ATTEMPT_S, retry=retrying())
        except NotFound:
            try:
                publisher.create_topic(request={"name": name}, timeout=ATTEMPT_S, retry=retrying())
            except AlreadyExists:
                return ""
            return f"made {name}"
    return ""


def _subscribed(subscriber: Any, name: str, wanted: Mapping[str, Any]) -> str:
    with verified(name):
        try:
            request = {"subscription": name}
            found = subscriber.get_subscription(request=request, timeout=ATTEMPT_S, retry=retrying())
        except NotFound:
            try:
                subscriber.create_subscription(
                    # Intake compares event times itself; an ordered subscription would let one message hold up its key.
                    request={"name": name, "enable_message_ordering": False, **wanted},
                    timeout=ATTEMPT_S,
                    retry=retrying(),
                )
            except AlreadyExists:
                # Somebody else made it just now, or our own first try did: what it is like is looked at.
                return _subscribed(subscriber, name, wanted)
            return f"made {name}"
        return _changed(subscriber, found, Subscription(name=name, **wanted))


def _changed(subscriber: Any, found: Subscription, wanted: Subscription) -> str:
    if found.topic != wanted.topic:
        raise Rejected(
            f"belongs to {found.topic}, not to {wanted.topic}, which cannot be changed",
            field=found.name,
            mend="choose another name, or delete it (what waits in it is lost) and run this again",
        )
    pairs = {name: (_shown(found, name), _shown(wanted, name)) for name in _changeable() if name in wanted}
    differing = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    if not differing:
        return ""
    request = {"subscription": wanted, "update_mask": {"paths": list(differing)}}
    subscriber.update_subscription(request=request, timeout=ATTEMPT_S, retry=retrying())
    told = "; ".join(f"{name} from {before} to {after}" for name, (before, after) in differing.items())
    return f"changed {found.name}: {told}"


_FIELDS = (
    "ack_deadline_seconds",
    "message_retention_duration",
    "expiration_policy",
    "retry_policy",
    "dead_letter_policy",
)


def _changeable() -> Sequence[str]:
    # The emulator refuses this change; nothing of it expires.
    return [name for name in _FIELDS if name != "expiration_policy" or "PUBSUB_EMULATOR_HOST" not in os.environ]


def _shown(subscription: Subscription, name: str) -> str:
    """Return a field in words, by which two subscriptions are compared."""
    if name not in subscription:
        return "31 days" if name == "expiration_policy" else "none"
    value = getattr(subscription, name)
    if name == "expiration_policy":
        return _seconds(value.ttl) if value.ttl else "never"
    if name == "retry_policy":
        return f"{_seconds(value.minimum_backoff)} to {_seconds(value.maximum_backoff)}"
    if name == "dead_letter_policy":
        return f"{value.max_delivery_attempts} deliveries, then {value.dead_letter_topic}"
    return f"{value} s" if name == "ack_deadline_seconds" else _seconds(value)


def _seconds(value: timedelta) -> str:
    return f"{value.total_seconds():g} s"


def _subscription(topic: str) -> dict[str, Any]:
    return {
        "topic": topic,
        "ack_deadline_seconds": ACK_DEADLINE_S,
        "message_retention_duration": RETENTION,
        # An empty policy means that the subscription never expires; without one it is deleted after 31 idle days.
        "expiration_policy": {},
    }


def _redelivery(dead_letters: str, backoff: tuple[timedelta, timedelta]) -> dict[str, Any]:
    return {
        "retry_policy": {"minimum_backoff": backoff[0], "maximum_backoff": backoff[1]},
        "dead_letter_policy": {"dead_letter_topic": dead_letters, "max_delivery_attempts": DELIVERIES},
    }
