"""One record of a recording as a Message: Pub/Sub deliveries are unwrapped, everything else is a body as it stands.

Judging is intake's: what is not well-formed here becomes a body as well, so that nothing is lost.
"""

import base64
import binascii
from datetime import datetime

import msgspec

from worker.adapters.bus.lines import Record
from worker.clock import parse_time
from worker.intake.port import Message

STRUCTURED = "application/cloudevents+json"
TRUNCATED = "colony-truncated"
_URL_SAFE = str.maketrans("-_", "+/")


class _Delivered(msgspec.Struct, rename="camel"):
    """Pub/Sub's PubsubMessage as JSON; push delivery writes two of its names in both styles."""

    data: str = ""
    attributes: dict[str, str] = {}
    message_id: str = ""
    publish_time: str = ""


class _Line(msgspec.Struct, rename="camel"):
    """What tells the kinds of a line apart, not looked into any further."""

    specversion: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    message: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    subscription: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    ack_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    delivery_attempt: int | None = None


def to_message(record: Record, digest: str) -> Message:
    """Return the message of a record; `digest` tells its file (or its line) and is part of the id it has otherwise."""
    ident = f"{digest}:{record.place}"
    if record.size > len(record.content):
        return Message(record.content, {TRUNCATED: str(record.size)}, ident, receipt=record.place)
    try:
        line = msgspec.json.decode(record.content, type=_Line)
    except (msgspec.DecodeError, RecursionError):
        return Message(record.content, {}, ident, receipt=record.place)
    if line.specversion is not msgspec.UNSET:
        return Message(record.content, {"content-type": STRUCTURED}, ident, receipt=record.place)
    if line.message is not msgspec.UNSET and (line.subscription, line.ack_id) != (msgspec.UNSET, msgspec.UNSET):
        return _unwrapped(record, line.message, line.delivery_attempt, ident)
    return Message(record.content, {}, ident, receipt=record.place)


def _unwrapped(record: Record, delivered: msgspec.Raw, attempt: int | None, ident: str) -> Message:
    try:
        inner = msgspec.json.decode(delivered, type=_Delivered)
        return Message(
            body=_decoded(inner.data),
            attributes=inner.attributes,
            message_id=inner.message_id or ident,
            published_at=_time(inner.publish_time),
            receipt=record.place,
            delivery_attempt=attempt,
        )
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Message(record.content, {}, ident, receipt=record.place)


def _decoded(text: str) -> bytes:
    """Decode base64 in either alphabet: `gcloud` writes the URL-safe one."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def _time(text: str) -> datetime | None:
    return parse_time(text) if text else None
