import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, exceptions, jwt

from handlers.http.access import Access
from handlers.http.google_identity import KEEP_ON_FAILURE_S, KEEP_S, GoogleIdentity
from tests.handlers.http.api import Parts
from worker.access.token import Scope
from worker.errors import TryLater

AUDIENCE = "https://colony.example.org"
SENDER = "ada@example.org"


@dataclass
class Signer:
    """A key pair as Google has them: the certificate is published, the key signs."""

    id: str
    signer: Any
    certificate: str


def _new_signer(id_: str) -> Signer:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
    now = datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    signer = crypt.RSASigner.from_string(pem, id_)  # type: ignore[no-untyped-call]
    return Signer(id_, signer, certificate.public_bytes(serialization.Encoding.PEM).decode())


@pytest.fixture(name="signer", scope="module")
def _signer() -> Signer:
    return _new_signer("k1")


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


def _token(signer: Signer, **changes: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": "https://accounts.google.com",
        "aud": AUDIENCE,
        "sub": "1",
        "email": SENDER,
        "email_verified": True,
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    encoded = jwt.encode(signer.signer, {k: v for k, v in claims.items() if v is not None})  # type: ignore[no-untyped-call]
    return str(encoded.decode())


def _unsigned(header: Any, payload: Any) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, payload))
    return ".".join((*parts, "AAAA"))


def test_who_signed_in(signer: Signer) -> None:
    """A token that Google signed for us tells its verified address, in small letters."""
    identity = GoogleIdentity(AUDIENCE, Certificates(signer))

    assert identity.email(_token(signer)) == SENDER
    assert identity.email(_token(signer, email="Ada@Example.org")) == SENDER


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
    assert GoogleIdentity(AUDIENCE, Certificates(signer)).email(_token(signer, **changes)) is None


def test_tokens_that_google_did_not_sign(signer: Signer) -> None:
    """Another's signature, another's key under the same name, and no signature at all count for nothing."""
    identity = GoogleIdentity(AUDIENCE, Certificates(signer))
    good = _token(signer)
    header, payload, signature = good.split(".")

    assert identity.email(_token(_new_signer("k1"))) is None
    assert identity.email(_token(_new_signer("k2"))) is None
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
        assert identity.email(_token(signer))
    assert certificates.fetched == 1

    for fault in ("away", "broken"):
        now[0] += KEEP_S
        certificates.fault = fault
        assert identity.email(_token(signer))
        assert identity.email(_token(signer))
    assert certificates.fetched == 3

    now[0] += KEEP_ON_FAILURE_S
    certificates.signer, certificates.fault = _new_signer("k1"), ""
    assert identity.email(_token(signer)) is None
    assert certificates.fetched == 4


@pytest.mark.parametrize("fault", ["away", "broken"])
def test_no_certificates_at_all(signer: Signer, fault: str) -> None:
    """While there never were any certificates nobody can be judged, which is an outage."""
    certificates = Certificates(signer, fault=fault)
    identity = GoogleIdentity(AUDIENCE, certificates)
    with pytest.raises(TryLater):
        identity.email(_token(signer))

    certificates.fault = ""
    assert identity.email(_token(signer)) == SENDER


def test_who_is_on_the_list_comes_in(colony: Parts, signer: Signer) -> None:
    """Over HTTP an ID token lets in exactly whom the list names, for exactly what it says."""
    access = Access(guarded=True, audience=AUDIENCE, emails={SENDER: frozenset({Scope.READ})})
    client = colony.client(access, GoogleIdentity(AUDIENCE, Certificates(signer)))

    assert client.get("models", token=_token(signer)).status_code == 200
    assert client.post("models/spam-guard/rollback", token=_token(signer), json={"reason": "x"}).status_code == 403
    assert client.get("models", token=_token(signer, email="eve@example.org")).status_code == 401
