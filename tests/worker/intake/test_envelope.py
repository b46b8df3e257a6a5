import base64
import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.worker.world import NOW, data, message, plain
from worker.errors import Rejected
from worker.intake.envelope import PLAIN_SOURCE, Event, open_envelope
from worker.intake.port import Message

AT = datetime(2002, 10, 1, tzinfo=UTC)


def _structured(**changes: Any) -> dict[str, Any]:
    whole = {
        "specversion": "1.0",
        "id": "e1",
        "source": "//monitor",
        "type": "model.evaluated",
        "time": "2002-10-01T02:00:00+02:00",
        "data": {"beeId": "b"},
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def _attributes(**changes: str) -> dict[str, str]:
    return {"ce-specversion": "1.0", "ce-id": "e1", "ce-source": "//m", "ce-type": "t", **changes}


def test_binary_mode() -> None:
    """The attributes are the envelope, the body is the data."""
    found = open_envelope(message("e1", {"beeId": "b"}))

    assert found == Event("//monitor", "e1", "model.evaluated", AT, {"beeId": "b"})


@pytest.mark.parametrize(
    "content_type", ["application/cloudevents+json", "application/cloudevents+json; charset=utf-8"]
)
def test_structured_mode_by_content_type(content_type: str) -> None:
    """The body is envelope and data; its time is told in UTC."""
    found = open_envelope(plain(_structured(), **{"content-type": content_type}))

    assert found == Event("//monitor", "e1", "model.evaluated", AT, {"beeId": "b"})


def test_structured_mode_is_told_by_specversion_alone() -> None:
    """A body with `specversion` is a CloudEvent without any content type."""
    assert open_envelope(plain(_structured())).id == "e1"


def test_data_base64() -> None:
    """Data may be base64 of JSON."""
    body = _structured(data=None, data_base64=base64.b64encode(b'{"beeId": "b"}').decode())

    assert open_envelope(plain(body)).data == {"beeId": "b"}


def test_without_time_the_bus_tells_it() -> None:
    """An event without `time` happened when the bus took it."""
    body = json.dumps(_structured(time=None)).encode()

    assert open_envelope(Message(body, published_at=NOW)).time == NOW


@pytest.mark.parametrize(
    ("body", "attributes"),
    [
        ({**data(), "type": "model.evaluated"}, {}),
        ({**data(), "eventType": "model.evaluated"}, {}),
        (data(), {"type": "model.evaluated"}),
        ({"type": "model.evaluated", "data": data()}, {}),
    ],
)
def test_plain(body: dict[str, Any], attributes: dict[str, str]) -> None:
    """A plain body tells its type in a field or an attribute, and has its data in itself or in `data`."""
    found = open_envelope(plain(body, **attributes))

    assert (found.type, found.source) == ("model.evaluated", PLAIN_SOURCE)
    assert found.data["beeId"] == "spam-guard"


def test_plain_source() -> None:
    """A plain body may name its source, in an attribute or a field."""
    assert open_envelope(plain({"type": "t", "id": "1", "source": "//a"})).source == "//a"
    assert open_envelope(plain({"type": "t", "id": "1", "source": "//a"}, source="//b")).source == "//b"


def test_plain_id_is_told() -> None:
    """A plain body's id is its `eventId`, else its `id`."""
    assert open_envelope(plain({"type": "t", "eventId": "a", "id": "b", "evaluatedAt": "x"})).id == "a"
    assert open_envelope(plain({"type": "t", "id": "b", "evaluatedAt": "x"})).id == "b"


def test_plain_id_is_the_content_where_it_tells_a_time() -> None:
    """The same evaluation twice is one event, whatever the bus calls its deliveries."""
    body = json.dumps({"type": "t", "evaluatedAt": "2002-10-01T00:00:00Z"}).encode()
    first, second = (open_envelope(plain(body, message_id=name)) for name in ("m1", "m2"))

    assert first.id == second.id == "sha256:" + hashlib.sha256(body).hexdigest()


def test_plain_id_is_the_delivery_without_time() -> None:
    """The same drift a month later is not a duplicate: without id and time the bus's id tells it."""
    body = {"type": "t", "beeId": "b", "drift": {"detected": True}}

    assert [open_envelope(plain(body, name)).id for name in ("m1", "m2")] == ["m1", "m2"]


def test_plain_without_anything_to_tell_it_by() -> None:
    """No id, no time and no delivery id: there is nothing to tell a repeat by."""
    with pytest.raises(Rejected) as error:
        open_envelope(plain({"type": "t"}, message_id=""))

    assert (error.value.field, bool(error.value.mend)) == ("eventId", True)


@pytest.mark.parametrize("id_", ["ünïcødé-蜂-🐝", "a b", "x" * 1024])
def test_ids_may_be_any_printable_text(id_: str) -> None:
    """Unicode in an id is kept as it is."""
    assert open_envelope(plain(_structured(id=id_))).id == id_


@pytest.mark.parametrize("mode", ["structured", "binary", "plain"])
@pytest.mark.parametrize(
    ("id_", "word"),
    [("", "text"), ("a\u0000b", "control"), ("a\nb", "control"), ("\u202eabc", "control"), ("é" * 513, "longer")],
)
def test_bad_ids(mode: str, id_: str, word: str) -> None:
    """An empty id, one with control characters and one that is too long are refused in every mode."""
    sent = {
        "structured": plain(_structured(id=id_)),
        "binary": Message(b"{}", _attributes(**{"ce-id": id_})),
        "plain": plain({"type": "t", "id": id_}),
    }[mode]
    with pytest.raises(Rejected) as error:
        open_envelope(sent)

    assert word in error.value.reason
    assert error.value.field == {"structured": "id", "binary": "ce-id", "plain": "id"}[mode]
    assert error.value.mend


def test_a_lone_surrogate_in_an_attribute_is_refused() -> None:
    """An attribute that cannot be encoded at all is a control character's kind."""
    with pytest.raises(Rejected, match="ce-id"):
        open_envelope(Message(b"{}", _attributes(**{"ce-id": "a\ud800"})))


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        (plain(_structured(specversion="0.3")), "specversion"),
        (plain(_structured(specversion=1.0)), "specversion"),
        (plain(_structured(id=7)), "id"),
        (plain({k: v for k, v in _structured().items() if k != "id"}), "id"),
        (plain({k: v for k, v in _structured().items() if k != "source"}), "source"),
        (plain({k: v for k, v in _structured().items() if k != "type"}), "type"),
        (plain(_structured(time="yesterday")), "time"),
        (plain(_structured(time="2002-10-01T00:00:00")), "time"),
        (plain(_structured(time=5)), "time"),
        (plain(_structured(time="0001-01-01T00:00:00+23:59")), "time"),
        (plain(_structured(time="9999-12-31T23:59:59-23:59")), "time"),
        (plain(_structured(data=[1])), "data"),
        (plain(_structured(data="text")), "data"),
        (plain(_structured(data=None)), "data"),
        (plain(_structured(data=None, data_base64="%%%")), "data_base64"),
        (plain(_structured(data=None, data_base64="ééé")), "data_base64"),
        (plain(_structured(data=None, data_base64=7)), "data_base64"),
        (plain(_structured(data=None, data_base64=base64.b64encode(b"{").decode())), "data_base64"),
        (plain(_structured(data=None, data_base64=base64.b64encode(b"[]").decode())), "data"),
        (Message(b"{}", _attributes(**{"ce-specversion": "2.0"})), "ce-specversion"),
        (Message(b"{}", {"ce-id": "1"}), "ce-specversion"),
        (Message(b"{}", {"ce-type": "t", "ce-specversion": "1.0"}), "ce-source"),
        (Message(b"[]", _attributes()), "data"),
        (Message(b"", _attributes()), "data"),
        (Message(b"{}", _attributes(**{"ce-time": "soon"})), "ce-time"),
        (plain(b"[]"), "body"),
        (plain(b"7"), "body"),
        (plain(b""), "body"),
        (plain(b"null", **{"content-type": "application/cloudevents-batch+json"}), "body"),
        (plain({"id": "1"}), "type"),
        (plain({"id": "1", "type": ["t"]}), "type"),
        (plain({"id": "1", "type": "t", "time": "never"}), "time"),
        (Message(b"x", {"colony-truncated": "99999999"}), "body"),
    ],
)
def test_refusals_name_the_field_and_the_mend(sent: Message, field: str) -> None:
    """Whatever is wrong with an envelope, the refusal says where and what to do."""
    with pytest.raises(Rejected) as error:
        open_envelope(sent)

    assert error.value.field == field
    assert error.value.mend
