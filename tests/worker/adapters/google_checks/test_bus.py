import contextlib
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest
from google.api_core.exceptions import NotFound
from google.cloud.resourcemanager_v3.types import Project
from google.iam.v1 import iam_policy_pb2, policy_pb2

from tests.worker.adapters.google_checks.answers import Answers
from tests.worker.adapters.google_checks.conftest import PROJECT, WORKER
from worker.adapters.bus.pubsub_clients import publisher, subscriber
from worker.adapters.bus.pubsub_setup import Names, init
from worker.adapters.google_checks import bus
from worker.checkup import Doubt
from worker.errors import Rejected

Placed = Callable[..., Any]
AGENT = "serviceAccount:service-1234@gcp-sa-pubsub.iam.gserviceaccount.com"
SUBSCRIPTION = f"projects/{PROJECT}/subscriptions/colony-model-evaluated"
LETTERS = f"projects/{PROJECT}/topics/colony-dead-letters"


@pytest.fixture(name="emulated")
def _emulated(pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Talk to the emulator, in which nothing of ours is left."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    with subscriber() as client:
        for name in ("colony-model-evaluated", "colony-dead-letters-review", "colony-events-probe"):
            try:
                client.delete_subscription(subscription=f"projects/{PROJECT}/subscriptions/{name}")
            except NotFound:
                continue


@pytest.fixture(name="imitated")
def _imitated(google: Answers, monkeypatch: pytest.MonkeyPatch, place: Placed) -> Any:
    """Give a place whose Pub/Sub is a stand-in that knows rights."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", google.address)
    google.answers["GetProject"] = lambda _: Project(name="projects/1234")
    return place({"pubsub": google.address, "projects": google.address})


def names() -> Names:
    """Return the colony's names."""
    return Names(
        intake_topic="colony-model-evaluated",
        intake_subscription="colony-model-evaluated",
        dead_letter_topic="colony-dead-letters",
        dead_letter_subscription="colony-dead-letters-review",
        published_topic="colony-events",
    )


@pytest.mark.usefixtures("emulated")
def test_a_subscription_as_init_makes_it_is_well(place: Placed) -> None:
    """Before `colony pubsub init` it is missing, and that command is the mend; after it all is well."""
    with pytest.raises(Rejected, match="colony pubsub init"):
        bus.deliveries(place())

    init(PROJECT, names())

    assert bus.deliveries(place()) == "dead letters after 100 deliveries, no expiry"
    assert bus.rights(place()) == bus.dead_letter_rights(place()) == "the emulator knows no rights"


@pytest.mark.usefixtures("emulated")
def test_a_subscription_that_loses_messages_is_told(place: Placed) -> None:
    """One without dead letters is wrong; one that expires, or repeats at once, is a doubt; all with the command."""
    init(PROJECT, names())
    letters = {"dead_letter_topic": LETTERS, "max_delivery_attempts": 5}
    retry = {"minimum_backoff": timedelta(seconds=10)}
    bare = {"name": SUBSCRIPTION, "topic": f"projects/{PROJECT}/topics/colony-model-evaluated"}

    def made(**how: Any) -> str | Doubt:
        with subscriber() as client:
            client.delete_subscription(subscription=SUBSCRIPTION)
            client.create_subscription(request={**bare, **how})
        return bus.deliveries(place())

    with pytest.raises(Rejected, match="no dead letter topic of ours") as refused:
        made(expiration_policy={})
    assert refused.value.mend == "colony pubsub init"
    expiring = made(dead_letter_policy=letters, retry_policy=retry, expiration_policy={"ttl": timedelta(days=31)})
    assert expiring == Doubt(f"{SUBSCRIPTION} is deleted after some weeks without a worker", "colony pubsub init")
    repeating = made(dead_letter_policy=letters, expiration_policy={})
    assert repeating == Doubt(f"{SUBSCRIPTION} delivers what fails again at once", "colony pubsub init")
    with pytest.raises(Rejected, match=r"belongs to .*colony-events"):
        made(topic=f"projects/{PROJECT}/topics/colony-events")


@pytest.mark.usefixtures("emulated")
def test_a_probe_goes_there_and_back_on_its_own_topic(place: Placed) -> None:
    """Without topic and subscription the two commands are told; with them the message comes back, older ones go."""
    topic, subscription = (
        f"projects/{PROJECT}/topics/colony-events-probe",
        f"projects/{PROJECT}/subscriptions/colony-events-probe",
    )
    with publisher() as client:
        with contextlib.suppress(NotFound):
            client.delete_topic(topic=topic)
        with pytest.raises(Rejected, match="does not exist") as refused:
            bus.round_trip(place())
        assert f"gcloud pubsub topics create {topic}" in refused.value.mend
        assert f"gcloud pubsub subscriptions create {subscription} --topic={topic}" in refused.value.mend

        client.create_topic(name=topic)
        with subscriber() as pulling:
            pulling.create_subscription(name=subscription, topic=topic)
        client.publish(request={"topic": topic, "messages": [{"data": b"doctor-0"}]})

    assert bus.round_trip(place()).startswith("there and back in ")


def test_missing_rights_are_told_with_their_grants(imitated: Any, google: Answers) -> None:
    """Publishing on two topics and pulling are each asked for; the grant names the very topic and the caller."""
    held = {"pubsub.topics.publish", "pubsub.subscriptions.consume"}

    def make(asked: Any) -> Any:
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=held & set(asked.permissions))

    google.answers["TestIamPermissions"] = make
    assert bus.rights(imitated) == f"serviceAccount:{WORKER} may pull and publish"
    assert [asked.resource.rpartition("/")[2] for asked in google.asked] == [
        "colony-events",
        "colony-dead-letters",
        "colony-model-evaluated",
    ]

    held.remove("pubsub.subscriptions.consume")
    with pytest.raises(Rejected) as refused:
        bus.rights(imitated)
    assert refused.value.mend == (
        f"gcloud pubsub subscriptions add-iam-policy-binding {SUBSCRIPTION} "
        f"--member=serviceAccount:{WORKER} --role=roles/pubsub.subscriber"
    )


def test_dead_letters_need_two_grants_of_googles_own_account(imitated: Any, google: Answers) -> None:
    """Each grant that is missing is told with its command; one on the project counts as well."""
    policies = {
        LETTERS: policy_pb2.Policy(),
        SUBSCRIPTION: policy_pb2.Policy(),
        f"projects/{PROJECT}": policy_pb2.Policy(),
    }

    def grant(resource: str, role: str) -> None:
        policies[resource].bindings.add(role=role, members=[AGENT])

    google.answers["GetIamPolicy"] = lambda asked: policies[asked.resource]
    with pytest.raises(Rejected, match=r"lacks roles/pubsub\.publisher") as refused:
        bus.dead_letter_rights(imitated)
    assert refused.value.mend == (
        f"gcloud pubsub topics add-iam-policy-binding {LETTERS} --member={AGENT} --role=roles/pubsub.publisher"
    )
    grant(LETTERS, "roles/pubsub.publisher")
    with pytest.raises(Rejected, match=r"lacks roles/pubsub\.subscriber") as refused:
        bus.dead_letter_rights(imitated)
    assert f"subscriptions add-iam-policy-binding {SUBSCRIPTION} --member={AGENT}" in refused.value.mend
    grant(f"projects/{PROJECT}", "roles/pubsub.subscriber")
    assert bus.dead_letter_rights(imitated) == "Pub/Sub may move dead letters"


def test_the_logs_sink_has_to_reach_the_intake(imitated: Any, google: Answers) -> None:
    """Without its right a doubt tells the two commands, with Terraform's filter; with it all is well."""
    policy = policy_pb2.Policy()
    google.answers["GetIamPolicy"] = lambda _: policy

    found = bus.ends_of_jobs(imitated)

    assert isinstance(found, Doubt)
    assert "gcloud logging sinks create colony-run-states pubsub.googleapis.com/projects/colony-test/" in found.mend
    assert 'jsonPayload.state=("PIPELINE_STATE_SUCCEEDED" OR "PIPELINE_STATE_FAILED"' in found.mend
    writer = "serviceAccount:service-1234@gcp-sa-logging.iam.gserviceaccount.com"
    policy.bindings.add(role="roles/pubsub.publisher", members=[writer])
    assert bus.ends_of_jobs(imitated) == "a sink of the log may publish on colony-model-evaluated"


def test_who_may_not_read_rights_is_told_so(imitated: Any, google: Answers) -> None:
    """The worker's own account cannot see grants: that is a doubt with the command, no fault."""
    google.refuse("GetIamPolicy", grpc.StatusCode.PERMISSION_DENIED)

    found = bus.dead_letter_rights(imitated)

    assert isinstance(found, Doubt)
    assert "may not read who has rights on colony-dead-letters" in found.reason
    assert found.mend.startswith("as an owner: gcloud pubsub topics add-iam-policy-binding")
    assert isinstance(bus.ends_of_jobs(imitated), Doubt)
