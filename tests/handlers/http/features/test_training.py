import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.handlers.http.api import Client
from tests.worker.world import NOW
from worker.clock import to_text
from worker.features.port import FeatureStore, Reader, Write

JSON, LINES, ARROW = "application/json", "application/x-ndjson", "application/vnd.apache.arrow.stream"
DAY = timedelta(days=1)


def _at(days: float) -> datetime:
    return NOW - days * DAY


@pytest.fixture(name="rows", autouse=True)
def _rows(store: FeatureStore, entity: str) -> None:
    """Two values of one entity, each known an hour after it was true, and one that came late."""
    hour = timedelta(hours=1)
    store.write(
        [
            Write(entity, "score", 1.0, _at(10), _at(10) + hour),
            Write(entity, "score", 2.0, _at(5), _at(5) + hour),
            Write(entity, "score", 9.0, _at(8), _at(1)),
            Write(entity, "author", "ada", _at(10), _at(10)),
            Write("ada", "name", "Ada", _at(5), _at(5)),
        ]
    )


def _ask(client: Client, body: Any, accept: str = JSON) -> Any:
    return client.post("features/training", json=body, headers={"accept": accept})


def test_at_one_time(client: Client, entity: str) -> None:
    """Each entity as it was known to be at the time, in the order asked; one that is unknown has nulls."""
    body = {"entityIds": [entity, "nobody", entity], "featureNames": ["score"], "snapshotTime": to_text(_at(6))}

    answer = _ask(client, body)

    assert answer.headers["colony-snapshot-id"] == answer.json()["snapshotId"]
    assert answer.json()["rows"] == [
        {"entityId": id_, "timestamp": to_text(_at(6)), "features": {"score": value}}
        for id_, value in ((entity, 1.0), ("nobody", None), (entity, 1.0))
    ]


def test_known_at_can_be_switched_off(client: Client, entity: str) -> None:
    """What came late counts only if it is asked for."""
    body = {"entityIds": [entity], "featureNames": ["score"], "snapshotTime": to_text(_at(6))}

    (row,) = _ask(client, {**body, "respectKnownAt": False}).json()["rows"]

    assert row["features"] == {"score": 9.0}


@pytest.mark.parametrize("accept", [JSON, LINES, ARROW])
def test_each_row_at_its_own_time(client: Client, entity: str, accept: str) -> None:
    """A spine's rows are answered each at its time, the same whatever form is asked for."""
    times = [_at(4), _at(11), _at(9), _at(4)]
    spine = [{"entityId": entity, "timestamp": to_text(time)} for time in times]

    answer = _ask(client, {"spine": spine, "featureNames": ["score", "flag"]}, accept)

    assert answer.headers["content-type"] == accept
    assert [(row["timestamp"], row["features"]) for row in _read(answer.content, accept)] == [
        (time, {"score": value, "flag": None}) for time, value in zip(times, [2.0, None, 1.0, 2.0], strict=True)
    ]
    assert all(row["entityId"] == entity for row in _read(answer.content, accept))


def _read(content: bytes, accept: str) -> list[dict[str, Any]]:
    if accept == ARROW:
        table = pa.ipc.open_stream(io.BytesIO(content)).read_all()
        assert table.schema.metadata[b"snapshotId"]
        rows = table.to_pylist()
        return [{"entityId": row.pop("entityId"), "timestamp": row.pop("timestamp"), "features": row} for row in rows]
    rows = json.loads(content)["rows"] if accept == JSON else [json.loads(line) for line in content.splitlines()]
    for row in rows:
        row["timestamp"] = datetime.fromisoformat(row["timestamp"]).astimezone(UTC)
    return list(rows)


@pytest.mark.parametrize("accept", [JSON, LINES, ARROW])
def test_the_same_bytes_again(client: Client, store: FeatureStore, entity: str, accept: str) -> None:
    """A snapshot's id gives the same bytes, whatever was written since."""
    body = {"entityIds": [entity, "nobody"], "featureNames": ["score"], "snapshotTime": to_text(NOW)}
    before = _ask(client, body, accept)
    store.write([Write(entity, "score", 7.0, _at(2), _at(2)), Write("nobody", "score", 7.0, _at(2), _at(2))])

    again = _ask(client, {"snapshotId": before.headers["colony-snapshot-id"]}, accept)
    now = _ask(client, body, accept)

    assert again.content == before.content
    assert now.content != before.content


def test_features_of_others(client: Client, entity: str) -> None:
    """Features of another entity are reached by the feature that holds its id."""
    asked = {"featureNames": ["score", "name"], "entityIds": [entity], "snapshotTime": to_text(_at(4.5))}

    refused = _ask(client, asked)
    (row,) = _ask(client, {**asked, "entities": {"user": "author"}}).json()["rows"]
    (only,) = _ask(client, {**asked, "featureNames": ["name"], "entities": {"user": "author"}}).json()["rows"]

    assert (refused.status_code, refused.json()["field"]) == (422, "entity")
    assert row["features"] == {"score": 2.0, "name": "Ada"}
    assert (only["entityId"], only["features"]) == (entity, {"name": "Ada"})


def test_long_tables_stream(client: Client) -> None:
    """One document has at most 10,000 rows; a stream has as many as are asked for, in their order."""
    ids = [f"e{number}" for number in range(10_001)]
    body = {"entityIds": ids, "featureNames": ["score"], "snapshotTime": to_text(NOW)}

    refused = _ask(client, body)
    lines = _ask(client, body, LINES)
    arrow = _ask(client, body, ARROW)

    assert (refused.status_code, refused.json()["field"]) == (422, "entityIds")
    assert refused.json()["detail"] == "10,001 rows are more than 10,000, the limit of a document"
    assert LINES in refused.json()["mend"]
    assert [row["entityId"] for row in _read(lines.content, LINES)] == ids
    assert [row["entityId"] for row in _read(arrow.content, ARROW)] == ids
    again = _ask(client, {"snapshotId": lines.headers["colony-snapshot-id"]})
    assert (again.status_code, again.json()["field"]) == (422, "snapshotId")


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"featureNames": []}, 422, "featureNames"),
        ({"featureNames": ["nothing"]}, 404, "featureNames[0]"),
        ({"entityIds": []}, 422, "entityIds"),
        ({"entityIds": ["a\0"]}, 422, "entityIds[0]"),
        ({"entityIds": [7]}, 422, "entityIds[0]"),
        ({"snapshotTime": "2002-09-28"}, 422, "snapshotTime"),
        ({"snapshotTime": None}, 422, "snapshotTime"),
        ({"snapshotTme": "x"}, 422, "snapshotTme"),
        ({"entity": "user"}, 422, "featureNames"),
        ({"entities": {"user": "score"}}, 422, "entities.user"),
        ({"entities": {"user": "nothing"}}, 422, "entities.user"),
        ({"respectKnownAt": "no"}, 422, "respectKnownAt"),
        ({"spine": [{"entityId": "e", "timestamp": "2002-09-28T00:00:00Z"}]}, 422, "entityIds"),
        ({"snapshotId": "x"}, 422, "entityIds"),
    ],
)
def test_wrong_requests(client: Client, change: dict[str, Any], status: int, field: str | None) -> None:
    """A request that cannot be answered names what is wrong with it."""
    body = {"entityIds": ["e"], "featureNames": ["score"], "snapshotTime": to_text(NOW)}

    answer = _ask(client, {**body, **change})

    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_wrong_rows_name_their_place(client: Client) -> None:
    """A row of a spine that cannot be answered is named by its number."""
    good = {"entityId": "e", "timestamp": "2002-09-28T00:00:00Z"}
    for bad, field in (({"timestamp": "x"}, "timestamp"), ({"entityId": ""}, "entityId"), ({"x": 1}, "x")):
        answer = _ask(client, {"spine": [good, {**good, **bad}], "featureNames": ["score"]})
        assert (answer.status_code, answer.json()["field"]) == (422, f"spine[1].{field}")


def test_unknown_snapshots(client: Client) -> None:
    """An id under which nothing was kept is not found."""
    assert _ask(client, {"snapshotId": "snap-0"}).status_code == 404


def test_a_read_that_known_at_empties(client: Client, store: FeatureStore) -> None:
    """A table from which known-at takes everything is refused, with the counts and the mend."""
    store.write([Write("late", "flag", value=True, event_time=_at(9))])

    answer = _ask(client, {"entityIds": ["late"], "featureNames": ["flag"], "snapshotTime": to_text(_at(1))})

    assert (answer.status_code, answer.json()["field"]) == (422, "respectKnownAt")
    assert "0 of 1" in answer.json()["detail"]
    assert "respectKnownAt" in answer.json()["mend"]


def test_counted_as_training(client: Client, store: FeatureStore) -> None:
    """What training reads is counted as that."""
    _ask(client, {"entityIds": ["a", "b"], "featureNames": ["counted"], "snapshotTime": to_text(NOW)})

    found = {item.reader: item.reads for item in store.usage() if item.feature == "counted"}

    assert found == {Reader("http", "training"): 2}


@pytest.mark.parametrize(
    ("accept", "given"),
    [
        ("*/*", JSON),
        ("", JSON),
        ("text/html", JSON),
        (f"{JSON}, {LINES}", JSON),
        (f"{LINES};q=0.9, */*;q=0.1", LINES),
        (f"{ARROW.upper()}", ARROW),
        (f"{LINES};q=0", JSON),
    ],
)
def test_what_is_accepted(client: Client, accept: str, given: str) -> None:
    """The first form that is known is answered in; without one it is JSON."""
    body = {"entityIds": ["e"], "featureNames": ["score"], "snapshotTime": to_text(NOW)}

    assert _ask(client, body, accept).headers["content-type"] == given
