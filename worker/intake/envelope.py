"""From a bus message to an event: CloudEvents 1.0 in binary and structured mode, plain JSON, and entries of a log."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.clock import parse_time
from worker.errors import Rejected
from worker.intake import strict_json
from worker.intake.port import Message

PLAIN_SOURCE = "//colony/plain"
MAX_ID = 1024


@dataclass(frozen=True)
class Event:
    """One event, whatever envelope it came in.

    Attributes:
        source, id: together the key that tells duplicates.
        time: the CloudEvent's time, else when the bus took the message, else None.
        data: the payload, a JSON object.
    """

    source: str
    id: str
    type: str
    time: datetime | None
    data: Mapping[str, Any]


def open_envelope(message: Message) -> Event:
    """Return the event inside a message.

    Raises:
        Rejected: no valid event inside; the error names the field and the mend.
    """
    if "colony-truncated" in message.attributes:
        raise Rejected(
            f"{message.attributes['colony-truncated']} bytes, more than any event may have",
            field="body",
            mend=f"keep events below {strict_json.MAX_BYTES:,} bytes",
        )
    content_type = message.attributes.get("content-type", message.attributes.get("Content-Type", ""))
    if content_type.startswith("application/cloudevents"):
        return _structured(strict_json.loads(message.body), message)
    if "ce-id" in message.attributes or "ce-type" in message.attributes:
        return _binary(message)
    body = _object(strict_json.loads(message.body), "body")
    if "specversion" in body:
        return _structured(body, message)
    return _log_entry(body, message) if _is_log_entry(body) else _plain(body, message)


def _binary(message: Message) -> Event:
    attributes = {key[3:]: value for key, value in message.attributes.items() if key.startswith("ce-")}
    _check_version(attributes.get("specversion"), "ce-specversion")
    return Event(
        source=_text(attributes.get("source"), "ce-source"),
        id=_text(attributes.get("id"), "ce-id"),
        type=_text(attributes.get("type"), "ce-type"),
        time=_time(attributes.get("time"), "ce-time") or message.published_at,
        data=_object(strict_json.loads(message.body, field="data"), "data"),
    )


def _structured(value: Any, message: Message) -> Event:
    body = _object(value, "body")
    _check_version(body.get("specversion"), "specversion")
    data = body.get("data")
    if data is None and "data_base64" in body:
        data = _decode(body["data_base64"])
    return Event(
        source=_text(body.get("source"), "source"),
        id=_text(body.get("id"), "id"),
        type=_text(body.get("type"), "type"),
        time=_time(body.get("time"), "time") or message.published_at,
        data=_object(data, "data"),
    )


def _is_log_entry(body: Mapping[str, Any]) -> bool:
    """Whether a body is what a sink of Cloud Logging sends: an entry, which tells of some resource."""
    return "logName" in body and isinstance(body.get("resource"), Mapping) and "beeId" not in body


def _log_entry(body: Mapping[str, Any], message: Message) -> Event:
    """Return an entry as an event of its resource's type; a log has one of the same name and time only once."""
    time = body.get("timestamp")
    names = [name for name in (body.get("insertId"), time) if name is not None]
    return Event(
        source=_text(body["logName"], "logName"),
        id=_text("@".join(map(str, names)) or f"message:{message.message_id}", "insertId"),
        type=_text(body["resource"].get("type"), "resource.type"),
        time=_time(time, "timestamp") or message.published_at,
        data=body,
    )


def _plain(body: Mapping[str, Any], message: Message) -> Event:
    data = _object(body.get("data"), "data") if isinstance(body.get("data"), Mapping) else body
    type_ = message.attributes.get("type") or body.get("type") or body.get("eventType")
    source = message.attributes.get("source") or body.get("source") or PLAIN_SOURCE
    return Event(
        source=_text(source, "source"),
        id=_plain_id(body, data, message),
        type=_text(type_, "type"),
        time=_time(body.get("time"), "time") or message.published_at,
        data=data,
    )


def _plain_id(body: Mapping[str, Any], data: Mapping[str, Any], message: Message) -> str:
    for key in ("eventId", "id"):
        if body.get(key) is not None:
            return _text(body[key], key)
    if data.get("evaluatedAt") is not None:
        # Without an id only the content can tell a repeat; with its time in it, equal content is the same evaluation.
        return "sha256:" + hashlib.sha256(message.body).hexdigest()
    if not message.message_id:
        raise Rejected("the event has no id", field="eventId", mend="add an `eventId`, or an `evaluatedAt`")
    return _text(message.message_id, "messageId")


def _check_version(version: Any, field: str) -> None:
    if version != "1.0":
        raise Rejected(f"{version!r} is not a version this worker reads", field=field, mend="send CloudEvents 1.0")


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Rejected(f"{_kind(value)} where an object is needed", field=field, mend="send a JSON object")
    return value


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str) or not value:
        raise Rejected(f"{_kind(value)} where a text is needed", field=field, mend=f"set `{field}` to a text")
    if not value.isprintable():
        raise Rejected("has control characters", field=field, mend="use printable characters")
    if len(value.encode()) > MAX_ID:
        raise Rejected(f"longer than {MAX_ID} bytes", field=field, mend="shorten it")
    return value


def _time(value: Any, field: str) -> datetime | None:
    if value is None:
        return None
    try:
        return parse_time(value)
    except (ValueError, TypeError) as error:
        raise Rejected(str(error), field=field, mend="write it as 2002-09-28T00:00:00Z") from error


def _decode(value: Any) -> Any:
    try:
        return strict_json.loads(base64.b64decode(value, validate=True), field="data_base64")
    except (ValueError, TypeError) as error:
        raise Rejected(f"not base64: {error}", field="data_base64", mend="encode the data as base64") from error


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "an empty text", bool: "a boolean", type(None): "nothing"}
    return names.get(type(value), "a number")
