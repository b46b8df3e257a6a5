"""Pub/Sub: what becomes of deliveries that fail, who may publish and pull, and one message there and back."""

import time
from collections.abc import Sequence
from typing import Any

from google.api_core import exceptions

from worker.adapters.bus.pubsub_calls import ATTEMPT_S, path, retrying, verified
from worker.adapters.bus.pubsub_clients import publisher as new_publisher
from worker.adapters.bus.pubsub_clients import subscriber as new_subscriber
from worker.adapters.google_checks.place import PATIENCE, Place
from worker.adapters.google_checks.project import project_members, project_number
from worker.checkup import Doubt
from worker.errors import Rejected, TryLater

INIT = "colony pubsub init"
_PUBLISH, _PULL = "pubsub.topics.publish", "pubsub.subscriptions.consume"
_PUBLISHER, _SUBSCRIBER = "roles/pubsub.publisher", "roles/pubsub.subscriber"
_NO_RIGHTS = "the emulator knows no rights"


def deliveries(place: Place) -> str | Doubt:
    """Check that the subscription hangs on its topic, never expires, and sends what fails to the dead letters."""
    with verified(place.subscription), new_subscriber() as client:
        name = path(place.project, "subscriptions", place.subscription)
        found = client.get_subscription(request={"subscription": name}, timeout=ATTEMPT_S, retry=retrying())
    topic, letters = (path(place.project, "topics", name) for name in (place.intake_topic, place.dead_letter_topic))
    if found.topic != topic:
        mend = f"gcloud pubsub subscriptions delete {name} && {INIT}"
        raise Rejected(f"belongs to {found.topic}, not to {topic}", field=name, mend=mend)
    if found.dead_letter_policy.dead_letter_topic != letters:
        raise Rejected("what fails for ever comes for ever: it has no dead letter topic of ours", field=name, mend=INIT)
    if "expiration_policy" not in found or found.expiration_policy.ttl:
        return Doubt(f"{name} is deleted after some weeks without a worker", INIT)
    if not found.retry_policy.minimum_backoff:
        return Doubt(f"{name} delivers what fails again at once", INIT)
    return f"dead letters after {found.dead_letter_policy.max_delivery_attempts} deliveries, no expiry"


def rights(place: Place) -> str:
    """Check that the caller may pull, publish what happened, and put dead letters away."""
    if place.emulator:
        return _NO_RIGHTS
    with verified(f"projects/{place.project}"), new_publisher() as publisher, new_subscriber() as subscriber:
        for topic in (place.events_topic, place.dead_letter_topic):
            _held(place, publisher, "topics", topic, _PUBLISH, _PUBLISHER)
        _held(place, subscriber, "subscriptions", place.subscription, _PULL, _SUBSCRIBER)
    return f"{place.member} may pull and publish"


def dead_letter_rights(place: Place) -> str | Doubt:
    """Check that Pub/Sub's own account may move what cannot be delivered."""
    if place.emulator:
        return _NO_RIGHTS
    agent = f"serviceAccount:service-{project_number(place)}@gcp-sa-pubsub.iam.gserviceaccount.com"
    with verified(f"projects/{place.project}"), new_publisher() as publisher, new_subscriber() as subscriber:
        wanted = (
            (publisher, "topics", place.dead_letter_topic, _PUBLISHER),
            (subscriber, "subscriptions", place.subscription, _SUBSCRIBER),
        )
        for client, kind, name, role in wanted:
            command = _grant(place, kind, name, agent, role)
            members = _members(client, path(place.project, kind, name), role)
            if members is None:
                return Doubt(f"{place.member} may not read who has rights on {name}", f"as an owner: {command}")
            if agent not in members and agent not in project_members(place, role):
                raise Rejected(f"Pub/Sub's own account lacks {role}", field=name, mend=command)
    return "Pub/Sub may move dead letters"


def ends_of_jobs(place: Place) -> str | Doubt:
    """Check that a sink of the log may send what becomes of pipeline jobs to the intake."""
    if "bus" not in place.used:
        return "not needed: events do not come by Pub/Sub, and jobs are looked at now and then"
    if place.emulator:
        return _NO_RIGHTS
    topic = path(place.project, "topics", place.intake_topic)
    with verified(f"projects/{place.project}"), new_publisher() as publisher:
        members = _members(publisher, topic, _PUBLISHER)
    if members is None:
        return Doubt(f"{place.member} may not read who has rights on {place.intake_topic}", "run doctor as an owner")
    if any("gcp-sa-logging" in member or "cloud-logs" in member for member in members):
        return f"a sink of the log may publish on {place.intake_topic}"
    sink = "colony-run-states"
    states = " OR ".join(f'"PIPELINE_STATE_{word}"' for word in ("SUCCEEDED", "FAILED", "CANCELLED"))
    log_filter = f'resource.type="aiplatform.googleapis.com/PipelineJob" AND jsonPayload.state=({states})'
    writer = f"$(gcloud logging sinks describe {sink} --project={place.project} --format='value(writerIdentity)')"
    return Doubt(
        "no sink of the log tells when a pipeline job ends: that is seen only when jobs are looked at now and then",
        f"gcloud logging sinks create {sink} pubsub.googleapis.com/{topic} --project={place.project} "
        f"--log-filter='{log_filter}' && {_grant(place, 'topics', place.intake_topic, writer, _PUBLISHER)}",
    )


def round_trip(place: Place) -> str:
    """Publish a probe to the probe's own topic and pull it. Raises TryLater if it does not come."""
    topic, subscription = (path(place.project, kind, place.probe) for kind in ("topics", "subscriptions"))
    body = place.task.encode()
    began = time.monotonic()
    with verified(place.probe), new_publisher() as publisher, new_subscriber() as subscriber:
        try:
            request = {"topic": topic, "messages": [{"data": body}]}
            publisher.publish(request=request, timeout=ATTEMPT_S, retry=retrying())
            _pulled(subscriber, subscription, body)
        except exceptions.NotFound as error:
            mend = (
                f"gcloud pubsub topics create {topic}; gcloud pubsub subscriptions create {subscription} "
                f"--topic={topic} --expiration-period=never --message-retention-duration=10m"
            )
            raise Rejected("does not exist", field=place.probe, mend=mend) from error
    return f"there and back in {time.monotonic() - began:.1f} s"


def _pulled(subscriber: Any, subscription: str, body: bytes) -> None:
    """Pull until the message is there, and acknowledge it with all others: they are forgotten probes."""
    end = time.monotonic() + PATIENCE.total_s
    while time.monotonic() < end:
        request = {"subscription": subscription, "max_messages": 100}
        try:
            received = subscriber.pull(request=request, timeout=2.0, retry=None).received_messages
        except exceptions.DeadlineExceeded:
            continue
        if received:
            ids = [each.ack_id for each in received]
            subscriber.acknowledge(
                request={"subscription": subscription, "ack_ids": ids}, timeout=ATTEMPT_S, retry=retrying()
            )
        if any(each.message.data == body for each in received):
            return
    raise TryLater(f"{subscription}: the probe did not arrive within {PATIENCE.total_s:g} s")


def _held(place: Place, client: Any, kind: str, name: str, permission: str, role: str) -> None:
    full = path(place.project, kind, name)
    request = {"resource": full, "permissions": [permission]}
    with verified(full):
        held = client.test_iam_permissions(request=request, timeout=ATTEMPT_S, retry=retrying()).permissions
    if permission not in held:
        mend = _grant(place, kind, name, place.member, role)
        raise Rejected(f"{place.member} lacks {permission} (or it does not exist: {INIT})", field=full, mend=mend)


def _grant(place: Place, kind: str, name: str, member: str, role: str) -> str:
    full = path(place.project, kind, name)
    return f"gcloud pubsub {kind} add-iam-policy-binding {full} --member={member} --role={role}"


def _members(client: Any, resource: str, role: str) -> Sequence[str] | None:
    """Return who has a role on a topic or subscription; None if the caller may not know."""
    request = {"resource": resource}
    with verified(resource):
        try:
            policy = client.get_iam_policy(request=request, timeout=ATTEMPT_S, retry=retrying())
        except exceptions.PermissionDenied:
            return None
    return [member for binding in policy.bindings if binding.role == role for member in binding.members]
