"""Google's ID tokens as a test makes them: signed by a key of its own, whose certificate a server here gives out."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth import crypt, jwt
from google.auth.transport import requests

AUDIENCE = "https://colony.example.org"
SENDER = "ada@example.org"


@dataclass
class Signer:
    """A key pair as Google has them: the certificate is published, the key signs."""

    id: str
    signer: Any
    certificate: str


def new_signer(id_: str) -> Signer:
    """Return a new key pair."""
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


def id_token(signer: Signer, **changes: Any) -> str:
    """Return a token, good for an hour but for the changes; None leaves a claim out."""
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


class CertificateServer:
    """Gives out the certificates of some keys over HTTP, as Google does; counts, and can be away."""

    def __init__(self, url: str) -> None:
        """Know no key yet."""
        self.url = url
        self.signers: list[Signer] = []
        self.fetched = 0
        self.away = False

    def request(self, _url: str, **options: Any) -> Any:
        """Fetch the certificates from here instead of from Google."""
        call: Any = requests.Request()
        return call(self.url, **options)


@contextmanager
def certificate_server() -> Iterator[CertificateServer]:
    """Run a server of certificates."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.fetched += 1
            body = json.dumps({one.id: one.certificate for one in served.signers}).encode()
            self.send_response(503 if served.away else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = CertificateServer(f"http://127.0.0.1:{server.server_port}/certs")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()
