"""The quick way to open an envelope: a usual CloudEvent, its data left as text; whatever is not takes the exact way."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from worker.clock import parse_time
from worker.frozen import made
from worker.intake import strict_json
from worker.intake.envelope import MAX_ID, Event
from worker.intake.port import Message

MAX_BYTES = 16_384


#: A character has up to four bytes.
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID // 4)]
_DATA = b'"data"'


class _Envelope(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    specversion: Literal["1.0"]
    id: _Text
    source: _Text
    type: _Text
    data: msgspec.Raw
    time: str | None = None
    datacontenttype: str | None = None
    dataschema: str | None = None
    subject: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


_DECODE = msgspec.json.Decoder(_Envelope).decode


class QuickEvent(Event):
    """An event whose data are decoded when somebody asks for them.

    Attributes:
        text: the data's JSON, of which only the end is known.
    """

    text: msgspec.Raw

    def __getattr__(self, name: str) -> Any:
        """Decode the data, once. Raises Rejected."""
        if name != "data":
            raise AttributeError(name)
        found = self.__dict__["data"] = self.read()
        return found

    def read(self) -> Mapping[str, Any]:
        """Return the data read strictly. Raises Rejected."""
        found: Mapping[str, Any] = strict_json.loads(bytes(self.text), field="data")
        return found


def quick_envelope(message: Message) -> QuickEvent | None:
    """Return the event inside a CloudEvent in structured mode; None if it is another, or anything about it is unusual.

    Whether its data are right is left to who reads them.
    """
    body, attributes = message.body, message.attributes
    if len(body) > MAX_BYTES or (attributes and not _structured(attributes)):
        return None
    try:
        found = _DECODE(body)
        time = message.published_at if found.time is None else parse_time(found.time)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError):
        return None
    id_, source, text = found.id, found.source, found.data
    # A second `data` would hide what the first one holds; both keys stand before what the last one holds, and that is
    # as long as `text`. Of the type nothing is said: who handles it knows its name.
    if body.count(_DATA, 0, len(body) - len(text)) != 1 or not (id_.isprintable() and source.isprintable()):
        return None
    return made(QuickEvent, {"source": source, "id": id_, "type": found.type, "time": time, "text": text})


def _structured(attributes: Mapping[str, str]) -> bool:
    told = attributes.get("content-type", attributes.get("Content-Type", ""))
    if "colony-truncated" in attributes:
        return False
    return told.startswith("application/cloudevents") or not ("ce-id" in attributes or "ce-type" in attributes)
