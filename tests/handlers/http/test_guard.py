import logging
from dataclasses import replace
from typing import Any

import pytest

from handlers.commands.manage_tokens import revoke_token
from handlers.http import build
from handlers.http.access import Access
from handlers.http.server import Server
from tests.handlers.http.api import Client, Parts
from tests.handlers.http.conftest import MakeToken
from tests.worker.world import NOW
from worker.access.token import Scope, token_id
from worker.errors import Rejected, TryLater
from worker.features.port import Reader

GUARDED = Access(guarded=True, failures=3)
PROMOTE = {"version": "2", "reason": "a test"}


@pytest.mark.parametrize("path", ["models", "pipeline/runs", "decisions", "/metrics", "nothing", "/", "/healthz/"])
def test_nothing_without_a_token(colony: Parts, new_token: MakeToken, path: str) -> None:
    """Whoever shows no token learns nothing, not even what there is."""
    new_token("read")
    answer = colony.client(GUARDED).get(path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/mlops/docs", "/api/mlops/openapi.json"])
def test_what_is_open(colony: Parts, new_token: MakeToken, path: str) -> None:
    """Probes and the API's description answer whoever asks."""
    new_token("read")
    assert colony.client(GUARDED).get(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("GET", "models", None, "read"),
        ("GET", "models/spam-guard", None, "read"),
        ("GET", "pipeline/runs", None, "read"),
        ("GET", "pipeline/templates", None, "read"),
        ("GET", "pipeline/run/no-run", None, "read"),
        ("GET", "pipeline/run/no-run/events", None, "read"),
        ("GET", "decisions", None, "read"),
        ("GET", "/metrics", None, "read"),
        ("POST", "models/spam-guard/predict", {"features": {}}, "write"),
        ("POST", "pipeline/trigger", {"pipeline": "auto-retrain", "parameters": {"beeId": "spam-guard"}}, "write"),
        ("GET", "features", None, "read"),
        ("GET", "features/spam_probability", None, "read"),
        ("GET", "features/spam_probability/usage", None, "read"),
        ("GET", "features/e/spam_probability", None, "read"),
        ("POST", "features/batch", {"entityId": "e", "featureNames": ["spam_probability"]}, "read"),
        ("POST", "features/training", {"snapshotId": "snap-0"}, "read"),
        ("POST", "features/store", {"entityId": "e", "featureName": "spam_probability", "value": 1}, "write"),
        ("POST", "features/define", {"name": "f", "entity": "content", "type": "number"}, "write"),
        ("POST", "features/spam_probability/deprecate", {"reason": None}, "write"),
        ("DELETE", "features/nothing", None, "operate"),
        ("POST", "pipeline/run/no-run/cancel", None, "operate"),
        ("POST", "models/spam-guard/promote", PROMOTE, "operate"),
        ("POST", "models/spam-guard/rollback", {"reason": "a test"}, "operate"),
    ],
)
def test_each_scope_opens_its_own(
    colony: Parts, new_token: MakeToken, method: str, path: str, body: Any, scope: str
) -> None:
    """A route takes tokens with its scope, and refuses those that have only the others."""
    others = new_token(*(set(Scope) - {scope}))
    client = colony.client(GUARDED)

    refused = client.call(method, path, token=others, json=body)
    let_in = client.call(method, path, token=new_token(scope), json=body)

    assert refused.status_code == 403
    assert f'scope="{scope}"' in refused.headers["www-authenticate"]
    assert let_in.status_code in {200, 202, 404}


def test_revoked(colony: Parts, new_token: MakeToken) -> None:
    """A revoked token counts no more from the next request on."""
    token = new_token("read")
    client = colony.client(GUARDED)
    assert client.get("models", token=token).status_code == 200

    revoke_token(str(token_id(token)), colony.ledger, NOW)

    answer = client.get("models", token=token)
    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer x", "Bearer a.b.c", "bearer: {}", "Token {}"],
)
def test_wrong_credentials(colony: Parts, new_token: MakeToken, header: str) -> None:
    """Whatever is not exactly a token after `Bearer` is none."""
    token = new_token("read")
    answer = colony.client(GUARDED).get("models", headers={"Authorization": header.format(token)})

    assert answer.status_code == 401


def test_two_credentials_are_none(colony: Parts, new_token: MakeToken) -> None:
    """Two Authorization headers are refused: nobody should have to guess which one a proxy has checked."""
    header = ("Authorization", f"Bearer {new_token('read')}")
    client = colony.client(GUARDED)

    assert client.call("GET", "models", headers=dict([header])).status_code == 200
    assert _twice(client, header) == 401


def _twice(client: Client, header: tuple[str, str]) -> int:
    import asyncio

    import httpx

    async def send() -> int:
        transport = httpx.ASGITransport(client.api)
        async with httpx.AsyncClient(transport=transport, base_url="http://colony.test") as http:
            return (await http.get("/api/mlops/models", headers=[header, header])).status_code

    return asyncio.run(send())


def test_guessing_has_to_wait(colony: Parts, new_token: MakeToken) -> None:
    """After so many wrong tokens an address waits; others do not, and what was good before is not locked out."""
    good, unseen = new_token("read"), new_token("read")
    guesser = colony.client(GUARDED)
    neighbour = Client(guesser.api, address="192.0.2.2")
    assert guesser.get("models", token=good).status_code == 200

    answers = [guesser.get("models", token="wrong").status_code for _ in range(5)]

    assert answers == [401, 401, 401, 429, 429]
    waiting = guesser.get("models", token=unseen)
    assert waiting.status_code == 429
    assert 1 <= int(waiting.headers["retry-after"]) <= 20
    assert guesser.get("models", token=good).status_code == 200
    assert neighbour.get("models", token=unseen).status_code == 200


def test_one_subscriber_is_one_address(colony: Parts, new_token: MakeToken) -> None:
    """The addresses of one IPv6 network wait together."""
    new_token("read")
    api = colony.client(GUARDED).api
    for number in range(3):
        assert Client(api, address=f"2001:db8::{number}").get("models", token="wrong").status_code == 401

    assert Client(api, address="2001:db8::ffff").get("models", token="wrong").status_code == 429
    assert Client(api, address="2001:db8:1::").get("models", token="wrong").status_code == 401


def test_so_many_requests(colony: Parts, new_token: MakeToken) -> None:
    """Each token has its own number of requests a minute; probes are never refused."""
    one, another = new_token("read"), new_token("read")
    client = colony.client(replace(GUARDED, requests=2))

    assert [client.get("models", token=one).status_code for _ in range(3)] == [200, 200, 429]
    assert client.get("models", token=another).status_code == 200
    assert {client.get("/healthz").status_code for _ in range(5)} == {200}


def test_online_reads_are_counted_with_the_rest(colony: Parts, new_token: MakeToken) -> None:
    """What is answered before the routes needs a token as well, and takes from the same number of requests."""
    token = new_token("read")
    client = colony.client(replace(GUARDED, requests=3))
    paths = ["models", "features/e/spam_probability", "features/e/spam_probability", "features/e/spam_probability"]

    assert [client.get(path, token=token).status_code for path in paths] == [200, 200, 200, 429]
    assert client.get("models", token=token).status_code == 429
    assert client.get("features/e/spam_probability").status_code == 401
    refused = client.get("features/e/spam_probability", token="wrong")
    assert (refused.status_code, refused.headers["x-frame-options"]) == (401, "DENY")
    reader = next(item.reader for item in colony.features.usage())
    assert reader == Reader(f"token:{token_id(token)}", "serving")


def test_so_many_requests_of_an_address(colony: Parts) -> None:
    """Where no token is asked for, the address is counted."""
    client = colony.client(Access(requests=2))

    assert [client.get("models").status_code for _ in range(3)] == [200, 200, 429]
    assert Client(client.api, address="192.0.2.2").get("models").status_code == 200


def test_last_use(colony: Parts, new_token: MakeToken) -> None:
    """Using a token is recorded; being refused is not."""
    token, unused = new_token("read"), new_token("read")
    client = colony.client(GUARDED)
    for _ in range(3):
        client.get("models", token=token)
    client.get("models", token=unused[:-1] + ("0" if unused[-1] != "0" else "1"))

    with colony.ledger.begin(write=False) as transaction:
        used = {item.id: item.last_used_at for item in transaction.tokens.list()}
    assert used == {token_id(token): NOW, token_id(unused): None}


def test_no_token_in_any_log(colony: Parts, new_token: MakeToken, caplog: pytest.LogCaptureFixture, capfd: Any) -> None:
    """Neither a good nor a wrong token is ever written to a log."""
    caplog.set_level(logging.DEBUG)
    good = new_token("read")
    wrong = good[:-4] + "0000"
    client = colony.client(GUARDED)
    for token in (good, wrong):
        client.get("models", token=token)
        client.get("nothing", token=token)

    written = "".join((caplog.text, *capfd.readouterr()))
    assert "wrong token" in written
    for token in (good, wrong):
        assert token[20:60] not in written


def test_no_lines_of_strangers_in_the_log(colony: Parts, new_token: MakeToken, capfd: Any) -> None:
    """A path with line breaks in it stays one line of the log."""
    new_token("read")
    colony.client(GUARDED).get("models%0a2002-10-01 [info] all is well", token="wrong")

    written = "".join(capfd.readouterr())
    assert "all is well" in written
    assert not any(line.startswith("2002-10-01") for line in written.splitlines())


def test_a_ledger_that_is_away(colony: Parts, new_token: MakeToken) -> None:
    """Without the ledger nobody can be let in, which is told as an outage, not as a wrong token."""
    token = new_token("read")

    class Away:
        """An identity provider that does not answer."""

        def email(self, credential: str) -> str | None:
            raise TryLater(f"no answer about {len(credential)} signs")

    client = colony.client(replace(GUARDED, audience="x", emails={}), Away())

    assert client.get("models", token="a.b.c").status_code == 503
    assert client.get("models", token=token).status_code == 200


def test_nobody_could_come_in(colony: Parts, new_token: MakeToken) -> None:
    """A guarded API that no token opens is refused at the start, with what to do; a revoked token does not count."""
    with pytest.raises(Rejected, match="colony tokens create"):
        build(colony.services(GUARDED))
    token = new_token("read")
    build(colony.services(GUARDED))

    revoke_token(str(token_id(token)), colony.ledger, NOW)

    with pytest.raises(Rejected, match="there is none"):
        build(colony.services(GUARDED))


def test_beyond_loopback_with_a_token(colony: Parts, new_token: MakeToken) -> None:
    """A guarded API may be listened to by others."""
    import httpx

    token = new_token("read")
    server = Server(build(colony.services(GUARDED)), "0.0.0.0", 0)  # noqa: S104 - the point of it
    server.start()
    url = f"http://127.0.0.1:{server.port}/api/mlops/models"

    assert httpx.get(url).status_code == 401
    answer = httpx.get(url, headers={"Authorization": f"Bearer {token}", "Host": "colony.example.org"})
    assert answer.status_code == 200
    assert "server" not in answer.headers
    server.stop()


def test_strangers_learn_only_what_is_away(colony: Parts, new_token: MakeToken) -> None:
    """A guarded API tells its probes which part is away, and keeps the reason for the log."""
    from worker.loops import Loop

    new_token("read")
    services = replace(colony.services(GUARDED), loops=[Loop("intake", lambda: 0, idle_s=1)])

    answer = Client(build(services)).get("/readyz")

    assert (answer.status_code, answer.json()["faults"]) == (503, {"colony-intake": "the log has the reason"})


def test_cors(colony: Parts) -> None:
    """Pages of other origins may call only if their origin is set."""
    asked = {"Origin": "https://console.example.org", "Access-Control-Request-Method": "POST"}
    closed = colony.client().call("OPTIONS", "models", headers=asked)
    client = colony.client(Access(origins=("https://console.example.org",)))
    allowed = client.call("OPTIONS", "models", headers=asked)
    other = client.get("models", headers={"Origin": "https://evil.example.org"})

    assert "access-control-allow-origin" not in closed.headers
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://console.example.org"
    assert "access-control-allow-origin" not in other.headers
