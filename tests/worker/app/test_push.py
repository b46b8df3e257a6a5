"""Push delivery as the settings make it."""

from pathlib import Path

import pytest

from tests.handlers.http.api import Client
from worker.app import App
from worker.clock import wall_clock

DELIVERY = {"message": {"data": "e2Jyb2tlbg==", "messageId": "1"}, "subscription": "s"}


@pytest.fixture(autouse=True, name="environment")
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setenv("COLONY_HOME", str(tmp_path))
    return monkeypatch


def _client() -> Client:
    from config.settings import read_settings

    return Client(App(read_settings(local=True), wall_clock).http([]))


def test_with_the_settings_a_token_of_pubsub_is_needed(environment: pytest.MonkeyPatch) -> None:
    """Where push delivery is set up nobody gets in without its token, on loopback neither."""
    environment.setenv("COLONY_PUSH_AUDIENCE", "https://colony.example.org")
    environment.setenv("COLONY_PUSH_EMAIL", "push@p.iam.gserviceaccount.com")

    assert _client().post("events/push", json=DELIVERY).status_code == 401


def test_without_them_it_is_a_call_like_any_other() -> None:
    """On loopback it takes messages without a token, as the emulator pushes them: poison becomes a dead letter."""
    assert _client().post("events/push", json=DELIVERY).status_code == 204
