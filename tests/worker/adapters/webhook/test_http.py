"""The webhook over real HTTP."""

import socket

import pytest

from tests.webhook_server import SECRET, WebhookServer
from worker.adapters.webhook.http import HttpHook
from worker.errors import Rejected, TryLater


def test_it_posts_json(webhook_server: WebhookServer) -> None:
    """The message arrives as it is."""
    hook = HttpHook(webhook_server.url)
    hook.send({"text": "an incident needs a person → now"})
    hook.close()

    assert webhook_server.came == [(SECRET, "application/json", {"text": "an incident needs a person → now"})]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(500, TryLater), (503, TryLater), (429, TryLater), (302, TryLater), (400, Rejected), (404, Rejected)],
)
def test_what_is_not_taken(webhook_server: WebhookServer, status: int, kind: type[Exception]) -> None:
    """The status tells whether it is tried again; the secret is in no error."""
    webhook_server.status, webhook_server.words = status, f"no such hook {SECRET}".encode()
    hook = HttpHook(webhook_server.url)

    with pytest.raises(kind) as raised:
        hook.send({"text": "x"})

    hook.close()
    assert f"127.0.0.1 answered {status}" in str(raised.value)
    assert "verysecret" not in str(raised.value)
    assert len(webhook_server.came) == 1


def test_nobody_there() -> None:
    """A port that nobody listens on is tried again later; the secret is not told."""
    server = WebhookServer()
    url = server.url
    server.server_close()

    with pytest.raises(TryLater) as raised:
        HttpHook(url).send({"text": "x"})

    assert "verysecret" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("url", ["", "ftp://example.org/x", "hooks.example.org/x", "http://", "http://[::1/secret"])
def test_a_wrong_url(url: str) -> None:
    """What is no http(s) URL is refused, and not repeated."""
    with pytest.raises(Rejected, match="COLONY_WEBHOOK") as raised:
        HttpHook(url)
    assert "secret" not in str(raised.value)


def test_verify_reaches_and_tells_nothing(webhook_server: WebhookServer) -> None:
    """The port is opened and closed; nothing is posted, and the secret is in no word."""
    hook = HttpHook(webhook_server.url)

    said = hook.verify()

    hook.close()
    assert f"127.0.0.1:{webhook_server.server_port} answers" in said
    assert "verysecret" not in said
    assert webhook_server.came == []


@pytest.mark.parametrize("host", ["127.0.0.1", "no-such-host.invalid", "x" * 64 + ".example"])
def test_verify_says_what_cannot_be_reached(host: str) -> None:
    """A closed port and a host that there is not are told by name, without the secret."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(TryLater, match=f"{host}:{port} cannot be reached") as raised:
            HttpHook(f"http://{host}:{port}{SECRET}").verify()

    assert "verysecret" not in str(raised.value)


def test_verify_goes_the_way_that_messages_go(webhook_server: WebhookServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a proxy stands in between it is the proxy that must answer."""
    monkeypatch.setenv("https_proxy", f"127.0.0.1:{webhook_server.server_port}")
    monkeypatch.setenv("no_proxy", "")

    said = HttpHook(f"https://hooks.example.invalid{SECRET}").verify()

    assert f"127.0.0.1:{webhook_server.server_port} answers (the proxy on the way to hooks.example.invalid)" in said
