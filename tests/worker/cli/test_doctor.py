"""`colony doctor` and the webhook: reached always, called only on request."""

import json
from typing import Any

import pytest

from tests.webhook_server import WebhookServer
from tests.worker.cli.conftest import Here


def _webhook(output: str) -> dict[str, Any]:
    (found,) = [row for row in map(json.loads, output.splitlines()) if row["part"] == "webhook"]
    assert isinstance(found, dict)
    return found


def test_a_webhook_is_reached_and_not_called(
    here: Here, webhook_server: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without being asked to, doctor sends nobody a message; the secret URL is in neither form of its answer."""
    monkeypatch.setenv("COLONY_WEBHOOK", webhook_server.url)

    _, lines, _ = here("doctor", "--json")
    _, text, _ = here("doctor")

    assert (_webhook(lines)["ok"], webhook_server.came) == (True, [])
    assert f"127.0.0.1:{webhook_server.server_port} answers" in text
    assert "verysecret" not in lines + text


def test_a_test_message_on_request(here: Here, webhook_server: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to, it sends one message that says what it is; one that is not taken is a fault."""
    monkeypatch.setenv("COLONY_WEBHOOK", webhook_server.url)

    assert _webhook(here("doctor", "--webhook", "--json")[1]) == {
        "part": "webhook",
        "ok": True,
        "severity": "ok",
        "detail": "a test message was taken",
        "mend": "",
    }
    ((_, _, sent),) = webhook_server.came
    assert "this is a test of `colony doctor --webhook`" in json.dumps(sent)
    webhook_server.status, webhook_server.words = 404, b"no_team"
    code, lines, _ = here("doctor", "--webhook", "--json")
    assert (code, _webhook(lines)["ok"]) == (2, False)
    assert "127.0.0.1 answered 404" in _webhook(lines)["detail"]


def test_nothing_to_send_to(here: Here) -> None:
    """Without a webhook there is no check of it; asking for a message says which variable is missing."""
    assert '"webhook"' not in here("doctor", "--json")[1]
    code, lines, _ = here("doctor", "--webhook", "--json")

    assert code == 2
    assert "COLONY_WEBHOOK: is not set" in _webhook(lines)["detail"]
