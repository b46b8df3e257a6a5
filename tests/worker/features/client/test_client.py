import contextlib
import itertools
import subprocess
import sys
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.handlers.http.api import Parts
from tests.worker.features.client.conftest import QUICK, Connect
from tests.worker.features.client.faulty import proxy
from tests.worker.world import NOW
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.features.client import Answered, DefineRequest, StoreValue, Unreachable
from worker.features.client.calls import Call
from worker.features.client.retry import PATIENT, Again, Patience, read_answer, retry_after_s

_numbers = itertools.count()


@pytest.fixture(name="entity")
def _entity() -> str:
    return f"entity {next(_numbers)}/é"


@pytest.fixture(name="client")
def _client(connect: Connect, port: int) -> Any:
    return connect(f"http://127.0.0.1:{port}/")


def _value(entity: str, value: float, at: datetime = NOW) -> StoreValue:
    return StoreValue(entity, "score", value, timestamp=at)


def test_store_and_read(client: Any, entity: str) -> None:
    """What is stored is read, one value or many, with its status and time."""
    assert client.store(_value(entity, 0.5), StoreValue(entity, "name", "Ada", timestamp=NOW - timedelta(days=2))) == 2

    one = client.get_feature(entity, "score")
    both = client.get_features(entity, ["score", "name"])
    many = client.get_features_of([entity, "nobody"], ["score"])

    assert (one.entity_id, one.feature_name, one.value, one.status, one.timestamp) == (
        entity, "score", 0.5, "PRESENT", NOW,
    )  # fmt: skip
    assert (both["score"].value, both["name"].status, both["name"].value) == (0.5, "EXPIRED", None)
    assert [found["score"].status for found in many.values()] == ["PRESENT", "MISSING"]


@pytest.mark.parametrize("entity_id", [".", "..", "a/../b", "%2e%2e", "é ?#&"])
def test_ids_that_look_like_paths(client: Any, entity_id: str) -> None:
    """An entity's id is that, whatever URLs make of it."""
    client.store(_value(entity_id, 3))

    assert client.get_feature(entity_id, "score").value == 3.0


def test_training(client: Any, entity: str) -> None:
    """Training reads come back as rows, and again by their snapshot's id."""
    client.store(_value(entity, 1, NOW - timedelta(days=2)))
    options = {"snapshot_time": NOW, "respect_known_at": False}

    table = client.get_features_for_training([entity, "nobody"], ["score"], **options)
    spine = client.get_features_for_spine(
        [(entity, NOW - timedelta(days=3)), (entity, NOW)], ["score"], respect_known_at=False
    )

    assert [(row.entity_id, row.timestamp, row.features) for row in table.rows] == [
        (entity, NOW, {"score": 1.0}),
        ("nobody", NOW, {"score": None}),
    ]
    assert [row.features["score"] for row in spine.rows] == [None, 1.0]
    client.store(_value(entity, 2, NOW - timedelta(days=1)))
    assert client.reproduce(table.snapshot_id) == table


def test_definitions(client: Any, connect: Connect, port: int) -> None:
    """Definitions are made, found, deprecated, looked at and deleted."""
    name = f"feature_{next(_numbers)}"
    made = client.define(DefineRequest(name, "content", "number", ttl="30d", tags=["x"], owner=name))
    assert (made.name, made.version, made.ttl) == (name, 1, "30d")

    assert [item.name for item in client.definitions(owner=name)] == [name]
    assert client.deprecate(name, "old").deprecated == "old"
    assert [item.deprecated for item in client.definition(name).versions] == ["old"]
    assert client.usage(name).values == 0
    client.delete(name)
    assert list(connect(f"http://127.0.0.1:{port}").definitions(owner=name)) == []


def test_every_page(client: Any) -> None:
    """A list goes on until its end."""
    names = {f"page_{number:03}" for number in range(105)}
    if not list(client.definitions(tag="page")):
        for name in names:
            client.define(DefineRequest(name, "content", "number", tags=["page"]))

    assert [item.name for item in client.definitions(tag="page")] == sorted(names)


def test_errors(client: Any) -> None:
    """The server's refusals are the errors that a caller inside would see."""
    with pytest.raises(NotFound, match="'nothing' is not defined"):
        client.get_feature("e", "nothing")
    with pytest.raises(Rejected) as wrong:
        client.store(_value("e", 1), StoreValue("e", "score", "high"))
    assert (wrong.value.field, wrong.value.mend) == ("values[1].value", "")
    with pytest.raises(Conflict, match="spam-guard"):
        client.delete("spam_probability")
    with pytest.raises(Answered) as refused:
        client.store(*[_value("x" * 1000, 1)] * 20_000)
    assert refused.value.status == 413


def test_tokens(connect: Connect, guarded: tuple[int, str]) -> None:
    """A token is shown with each call; without one, or with too few scopes, the server's answer says so."""
    port, token = guarded
    url = f"http://127.0.0.1:{port}"

    assert connect(url, token=token).get_feature("e", "score").status == "MISSING"
    for options, status in (({}, 401), ({"token": "wrong"}, 401)):
        with pytest.raises(Answered) as refused:
            connect(url, **options).get_feature("e", "score")
        assert refused.value.status == status
    with pytest.raises(Answered, match="scope write"):
        connect(url, token=token).store(_value("e", 1))


def test_too_many_requests(connect: Connect, guarded: tuple[int, str]) -> None:
    """A caller over its rate waits as long as the server says, and gets its answer."""
    port, token = guarded
    hasty = connect(f"http://127.0.0.1:{port}", token=token, patience=Patience(attempts=1))
    with contextlib.suppress(TryLater):
        for _ in range(200):
            hasty.get_feature("e", "score")
    with pytest.raises(TryLater, match="more requests than allowed"):
        hasty.get_features_of(["e"], ["score"])

    patient = connect(f"http://127.0.0.1:{port}", token=token, patience=Patience(attempts=5))

    assert patient.get_feature("e", "score").status == "MISSING"


def test_a_server_that_comes_back(connect: Connect, port: int, entity: str) -> None:
    """An outage is waited for, and a connection that is cut is made again."""
    outages = ["HTTP/1.1 503 Service Unavailable\r\nRetry-After: 0.05", "cut"]
    with proxy(port, outages) as server:
        assert connect(server.url).get_feature(entity, "score").status == "MISSING"
        assert len(server.seen) == 3


@pytest.mark.parametrize(("status", "repeatable", "waits"), [(429, False, 7), (503, False, 7), (504, True, 7)])
def test_retry_after_is_kept(status: int, repeatable: bool, waits: float) -> None:  # noqa: FBT001
    """A call is not sent again before the server says."""
    call: Call[Any] = Call("POST", "/", lambda body: body, b"", repeatable)

    with pytest.raises(Again) as again:
        read_answer(call, httpx.Response(status, headers={"Retry-After": "7"}), PATIENT)

    assert again.value.wait_s == waits


def test_too_long_to_wait(connect: Connect, port: int, entity: str) -> None:
    """A server that asks for an hour is not waited for."""
    with proxy(port, ["HTTP/1.1 503 Service Unavailable\r\nRetry-After: 3600"]) as server:
        with pytest.raises(TryLater):
            connect(server.url).get_feature(entity, "score")
        assert len(server.seen) == 1


def test_no_end_of_outages(connect: Connect, port: int) -> None:
    """After so many attempts the last failure is the answer."""
    with proxy(port, ["cut"] * 10) as server:
        with pytest.raises(Unreachable, match="/api/mlops/features/e/score"):
            connect(server.url).get_feature("e", "score")
        assert len(server.seen) == QUICK.attempts


def test_a_lost_answer(connect: Connect, colony: Parts, port: int, entity: str) -> None:
    """What has its own time is sent again, and stored once; what has not is not sent again."""
    with proxy(port, ["lose"]) as server:
        assert connect(server.url).store(_value(entity, 1)) == 1
        assert len(server.seen) == 2
    with proxy(port, ["lose"]) as server:
        with pytest.raises(Unreachable):
            connect(server.url).store(StoreValue(entity, "score", 2))
        assert len(server.seen) == 1

    assert colony.features.read([entity], ["score"], now=NOW)[entity]["score"].value == 2.0


def test_what_was_not_done_is_sent_again(connect: Connect, port: int, entity: str) -> None:
    """A server that says that it has done nothing may be asked again for anything."""
    with proxy(port, ["HTTP/1.1 503 Service Unavailable"]) as server:
        assert connect(server.url).store(StoreValue(entity, "score", 2)) == 1
    with proxy(port, ["HTTP/1.1 502 Bad Gateway"]) as server:
        with pytest.raises(Answered):
            connect(server.url).store(StoreValue(entity, "score", 2))
        assert connect(server.url).store(_value(entity, 2)) == 1


def test_a_server_that_does_not_answer(connect: Connect, port: int) -> None:
    """A time-out ends each attempt."""
    with proxy(port, ["stall"]) as server:
        client = connect(server.url, patience=Patience(attempts=1, timeout_s=0.1))
        with pytest.raises(Unreachable):
            client.get_feature("e", "score")


def test_nobody_there(connect: Connect) -> None:
    """A server that is not there is told as such."""
    with pytest.raises(Unreachable, match="GET"):
        connect("http://127.0.0.1:1").get_feature("e", "score")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("2", 2), ("0.5", 0.5), ("-1", 0), ("nan", 0), ("soon", 0), ("Tue, 01 Oct 2002 12:00:30 GMT", 30)],
)
def test_retry_after(header: str, seconds: float) -> None:
    """Both forms of Retry-After are understood, and nonsense is none."""
    assert retry_after_s(header, NOW) == seconds


def test_importing_is_cheap() -> None:
    """Importing the client loads neither httpx nor the server's parts."""
    code = "import sys, worker.features.client; print(*sorted(sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    heavy = {"httpx", "tenacity", "fastapi", "pydantic", "numpy", "sqlalchemy", "pyarrow", "asyncio"}
    assert heavy & set(loaded) == set()
