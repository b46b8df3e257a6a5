"""Google Pub/Sub: intake by unary pull, publishing with the bee as ordering key. `PUBSUB_EMULATOR_HOST` is honoured."""

from worker.adapters.bus.pubsub_setup import Names, init
from worker.adapters.bus.pubsub_subscription import PubSubSubscription
from worker.adapters.bus.pubsub_topic import PubSubTopic
from worker.adapters.options import Options
from worker.errors import Rejected

__all__ = [
    "Names",
    "PubSubSubscription",
    "PubSubTopic",
    "init",
    "intake_topic_from",
    "subscription_from",
    "topic_from",
]


def subscription_from(options: Options) -> PubSubSubscription:
    """Return the subscription of the settings. Raises Rejected: no project, no credentials."""
    values = options.values
    return PubSubSubscription(_project(options), values["subscription"], dead_letter_topic=values["dead_letter_topic"])


def topic_from(options: Options) -> PubSubTopic:
    """Return the topic of the settings. Raises Rejected as `subscription_from` does."""
    values = options.values
    schemas = str(values.get("public_url", "")).rstrip("/")
    return PubSubTopic(_project(options), values["events_topic"], schemas=schemas)


def intake_topic_from(options: Options) -> PubSubTopic:
    """Return the topic that the intake's subscription is of. Raises Rejected as `subscription_from` does."""
    values = options.values
    schemas = str(values.get("public_url", "")).rstrip("/")
    return PubSubTopic(_project(options), values["intake_topic"], schemas=schemas)


def _project(options: Options) -> str:
    project = str(options.values["project"])
    if not project:
        raise Rejected("Pub/Sub needs a project", field="GOOGLE_CLOUD_PROJECT", mend="Set it, or COLONY_BUS=local.")
    return project
