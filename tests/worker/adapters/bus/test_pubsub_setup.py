"""What `colony pubsub init` makes, changes and says, on the emulator."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from worker.adapters.bus.pubsub_clients import publisher, subscriber
from worker.adapters.bus.pubsub_setup import Names, grants, init
from worker.errors import Rejected

PROJECT = "colony-test"


@pytest.fixture(name="fresh")
def _fresh(emulated: str) -> Names:
    """Names that nothing has yet."""
    unique = f"t{uuid.uuid4().hex[:12]}"
    return Names(*(f"{unique}-{part}" for part in ("in", "in-sub", "dead", "dead-sub", "out")))


@pytest.fixture(name="client")
def _client(emulated: str) -> Iterator[Any]:
    made = subscriber()
    yield made
    made.transport.close()


def _full(kind: str, name: str) -> str:
    return f"projects/{PROJECT}/{kind}/{name}"


def test_what_is_missing_is_made_once(fresh: Names) -> None:
    """The first time three topics and two subscriptions are made, and told; the second time there is nothing to do."""
    topics = [_full("topics", name) for name in (fresh.intake_topic, fresh.dead_letter_topic, fresh.published_topic)]
    subscriptions = [
        _full("subscriptions", name) for name in (fresh.intake_subscription, fresh.dead_letter_subscription)
    ]

    assert list(init(PROJECT, fresh)) == [f"made {name}" for name in topics + subscriptions]
    assert list(init(PROJECT, fresh)) == []


def test_it_sets_what_matters(fresh: Names, client: Any) -> None:
    """The intake never expires, is not ordered, backs off, keeps for a week, and has dead letters that are kept."""
    init(PROJECT, fresh)
    intake = client.get_subscription(request={"subscription": _full("subscriptions", fresh.intake_subscription)})
    review = client.get_subscription(request={"subscription": _full("subscriptions", fresh.dead_letter_subscription)})

    assert not intake.enable_message_ordering
    assert not intake.expiration_policy.ttl
    assert "expiration_policy" in intake
    assert "expiration_policy" in review
    assert intake.ack_deadline_seconds == 60
    assert intake.message_retention_duration.days == review.message_retention_duration.days == 7
    assert (intake.retry_policy.minimum_backoff.seconds, intake.retry_policy.maximum_backoff.seconds) == (10, 600)
    assert intake.dead_letter_policy.dead_letter_topic == review.topic
    assert intake.dead_letter_policy.max_delivery_attempts == 100


def test_what_differs_is_changed_and_told(fresh: Names, client: Any) -> None:
    """A subscription made by hand gets what it lacks, is told with before and after, and keeps its owner's choices."""
    topic, name = _full("topics", fresh.intake_topic), _full("subscriptions", fresh.intake_subscription)
    publishing = publisher()
    publishing.create_topic(request={"name": topic})
    publishing.transport.close()
    own = {"filter": 'attributes.ce-type = "model.evaluated"', "enable_exactly_once_delivery": True}
    client.create_subscription(request={"name": name, "topic": topic, "ack_deadline_seconds": 20, **own})

    (changed,) = [line for line in init(PROJECT, fresh) if line.startswith("changed")]

    letters = _full("topics", fresh.dead_letter_topic)
    assert changed == (
        f"changed {name}: ack_deadline_seconds from 20 s to 60 s; retry_policy from none to 10 s to 600 s; "
        f"dead_letter_policy from none to 100 deliveries, then {letters}"
    )
    found = client.get_subscription(request={"subscription": name})
    assert found.ack_deadline_seconds == 60
    assert (found.filter, found.enable_exactly_once_delivery) == (own["filter"], True)
    assert list(init(PROJECT, fresh)) == []


def test_a_subscription_of_another_topic_is_left_alone(fresh: Names) -> None:
    """What cannot be changed is refused with both topics' names, not taken for ours."""
    init(PROJECT, fresh)
    other = Names(f"{fresh.intake_topic}-2", fresh.intake_subscription, fresh.dead_letter_topic)

    with pytest.raises(Rejected, match=f"belongs to .*{fresh.intake_topic}, not to .*{fresh.intake_topic}-2"):
        init(PROJECT, other)


def test_the_rights_that_pubsub_itself_needs() -> None:
    """Two commands let Pub/Sub move dead letters; with a push account a third lets it sign in that account's name."""
    agent = "@gcp-sa-pubsub.iam.gserviceaccount.com"
    letters, intake = grants("p", Names())

    assert "topics/colony-dead-letters" in letters
    assert letters.endswith("roles/pubsub.publisher")
    assert "subscriptions/colony-events-worker" in intake
    assert intake.endswith("roles/pubsub.subscriber")
    *_, signing = grants("p", Names(), "push@p.iam.gserviceaccount.com")
    assert signing.endswith("roles/iam.serviceAccountTokenCreator")
    assert all(agent in command and command.startswith("gcloud ") for command in (letters, intake, signing))
