import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.auth import exceptions

from handlers.http.access import Access
from handlers.http.google_identity import KEEP_ON_FAILURE_S, KEEP_S, GoogleIdentity
from tests.handlers.http.api import Parts
from tests.handlers.http.google_tokens import AUDIENCE, SENDER, Signer, id_token, new_signer
from worker.access.token import Scope
from worker.errors import TryLater


@pytest.fixture(name="signer", scope="module")
def _signer() -> Signer:
    return new_signer("k1")


@dataclass
class Answer:
    """An HTTP answer as Google's transports give it."""

    data: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Certificates:
    """Where the certificates are fetched; counts, and is away when a test says so."""

    signer: Signer
    fetched: int = 0
    fault: str = ""

    def __call__(self, url: str, **_options: Any) -> Answer:
        """Answer with the certificates, or as the fault says."""
        assert url.startswith("https://www.googleapis.com/")
        self.fetched += 1
        if self.fault == "away":
            raise exceptions.TransportError("no route")  # type: ignore[no-untyped-call]
        if self.fault:
            return Answer(b"sorry", 500)
        return Answer(json.dumps({self.signer.id: self.signer.certificate}).encode())


def _unsigned(header: Any, payload: Any) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join((*parts, "AAAA"))


def test_who_signed_in(signer: Signer) -> None:
    """A token that Google signed for us tells its verified address, in small letters."""
    identity = GoogleIdentity(AUDIENCE, Certificates(signer))

    assert identity.email(id_token(signer)) == SENDER
    assert identity.email(id_token(signer, email="Ada@Example.org")) == SENDER


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "https://another.example.org"},
        {"aud": None},
        {"iss": "https://evil.example.org"},
        {"iss": None},
        {"exp": 1_000_000_000, "iat": 999_999_999},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 7200},
        {"exp": None},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "true"},
        {"email": None},
        {"email": ["ada@example.org"]},
    ],
)
def test_tokens_that_are_not_for_us(signer: Signer, changes: dict[str, Any]) -> None:
    """Another audience or issuer, another time, or an address that nobody has verified: nobody."""
    assert GoogleIdentity(AUDIENCE, Certificates(signer)).email(id_token(signer, **changes)) is None


def test_tokens_that_google_did_not_sign(signer: Signer) -> None:
    """Another's signature, another's key under the same name, and no signature at all count for nothing."""
    identity = GoogleIdentity(AUDIENCE, Certificates(signer))
    good = id_token(signer)
    header, payload, signature = good.split(".")

    assert identity.email(id_token(new_signer("k1"))) is None
    assert identity.email(id_token(new_signer("k2"))) is None
    assert identity.email(f"{header}.{payload}.") is None
    assert identity.email(f"{header}.{payload[:-2]}AA.{signature}") is None
    claims = {"iss": "accounts.google.com", "aud": AUDIENCE, "email": SENDER, "email_verified": True, "exp": 9**10}
    for algorithm in ("none", "HS256", "ES256", None, 7, ["RS256"]):
        assert identity.email(_unsigned({"alg": algorithm, "kid": "k1"}, claims)) is None


@pytest.mark.parametrize("text", ["a.b.c", "..", "é.é.é", "W10.W10.W10", "e30.e30.e30", "bnVsbA.bnVsbA.bnVsbA"])
def test_texts_that_are_no_tokens(signer: Signer, text: str) -> None:
    """Whatever a stranger sends is at worst not a token."""
    assert GoogleIdentity(AUDIENCE, Certificates(signer)).email(text) is None


def test_deep_nonsense(signer: Signer) -> None:
    """A header that nests deeper than a parser goes is not a token."""
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()

    assert GoogleIdentity(AUDIENCE, Certificates(signer)).email(f"{deep}.e30.AAAA") is None


def test_certificates_are_kept(signer: Signer) -> None:
    """The certificates are fetched once an hour; when that fails the last ones hold on, and it is tried again soon."""
    now = [0.0]
    certificates = Certificates(signer)
    identity = GoogleIdentity(AUDIENCE, certificates, now=lambda: now[0])
    for _ in range(3):
        assert identity.email(id_token(signer))
    assert certificates.fetched == 1

    for fault in ("away", "broken"):
        now[0] += KEEP_S
        certificates.fault = fault
        assert identity.email(id_token(signer))
        assert identity.email(id_token(signer))
    assert certificates.fetched == 3

    now[0] += KEEP_ON_FAILURE_S
    certificates.signer, certificates.fault = new_signer("k1"), ""
    assert identity.email(id_token(signer)) is None
    assert certificates.fetched == 4


@pytest.mark.parametrize("fault", ["away", "broken"])
def test_no_certificates_at_all(signer: Signer, fault: str) -> None:
    """While there never were any certificates nobody can be judged, which is an outage."""
    certificates = Certificates(signer, fault=fault)
    identity = GoogleIdentity(AUDIENCE, certificates)
    with pytest.raises(TryLater):
        identity.email(id_token(signer))

    certificates.fault = ""
    assert identity.email(id_token(signer)) == SENDER


def test_who_is_on_the_list_comes_in(colony: Parts, signer: Signer) -> None:
    """Over HTTP an ID token lets in exactly whom the list names, for exactly what it says."""
    access = Access(guarded=True, audience=AUDIENCE, emails={SENDER: frozenset({Scope.READ})})
    client = colony.client(access, GoogleIdentity(AUDIENCE, Certificates(signer)))

    assert client.get("models", token=id_token(signer)).status_code == 200
    assert client.post("models/spam-guard/rollback", token=id_token(signer), json={"reason": "x"}).status_code == 403
    assert client.get("models", token=id_token(signer, email="eve@example.org")).status_code == 401
