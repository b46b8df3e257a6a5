"""The clients as they are made for the live service, without calling it."""

from typing import Any

import pytest
from google.auth.credentials import AnonymousCredentials

from worker.adapters.bus.pubsub_clients import publisher, subscriber


def test_without_an_emulator_they_call_google(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients go to Pub/Sub's own host, with the credentials that they are given."""
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]

    for client in (subscriber(credentials), publisher(credentials)):
        assert client.transport.host == "pubsub.googleapis.com:443"
        assert client.transport._credentials is credentials
        client.transport.close()


def test_with_one_they_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With PUBSUB_EMULATOR_HOST no credentials are looked for."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere.json")

    for client in (subscriber(), publisher()):
        client.transport.close()
