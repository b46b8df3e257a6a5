import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from handlers.http import build
from handlers.http.access import Access
from tests.handlers.http.api import Client, Parts
from tests.worker.world import NOW
from worker.clock import to_text
from worker.features.port import FeatureStore, Reader

IDS = [
    "c1", "a/b", "/", "//", "a b", "50%", "%2F", "a?b=c#d", "é", "日本語", "👩‍👩‍👧", "..", ".", "a/../b", "define",
    "usage", "features/c1/x", "+", "a;b", "\u202e", '"', "\\", "x" * 1024, "é" * 512, "a\nb", " ", "e\u0301",
]  # fmt: skip


def _store(client: Client, *values: Any) -> Any:
    keys = ("entityId", "featureName", "value", "timestamp")
    body = {"values": [dict(zip(keys, value, strict=False)) for value in values]}
    answer = client.post("features/store", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("entity_id", IDS)
def test_any_entity_id(client: Client, entity_id: str) -> None:
    """Whatever text an entity's id is, percent-encoded it is found in the path as it is in a body."""
    _store(client, (entity_id, "score", 1.5))
    shown = {"value": 1.5, "status": "PRESENT", "timestamp": to_text(NOW)}

    # A client that takes `..` for a way through the path never sends it; one that does not is answered.
    if entity_id not in {".", ".."}:
        answer = client.get(f"features/{quote(entity_id, safe='')}/score")
        assert answer.json() == {"entityId": entity_id, "featureName": "score", **shown}
    answer = client.post("features/batch", json={"entityId": entity_id, "featureNames": ["score"]})
    assert answer.json() == {"entities": [{"entityId": entity_id, "features": {"score": shown}}]}


def test_as_little_encoded_as_may_be(client: Client) -> None:
    """Encoding more or less than need be is the same path, wherever it is."""
    _store(client, ("a~é", "score", 2))

    for path in ("features/a~é/score", "features/%61%7E%C3%A9/score", "%66eatures/a~%C3%A9/%73core"):
        assert client.get(path).json()["value"] == 2.0


def test_every_status(client: Client, entity: str) -> None:
    """A value is there only if it is PRESENT; else its status says why not."""
    old = to_text(NOW - timedelta(days=2))
    _store(client, (entity, "score", 0.25, old), (entity, "name", "Ada", old), (entity, "flag", None))

    names = ["score", "name", "flag", "place"]
    (found,) = client.post("features/batch", json={"entityId": entity, "featureNames": names}).json()["entities"]

    assert found["features"] == {
        "score": {"value": 0.25, "status": "PRESENT", "timestamp": old},
        "name": {"value": None, "status": "EXPIRED", "timestamp": old},
        "flag": {"value": None, "status": "NULL", "timestamp": to_text(NOW)},
        "place": {"value": None, "status": "MISSING", "timestamp": None},
    }


def test_types(client: Client, entity: str) -> None:
    """Every type comes back as it was sent."""
    sent = {"score": -1e-300, "name": 'Ada "é" 👩', "flag": False, "place": [1.0, -2.5]}
    for name, value in sent.items():
        client.post("features/store", json={"entityId": entity, "featureName": name, "value": value})

    (found,) = client.post("features/batch", json={"entityId": entity, "featureNames": list(sent)}).json()["entities"]

    assert {name: item["value"] for name, item in found["features"].items()} == sent


def test_many_entities_in_the_order_asked(client: Client) -> None:
    """A batch answers each id it names, as often as it names it, in its order, known or not."""
    _store(client, *[(f"e{number}", "score", number) for number in range(5)])
    ids = ["e3", "nobody", "e1", "e3"]

    found = client.post("features/batch", json={"entityIds": ids, "featureNames": ["score"]}).json()["entities"]

    assert [(item["entityId"], item["features"]["score"]["value"]) for item in found] == [
        ("e3", 3.0), ("nobody", None), ("e1", 1.0), ("e3", 3.0),
    ]  # fmt: skip


def test_storing_is_idempotent(client: Client, entity: str) -> None:
    """The same value for the same time is stored once, however often it is sent; the answer tells."""
    value = {"entityId": entity, "featureName": "score", "value": 1, "timestamp": "2002-09-28T02:00:00+02:00"}

    assert client.post("features/store", json=value).json() == {"stored": 1, "new": 1}
    assert client.post("features/store", json=value).json() == {"stored": 1, "new": 0}
    assert client.post("features/store", json={"values": [value, value]}).json() == {"stored": 2, "new": 0}
    assert client.get(f"features/{entity}/score").json()["timestamp"] == "2002-09-28T00:00:00Z"


def test_all_or_none(client: Client, entity: str) -> None:
    """One value that cannot be stored keeps the others of its request out."""
    good = {"entityId": entity, "featureName": "score", "value": 1}
    answer = client.post("features/store", json={"values": [good, {**good, "value": "high"}]})

    assert (answer.status_code, answer.json()["field"]) == (422, "values[1].value")
    assert client.get(f"features/{entity}/score").json()["status"] == "MISSING"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"value": "high"}, "value"),
        ({"value": True}, "value"),
        ({"value": {"a": 1}}, "value"),
        ({"value": [[1]]}, "value[0]"),
        ({"value": 9007199254740993}, "value"),
        ({"value": 10**400}, "value"),
        ({"featureName": "nothing"}, "featureName"),
        ({"featureName": 7}, "featureName"),
        ({"entityId": ""}, "entityId"),
        ({"entityId": 7}, "entityId"),
        ({"entityId": "é" * 513}, "entityId"),
        ({"entityId": "a\0b"}, "entityId"),
        ({"timestamp": "2002-09-28T00:00:00"}, "timestamp"),
        ({"timestamp": "2002-09-28"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1033171200}, "timestamp"),
        ({"timestamp": None}, "timestamp"),
        ({"timestamp": "2030-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "9999-12-31T23:59:59-12:00"}, "timestamp"),
        ({"knownAt": "2002-09-28"}, "knownAt"),
        ({"knownAt": "2030-01-01T00:00:00Z"}, "knownAt"),
        ({"valeu": 1}, "valeu"),
    ],
)
def test_wrong_values_name_their_field(client: Client, entity: str, change: dict[str, Any], field: str) -> None:
    """A value that cannot be stored is a problem that names the field, alone and among many."""
    good = {"entityId": entity, "featureName": "score", "value": 1}

    alone = client.post("features/store", json={**good, **change})
    for before in range(3):
        among = client.post("features/store", json={"values": [good] * before + [{**good, **change}]})
        assert (among.status_code, among.json()["field"]) == (422, f"values[{before}].{field}")

    assert (alone.status_code, alone.json()["field"]) == (422, field)
    assert alone.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("missing", ["entityId", "featureName", "value"])
def test_missing_fields(client: Client, entity: str, missing: str) -> None:
    """A value without one of its parts says which; null is a value, nothing is not."""
    value = {"entityId": entity, "featureName": "score", "value": None}
    assert client.post("features/store", json=value).status_code == 200

    del value[missing]
    answer = client.post("features/store", json=value)

    assert (answer.status_code, answer.json()["field"], answer.json()["detail"]) == (422, missing, "is missing")


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b'{"values": []}', b'{"values": null}', b'{"values": {}}',
        b'{"values": [], "entityId": "e"}', b"[" * 100_000, b'{"entityId": "\xff"}', b'{"entityId": "\\ud800"}',
        b'{"entityId": "e", "featureName": "score", "value": NaN}',
        b'{"entityId": "e", "featureName": "score", "value": Infinity}',
        b'{"entityId": "e", "featureName": "score", "value": 1e999}',
        b'{"entityId": "e", "featureName": "score", "value": 1}x',
        b"\xef\xbb\xbf{}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["store", "batch", "training", "define"])
def test_bodies_that_say_nothing(client: Client, path: str, body: bytes) -> None:
    """Whatever a body is made of, what is wrong with it is told, and the server goes on."""
    answer = client.post(f"features/{path}", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422
    assert answer.json()["field"]
    assert answer.json()["mend"]


@pytest.mark.parametrize("path", ["store", "batch", "training", "define"])
def test_only_json(client: Client, path: str) -> None:
    """A body that is not said to be JSON is not read."""
    answer = client.post(f"features/{path}", content=b"{}", headers={"content-type": "text/plain"})

    assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"featureNames": ["score"]}, 422, "entityId"),
        ({"entityId": "e", "entityIds": ["e"], "featureNames": ["score"]}, 422, "entityId"),
        ({"entityId": "e"}, 422, "featureNames"),
        ({"entityId": "e", "featureNames": []}, 422, "featureNames"),
        ({"entityId": "e", "featureNames": ["Score"]}, 404, "featureNames[0]"),
        ({"entityId": "e", "featureNames": [7]}, 422, "featureNames[0]"),
        ({"entityIds": [], "featureNames": ["score"]}, 422, "entityIds"),
        ({"entityIds": ["e", 7], "featureNames": ["score"]}, 422, "entityIds[1]"),
        ({"entityIds": ["e", ""], "featureNames": ["score"]}, 422, "entityIds[1]"),
        ({"entityId": "a\0", "featureNames": ["score"]}, 422, "entityId"),
        ({"entityIds": ["e", "a\0"], "featureNames": ["score"]}, 422, "entityIds[1]"),
        ({"entityId": "e", "featureNames": ["score", "nothing"]}, 404, "featureNames[1]"),
        ({"entityIds": ["e"] * 50_001, "featureNames": ["score", "flag"]}, 422, "entityIds"),
    ],
)
def test_wrong_batches(client: Client, body: Any, status: int, field: str | None) -> None:
    """A batch that cannot be answered names what is wrong with it."""
    answer = client.post("features/batch", json=body)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_the_limit_of_a_batch_is_named(client: Client) -> None:
    """Whoever asks for too much is told how much may be asked for."""
    body = {"entityIds": ["e"] * 50_001, "featureNames": ["score", "flag"]}

    detail = client.post("features/batch", json=body).json()["detail"]

    assert detail == "50,001 entities × 2 features are more than 100,000 values, the limit of one call"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("features/e/nothing", 404),
        ("features/e/", 404),
        ("features//score", 404),
        ("features/a/b/score", 404),
        ("features/%FF/score", 422),
        ("features/a%00b/score", 422),
        ("features/e/score?now=2002", 422),
        ("features/e/score?", 200),
        (f"features/{'x' * 1025}/score", 422),
    ],
)
def test_wrong_paths(client: Client, path: str, status: int) -> None:
    """A path that names nothing is a problem, like any other."""
    answer = client.get(path)

    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


def test_larger_bodies_where_they_are_needed(client: Client) -> None:
    """A store takes 16 MiB, and one byte more is refused by that number."""
    value = b'{"entityId": "e", "featureName": "score", "value": 1}'
    headers = {"content-type": "application/json"}
    limit = 16 * 1_048_576

    assert client.post("features/store", content=value.ljust(limit), headers=headers).status_code == 200
    answer = client.post("features/store", content=value.ljust(limit + 1), headers=headers)

    assert (answer.status_code, answer.json()["detail"]) == (413, "a body has at most 16,777,216 bytes")
    assert client.post("features/batch", content=value.ljust(1_048_577), headers=headers).status_code == 413


def test_reads_are_counted_by_caller_and_purpose(store: FeatureStore, client: Client) -> None:
    """Who reads, and for one entity or for many, is what usage shows."""
    client.get("features/e/counted")
    client.post("features/batch", json={"entityId": "e", "featureNames": ["counted"]})
    client.post("features/batch", json={"entityIds": ["e", "f", "g"], "featureNames": ["counted"]})

    found = {item.reader: item.reads for item in store.usage() if item.feature == "counted"}

    assert found == {Reader("http", "serving"): 2, Reader("http", "batch"): 3}


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "e/score", {}),
        ("GET", "a%2Fb/score", {}),
        ("GET", "e/nothing", {}),
        ("GET", "%FF/score", {}),
        ("GET", "e/score?x=1", {}),
        ("HEAD", "e/score", {}),
        ("POST", "batch", {"json": {"entityId": "e", "featureNames": ["score"]}}),
        ("POST", "batch", {"json": {"entityIds": ["e", "f"], "featureNames": ["score", "flag"]}}),
        ("POST", "batch", {"json": {"entityIds": ["e"], "featureNames": ["nothing"]}}),
        ("POST", "batch", {"json": {"entityIds": ["e"] * 20_000, "featureNames": ["score"]}}),
        ("POST", "batch", {"content": b"{", "headers": {"content-type": "application/json"}}),
        ("POST", "batch", {"content": b"{}", "headers": {"content-type": "text/plain"}}),
        ("POST", "batch?x=1", {"json": {"entityId": "e", "featureNames": ["score"]}}),
    ],
)
def test_the_short_way_is_the_long_one(shared: Parts, client: Client, method: str, path: str, options: Any) -> None:
    """What is answered before the routes is answered as the routes do, to the byte and the header."""
    routed = shared.client(Access(origins=("https://console.example.org",)))
    assert routed.api.hot is None  # type: ignore[attr-defined]

    short = client.call(method, f"features/{path}", **options)
    long = routed.call(method, f"features/{path}", **options)

    assert (short.status_code, short.content) == (long.status_code, long.content)
    assert dict(short.headers) == {name: value for name, value in long.headers.items() if name != "vary"}


def test_a_fault_inside_tells_nothing(shared: Parts) -> None:
    """A fault of ours is a problem without its inside on the short way, too, and is not swallowed."""

    class Broken:
        """A store that fails in a way that nobody foresaw."""

        def instant(self, _: Any) -> bool:
            return True

        def read(self, *_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("secret")

    broken: Any = Broken()
    client = Client(build(replace(shared.services(), features=broken)))

    with pytest.raises(ZeroDivisionError):
        client.get("features/e/score")


@pytest.mark.parametrize("slow", [False, True])
def test_a_store_behind_a_network_is_read_in_a_thread(shared: Parts, slow: bool) -> None:  # noqa: FBT001
    """Only a store that answers at once is read by the event loop itself."""
    seen: list[str] = []

    class Watched:
        """A store that notes who reads it."""

        def instant(self, _: Any) -> bool:
            return not slow

        def read(self, *args: Any, **kwargs: Any) -> Any:
            seen.append(threading.current_thread().name)
            return shared.features.read(*args, **kwargs)

    watched: Any = Watched()
    client = Client(build(replace(shared.services(), features=watched)))
    client.get("features/e/score")

    assert (seen == [threading.current_thread().name]) is not slow
