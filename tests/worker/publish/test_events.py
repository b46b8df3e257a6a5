import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from worker.publish.events import SOURCE, attributes, data, event_id, structured
from worker.publish.port import Outgoing

EVENT = Outgoing(
    id="abc",
    type="model.deployed",
    bee="spam-guard",
    sequence=7,
    time=datetime(2002, 10, 1, 12, 0, 0, 5, tzinfo=UTC),
    data={"b": "é", "a": [1, None]},
)


@given(st.text(), st.text(), st.integers())
def test_ids_are_stable(type_: str, subject: str, transition: int) -> None:
    """The same change has the same id each time."""
    assert event_id(type_, subject, transition) == event_id(type_, subject, transition)


def test_ids_tell_changes_apart() -> None:
    """Type, subject and transition each make another event."""
    keys = [("t", "s", 1), ("t", "s", 2), ("t", "r", 1), ("u", "s", 1), ("t", "s1", 1), ("ts", "", 1)]

    assert len({event_id(*key) for key in keys}) == len(keys)


def test_binary_mode() -> None:
    """The attributes are CloudEvents 1.0 in lower case, all of them text."""
    assert attributes(EVENT) == {
        "ce-specversion": "1.0",
        "ce-id": "abc",
        "ce-source": SOURCE,
        "ce-type": "model.deployed",
        "ce-subject": "spam-guard",
        "ce-time": "2002-10-01T12:00:00.000005Z",
        "ce-sequence": "7",
        "ce-dataschema": "/api/mlops/events/schemas/model.deployed/v1",
        "content-type": "application/json",
    }


def test_the_data_is_json() -> None:
    """The same data is the same bytes: UTF-8 JSON with its keys in order."""
    assert data(EVENT) == b'{"a":[1,null],"b":"\\u00e9"}'
    assert json.loads(data(EVENT)) == EVENT.data


def test_structured_mode() -> None:
    """Envelope and data as one object say the same as the attributes do."""
    whole = structured(EVENT)

    for name in ("specversion", "id", "source", "type", "subject", "time", "sequence"):
        assert whole[name] == attributes(EVENT)[f"ce-{name}"]
    assert whole["data"] == EVENT.data
    assert json.loads(json.dumps(whole)) == whole
