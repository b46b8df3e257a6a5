"""Push delivery: tokens signed here, judged by certificates from a server here; and what each message gets."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.http import build
from handlers.http.access import Access
from handlers.http.google_identity import RENEWALS, GoogleTokens
from handlers.http.push_sender import PushSender
from handlers.http.server import Server
from tests.handlers.http.api import Client, Parts
from tests.handlers.http.google_tokens import CertificateServer, Signer, certificate_server, id_token, new_signer
from tests.worker import world
from worker.errors import TryLater
from worker.intake.consume import Consumer, Limits

AUDIENCE = "https://colony.example.org/api/mlops/events/push"
PUSHER = "push@p.iam.gserviceaccount.com"


@pytest.fixture(name="signer", scope="module")
def _signer() -> Signer:
    return new_signer("k1")


@pytest.fixture(name="certificates")
def _certificates(signer: Signer) -> Iterator[CertificateServer]:
    with certificate_server() as server:
        server.signers.append(signer)
        yield server


@pytest.fixture(name="client")
def _client(colony: Parts, certificates: CertificateServer) -> Client:
    """The API where push delivery is set up and other callers need a token."""
    sender = PushSender(AUDIENCE, PUSHER.upper(), GoogleTokens(certificates.request))
    return colony.client(Access(guarded=True, failures=3), sender=sender)


def good(signer: Signer, **changes: Any) -> str:
    """Return a token as Pub/Sub shows it."""
    return id_token(signer, **{"aud": AUDIENCE, "email": PUSHER, **changes})


def delivery(body: bytes, **message: Any) -> dict[str, Any]:
    """Return what Pub/Sub sends."""
    inner = {"data": base64.b64encode(body).decode(), "messageId": "17", "message_id": "17", **message}
    times = {"publishTime": "2026-02-26T19:13:55.749Z", "publish_time": "2026-02-26T19:13:55.749Z"}
    return {"message": {**times, **inner}, "subscription": "projects/p/subscriptions/s", "deliveryAttempt": 1}


def evaluation(**changes: Any) -> dict[str, Any]:
    """Return a delivery with a bad evaluation, a CloudEvent in binary mode."""
    attributes = {"ce-specversion": "1.0", "ce-id": "e-1", "ce-source": "//monitor", "ce-type": "model.evaluated"}
    return delivery(json.dumps(world.data(**changes)).encode(), attributes=attributes)


def decisions(colony: Parts) -> list[str]:
    """Return the events that were decided about."""
    with colony.ledger.begin(write=False) as transaction:
        return [one.event_id for one in transaction.decisions.list(bee="spam-guard")]


def letters(colony: Parts) -> list[str]:
    """Return the reasons of the dead letters."""
    with colony.ledger.begin(write=False) as transaction:
        return [one.reason for one in transaction.inbox.dead_letters()]


def test_a_message_is_handled_once(colony: Parts, client: Client, signer: Signer) -> None:
    """A delivery in binary mode is decided about before its 204; the same again is 204 and changes nothing."""
    for _ in range(2):
        answer = client.post("events/push", token=good(signer), json=evaluation())
        assert (answer.status_code, answer.content) == (204, b"")

    assert decisions(colony) == ["e-1"]
    assert letters(colony) == []


REFUSED: list[tuple[dict[str, Any], int]] = [
    ({"exp": int(time.time()) - 60, "iat": int(time.time()) - 3660}, 401),
    ({"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200}, 401),
    ({"iss": "https://evil.example.org"}, 401),
    ({"exp": None}, 401),
    ({"aud": "https://other.example.org"}, 403),
    ({"aud": None}, 403),
    ({"email": "eve@p.iam.gserviceaccount.com"}, 403),
    ({"email": None}, 403),
    ({"email_verified": False}, 403),
    ({"email_verified": "true"}, 403),
]


def test_tokens_that_are_refused(colony: Parts, client: Client, signer: Signer) -> None:
    """Expired, early or another issuer's: 401; another audience, account or an address nobody verified: 403."""
    for changes, status in REFUSED:
        answer = client.post("events/push", token=good(signer, **changes), json=evaluation())
        assert answer.status_code == status, changes
        assert answer.headers["content-type"] == "application/problem+json"

    assert decisions(colony) == []


def test_no_token_and_forged_ones(colony: Parts, client: Client, signer: Signer) -> None:
    """Without a token, and with one that another key signed, it is 401, however often; a good one still counts."""
    forged = good(new_signer("k1"))
    header, payload, _ = good(signer).split(".")
    for token in ("", forged, f"{header}.{payload}.", "a.b.c", "not-a-token", *[forged] * 5):
        assert client.post("events/push", token=token, json=evaluation()).status_code in {401, 429}
        if token.count(".") == 2 or not token:
            assert client.post("events/push", token=token, json=evaluation()).status_code == 401

    assert decisions(colony) == []
    assert client.post("events/push", token=good(signer), json=evaluation()).status_code == 204


def test_a_push_token_opens_nothing_else(client: Client, signer: Signer) -> None:
    """The token of push delivery is for push delivery alone."""
    assert client.get("models", token=good(signer)).status_code == 401


def test_our_own_tokens_do_as_well(colony: Parts, client: Client, new_token: Any) -> None:
    """A token of ours that may write takes part; one that may only read does not."""
    assert client.post("events/push", token=new_token("read"), json=evaluation()).status_code == 403
    assert client.post("events/push", token=new_token("write"), json=evaluation()).status_code == 204
    assert decisions(colony) == ["e-1"]


def test_new_keys_are_fetched_when_they_are_used(signer: Signer, certificates: CertificateServer) -> None:
    """Certificates are fetched once, again for a key that is not among them, and not for each key anybody names."""
    newer, tokens = new_signer("k2"), GoogleTokens(certificates.request, now=lambda: 0.0)
    for _ in range(3):
        assert tokens.claims(good(signer))
    assert certificates.fetched == 1

    certificates.signers.append(newer)
    assert tokens.claims(good(newer))
    assert tokens.claims(good(signer))
    assert certificates.fetched == 2

    stranger = good(new_signer("k3"))
    for _ in range(20):
        assert tokens.claims(stranger) is None
    assert certificates.fetched == 1 + RENEWALS


def test_certificates_that_cannot_be_had(colony: Parts, certificates: CertificateServer, signer: Signer) -> None:
    """While nobody can be judged it is 503: Pub/Sub gives the message again, and then it counts."""
    certificates.away = True
    client = colony.client(Access(), sender=PushSender(AUDIENCE, PUSHER, GoogleTokens(certificates.request)))
    answer = client.post("events/push", token=good(signer), json=evaluation())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")

    certificates.away = False
    assert client.post("events/push", token=good(signer), json=evaluation()).status_code == 204


def test_it_is_judged_on_loopback_too(colony: Parts, certificates: CertificateServer, signer: Signer) -> None:
    """Where push delivery is set up its token is asked for even where others need none."""
    client = colony.client(Access(), sender=PushSender(AUDIENCE, PUSHER, GoogleTokens(certificates.request)))

    assert client.post("events/push", json=evaluation()).status_code == 401
    assert client.post("events/push", token=good(signer), json=evaluation()).status_code == 204


POISON = [
    (delivery(b"{broken"), "not JSON"),
    (delivery(b"[1]"), "a list where an object is needed"),
    (delivery(b"", data="*** no base64 ***"), "type"),
    (delivery(json.dumps(world.data(beeId="nobody")).encode(), attributes={"type": "model.evaluated"}), "nobody"),
    ({"message": {"attributes": {"ce-type": "model.evaluated"}}}, "ce-specversion"),
    (delivery(b"{odd", publishTime="yesterday"), "not JSON"),
]


def test_poison_is_kept_and_answered(colony: Parts, client: Client, signer: Signer) -> None:
    """What will never be accepted is a dead letter of the ledger, and 204: Pub/Sub does not give it again."""
    for poison, _ in POISON:
        assert client.post("events/push", token=good(signer), json=poison).status_code == 204

    reasons = letters(colony)
    assert len(reasons) == len(POISON)
    assert [said for _, said in POISON if not any(said in reason for reason in reasons)] == []


def test_what_is_no_delivery_is_refused(colony: Parts, client: Client, signer: Signer) -> None:
    """A body that Pub/Sub would not send is not taken for a message: the subscription is set up wrongly."""
    counted = {**delivery(b"{}"), "deliveryAttempt": True}
    for body in ({}, {"message": None}, {"message": {"attributes": {"n": 1}}}, [], counted):
        assert client.post("events/push", token=good(signer), json=body).status_code == 422
    assert letters(colony) == []


def test_size(colony: Parts, client: Client, signer: Signer) -> None:
    """Pub/Sub's largest message comes in (and is too large an event); what no message can be is 413, unread."""
    largest = delivery(b"x" * 10_000_000)
    assert client.post("events/push", token=good(signer), json=largest).status_code == 204
    (reason,) = letters(colony)
    assert "bytes" in reason

    assert client.post("events/push", token=good(signer), content=b"x" * 16_000_000).status_code == 413


def test_a_failure_is_given_again_until_its_attempts_are_used(colony: Parts) -> None:
    """What fails for a reason that may pass is 503; with its last attempt it is a dead letter, and 204."""

    class Failing:
        def __init__(self, inner: Any) -> None:
            self._inner = inner

        def apply(self, *_: Any) -> Any:
            raise RuntimeError("a bug")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

    handlers = {name: Failing(one) for name, one in world.handlers(colony.ledger).items()}
    failing = colony.client_with(
        intake=lambda pushed: Consumer(pushed, colony.ledger, handlers, world.now_for, limits=Limits(attempts=2))
    )

    assert [failing.post("events/push", json=evaluation()).status_code for _ in range(2)] == [503, 204]
    (reason,) = letters(colony)
    assert reason.startswith("failed 2 times")


def test_a_ledger_that_is_away(colony: Parts) -> None:
    """While the ledger is away it is 503, and nothing is lost."""

    def away(_subscription: object) -> Any:
        raise TryLater("the ledger is away")

    answer = colony.client_with(intake=away).post("events/push", json=evaluation())

    assert answer.status_code == 503


def test_what_the_emulator_pushes(colony: Parts, pubsub_emulator: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A subscription of the emulator that pushes to us (without a token, as it does) brings its message in."""
    from worker.adapters.bus.pubsub_clients import publisher, subscriber

    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator)
    server = Server(build(colony.services()), "127.0.0.1", 0)
    server.start()
    publishing, subscribing = publisher(), subscriber()
    topic, subscription = "projects/colony-test/topics/pushed", "projects/colony-test/subscriptions/pushed"
    endpoint = {"push_endpoint": f"http://127.0.0.1:{server.port}/api/mlops/events/push"}
    try:
        publishing.create_topic(request={"name": topic})
        subscribing.create_subscription(request={"name": subscription, "topic": topic, "push_config": endpoint})
        attributes = evaluation()["message"]["attributes"]
        message = {"data": json.dumps(world.data()).encode(), "attributes": attributes}
        publishing.publish(request={"topic": topic, "messages": [message]})

        until = time.monotonic() + 30
        while not decisions(colony) and time.monotonic() < until:
            time.sleep(0.05)
        assert decisions(colony) == ["e-1"]
    finally:
        subscribing.delete_subscription(request={"subscription": subscription})
        server.stop()
        publishing.transport.close()
        subscribing.transport.close()
