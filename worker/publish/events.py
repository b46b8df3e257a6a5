"""Outgoing events as CloudEvents 1.0: stable ids, and the Pub/Sub binary mode."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from worker.clock import to_text
from worker.publish.catalogue import schema_uri
from worker.publish.port import SOURCE as SOURCE  # noqa: PLC0414 - the name that readers of events know it by
from worker.publish.port import Outgoing


def event_id(type_: str, subject_id: str, transition: int) -> str:
    """Return the id of an event: the same change always has the same id, so that a repeat can be told."""
    return hashlib.sha256(f"{type_}\n{subject_id}\n{transition}".encode()).hexdigest()[:32]


def attributes(event: Outgoing, base: str = "") -> dict[str, str]:
    """Return the CloudEvents attributes of the binary mode (`ce-` prefix, lower case).

    Args:
        event: what happened.
        base: the public URL below which its schema is served; without one `dataschema` is a path of the HTTP API.
    """
    return {
        "ce-specversion": "1.0",
        "ce-id": event.id,
        "ce-source": event.source,
        "ce-type": event.type,
        "ce-subject": event.bee,
        "ce-time": to_text(event.time),
        "ce-sequence": str(event.sequence),
        "ce-dataschema": schema_uri(event.type, base),
        "content-type": "application/json",
    }


def data(event: Outgoing) -> bytes:
    """Return the event's data as UTF-8 JSON, its keys sorted."""
    return json.dumps(event.data, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def structured(event: Outgoing, base: str = "") -> Mapping[str, Any]:
    """Return the event as one JSON object, the structured mode; `base` as in `attributes`."""
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.bee,
        "time": to_text(event.time),
        "sequence": str(event.sequence),
        "dataschema": schema_uri(event.type, base),
        "datacontenttype": "application/json",
        "data": dict(event.data),
    }
