from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.handlers.http.api import Client, Parts
from tests.worker.world import NOW
from worker.features.port import Write

FULL = {
    "name": "reading_ease", "entity": "content", "type": "number", "source": "ingested", "ttl": "30d",
    "description": "How easily it reads.", "group": "content", "owner": "ada", "unit": "points",
    "tags": ["slow", "text"], "minimum": 0, "maximum": 100,
}  # fmt: skip


@pytest.fixture(name="fresh")
def _fresh(colony: Parts) -> Client:
    """Give a client of an API that no other test has changed."""
    return colony.client()


def _define(client: Client, **fields: Any) -> Any:
    return client.post("features/define", json={"name": "f", "entity": "content", "type": "number", **fields})


def test_define(fresh: Client) -> None:
    """A definition is answered with its version; the same again is the same one, and a change is the next."""
    first = fresh.post("features/define", json=FULL)
    again = fresh.post("features/define", json=FULL)
    changed = fresh.post("features/define", json={**FULL, "ttl": "7d"})

    assert first.json() == {**FULL, "version": 1, "computation": None, "deprecated": ""}
    assert (again.json(), again.headers["etag"]) == (first.json(), first.headers["etag"])
    assert (changed.json()["version"], changed.json()["ttl"]) == (2, "7d")
    assert changed.headers["etag"] != first.headers["etag"]
    detail = fresh.get("features/reading_ease").json()
    assert [item["ttl"] for item in detail.pop("versions")] == ["30d", "7d"]
    assert detail == changed.json()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Bad Name"}, "name"),
        ({"name": ""}, "name"),
        ({"name": "usage"}, "name"),
        ({"entity": "Content"}, "entity"),
        ({"type": "integer"}, "type"),
        ({"source": "guessed"}, "source"),
        ({"source": "computed"}, "computation"),
        ({"ttl": "30 days"}, "ttl"),
        ({"ttl": "-1d"}, "ttl"),
        ({"ttl": "9" * 30 + "d"}, "ttl"),
        ({"ttl": 30}, "ttl"),
        ({"tags": "text"}, "tags"),
        ({"tags": [""]}, "tags[0]"),
        ({"minimum": 2, "maximum": 1}, "minimum"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_wrong_definitions(client: Client, fields: dict[str, Any], field: str) -> None:
    """A definition that no store could keep names the field that is wrong."""
    answer = _define(client, **fields)

    assert (answer.status_code, answer.json()["field"]) == (422, field)


def test_an_incompatible_change(colony: Parts, fresh: Client) -> None:
    """While there are values, the type stays."""
    _define(fresh)
    colony.features.write([Write("e", "f", 1.0, NOW)])

    answer = _define(fresh, type="string")

    assert answer.status_code == 409
    assert "has values" in answer.json()["detail"]


def test_conditions(fresh: Client) -> None:
    """With If-Match only the version that was seen is changed, with If-None-Match only what is not there is made."""
    tag = _define(fresh).headers["etag"]

    def define(ttl: str, **headers: str) -> Any:
        body = {"name": "f", "entity": "content", "type": "number", "ttl": ttl}
        return fresh.post("features/define", json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    assert define("1d", If_None_Match="*").status_code == 412
    changed = define("1d", If_Match=tag)
    assert changed.status_code == 200
    assert define("2d", If_Match=tag).status_code == 412
    assert define("2d", If_Match=f'"x", {changed.headers["etag"]}').status_code == 200
    assert fresh.call("DELETE", "features/f", headers={"If-Match": tag}).status_code == 412
    assert fresh.call("DELETE", "features/f", headers={"If-Match": "*"}).status_code == 204
    assert define("2d", If_Match="*").status_code == 412
    assert define("2d", If_None_Match="*").status_code == 200


def test_only_one_of_many_makes_it(fresh: Client) -> None:
    """Of several callers who each want to be the first, one is."""
    body = {"name": "f", "entity": "content", "type": "number"}

    def define(days: int) -> int:
        headers = {"If-None-Match": "*"}
        return fresh.post("features/define", json={**body, "ttl": f"{days}d"}, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(define, range(1, 9)))

    assert answers == [200] + [412] * 7
    assert fresh.get("features/f").json()["version"] == 1


def test_not_modified(fresh: Client) -> None:
    """Whoever has the version that stands is told so, and nothing else; a deprecation is a change of it."""
    tag = _define(fresh).headers["etag"]

    same = fresh.get("features/f", headers={"If-None-Match": f'W/{tag}, "9"'})
    other = fresh.get("features/f", headers={"If-None-Match": '"9"'})
    fresh.post("features/f/deprecate", json={"reason": "old"})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (other.status_code, other.headers["etag"]) == (200, tag)
    assert fresh.get("features/f", headers={"If-None-Match": tag}).status_code == 200


def test_search(fresh: Client) -> None:
    """Definitions are found by words, tag, entity, type and owner, by name, page by page."""
    _define(fresh, **FULL)
    _define(fresh, name="shouting", description="Share of CAPITALS", tags=["text"])
    _define(fresh, name="nickname", entity="user", type="string")

    def names(query: str) -> list[str]:
        return [item["name"] for item in fresh.get(f"features{query}").json()["features"]]

    assert names("") == ["nickname", "reading_ease", "shouting", "spam_probability"]
    assert names("?search=capitals") == ["shouting"]
    assert names("?search=POINTS") == ["reading_ease"]
    assert names("?tag=text") == ["reading_ease", "shouting"]
    assert names("?tag=text&owner=ada") == ["reading_ease"]
    assert names("?entity=user") == names("?type=string") == ["nickname"]
    assert names("?search=nothing") == []
    page = fresh.get("features?limit=3").json()
    assert [item["name"] for item in page["features"]] == ["nickname", "reading_ease", "shouting"]
    assert names(f"?cursor={page['nextCursor']}") == ["spam_probability"]
    assert fresh.get("features?limit=4").json()["nextCursor"] is None


@pytest.mark.parametrize("query", ["?serach=x", "?type=integer", "?limit=0", "?cursor=x", "?tag=a&tag=b", "?search="])
def test_wrong_searches(client: Client, query: str) -> None:
    """A search that says nothing is a problem, not a list of everything."""
    assert client.get(f"features{query}").status_code == 422


def test_deprecate(fresh: Client) -> None:
    """A deprecated feature says why, goes on working, and stays deprecated until that is taken back."""
    _define(fresh)
    marked = fresh.post("features/f/deprecate", json={"reason": "g is better"}).json()

    assert (marked["version"], marked["deprecated"]) == (1, "g is better")
    assert _define(fresh).json() == marked
    assert fresh.post("features/store", json={"entityId": "e", "featureName": "f", "value": 1}).status_code == 200
    assert fresh.post("features/f/deprecate", json={"reason": None}).json()["deprecated"] == ""
    for wrong in ({}, {"reason": ""}, {"reason": " "}, {"reason": 7}):
        answer = fresh.post("features/f/deprecate", json=wrong)
        assert (answer.status_code, answer.json()["field"]) == (422, "reason")
    assert fresh.post("features/nothing/deprecate", json={"reason": "x"}).status_code == 404


def test_delete(fresh: Client) -> None:
    """A feature that nobody uses goes with its values; one that a bee reads stays, and the answer says whose it is."""
    _define(fresh)
    fresh.post("features/store", json={"entityId": "e", "featureName": "f", "value": 1})

    refused = fresh.call("DELETE", "features/spam_probability")
    done = fresh.call("DELETE", "features/f")

    assert (refused.status_code, "spam-guard" in refused.json()["detail"]) == (409, True)
    assert (done.status_code, done.content) == (204, b"")
    assert fresh.get("features/f").status_code == fresh.get("features/e/f").status_code == 404
    assert fresh.call("DELETE", "features/f").status_code == 404
    _define(fresh)
    assert fresh.get("features/e/f").json()["status"] == "MISSING"


def test_usage(fresh: Client) -> None:
    """Usage tells who reads a feature, which bees name it, and how fresh it is."""
    unused = fresh.get("features/spam_probability/usage").json()
    value = {"entityId": "e", "featureName": "spam_probability", "value": 1, "timestamp": "2002-09-30T12:00:00Z"}
    fresh.post("features/store", json=value)
    fresh.get("features/e/spam_probability")

    used = fresh.get("features/spam_probability/usage").json()

    assert (unused["readers"], unused["lastRead"], unused["values"], unused["staleSeconds"]) == ([], None, 0, None)
    assert "spam-guard" in used["usedBy"]["bees"]
    assert used["usedBy"]["computed"] == used["usedBy"]["models"] == []
    assert [(item["caller"], item["purpose"], item["reads"]) for item in used["readers"]] == [("http", "serving", 1)]
    assert (used["values"], used["newestEvent"], used["staleSeconds"]) == (1, "2002-09-30T12:00:00Z", 86400.0)
    assert fresh.get("features/nothing/usage").status_code == 404


def test_changes_are_told(colony: Parts, fresh: Client) -> None:
    """Each version is told once, each deprecation and its end as well; what changes nothing is not told."""
    _define(fresh)
    _define(fresh)
    _define(fresh, ttl="1d")
    fresh.post("features/f/deprecate", json={"reason": "old"})
    fresh.post("features/f/deprecate", json={"reason": "old"})
    _define(fresh, type="nothing")

    with colony.ledger.begin(write=False) as transaction:
        told = [event for event, _ in transaction.outbox.list()]

    plain = {"feature": "f", "entity": "content", "type": "number", "source": "ingested"}
    assert [event.data for event in told] == [
        {**plain, "version": 1},
        {**plain, "version": 2, "ttl": "1d"},
        {**plain, "version": 2, "ttl": "1d", "deprecated": "old"},
    ]
    assert {(event.type, event.bee) for event in told} == {("feature.defined", "features/definitions")}
    assert len({event.id for event in told}) == 3
