"""Each call of the feature API as a value: what is sent, how the answer is read, if it may be sent again; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET, Struct

from worker.errors import ColonyError, Conflict, NotFound, Rejected, TryLater
from worker.features import wire

T = TypeVar("T")
_ROOT = "/api/mlops/features"
#: Segments that every URL library takes for ways through a path.
_DOTS = {".", ".."}
_encode = msgspec.json.encode


class Answered(ColonyError):
    """The server answered with an error that is none of the others (401, 403, 412, 413, 5xx …).

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, detail: str) -> None:
        """Keep the status."""
        super().__init__(f"{status}: {detail}")
        self.status = status


class Unreachable(TryLater):
    """There was no answer: no connection, one that was cut, or a time-out."""


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request.

    Attributes:
        read: makes the answer of its bytes.
        repeatable: a second one changes nothing more than the first, so that it may be sent again when it is not known
            whether the first arrived.
    """

    method: str
    path: str
    read: Callable[[bytes], T]
    body: bytes | None = None
    repeatable: bool = True


def connection(url: str, token: str) -> dict[str, Any]:
    """Return what an httpx client needs to know of the server."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    return {"base_url": url.rstrip("/"), "headers": headers}


def _decoder(type_: type[T]) -> Callable[[bytes], T]:
    return msgspec.json.Decoder(type_).decode


_READ_DEFINITION = _decoder(wire.DefinitionShown)
_READ_DETAIL = _decoder(wire.DefinitionDetail)
_READ_PAGE = _decoder(wire.DefinitionPage)
_READ_USAGE = _decoder(wire.FeatureUsage)
_READ_STORED = _decoder(wire.Stored)
_READ_VALUE = _decoder(wire.FeatureValue)
_READ_BATCH = _decoder(wire.BatchAnswer)
_READ_TRAINING = _decoder(wire.TrainingAnswer)


def define(definition: wire.DefineRequest) -> Call[wire.DefinitionShown]:
    """Define a feature."""
    return Call("POST", f"{_ROOT}/define", _READ_DEFINITION, _encode(definition))


def deprecate(name: str, reason: str | None) -> Call[wire.DefinitionShown]:
    """Deprecate a feature, or take that back."""
    body = _encode(wire.DeprecateRequest(reason))
    return Call("POST", f"{_ROOT}/{_segment(name)}/deprecate", _READ_DEFINITION, body)


def delete(name: str) -> Call[None]:
    """Delete a feature; not to be repeated, since the second one would say that there is none."""
    return Call("DELETE", f"{_ROOT}/{_segment(name)}", lambda _: None, repeatable=False)


def definition(name: str) -> Call[wire.DefinitionDetail]:
    """Look at a definition."""
    return Call("GET", f"{_ROOT}/{_segment(name)}", _READ_DETAIL)


def usage(name: str) -> Call[wire.FeatureUsage]:
    """Look at who uses a feature."""
    return Call("GET", f"{_ROOT}/{_segment(name)}/usage", _READ_USAGE)


def page(cursor: str | None, filters: Mapping[str, str | None]) -> Call[wire.DefinitionPage]:
    """List definitions."""
    given = {name: value for name, value in {**filters, "cursor": cursor}.items() if value is not None}
    return Call("GET", f"{_ROOT}?{urlencode(given)}" if given else _ROOT, _READ_PAGE)


def store(values: Sequence[wire.StoreValue]) -> Call[int]:
    """Store values; repeatable if each has its own time: the server's would be another one the second time."""
    repeatable = all(value.timestamp is not UNSET for value in values)
    body = _encode(wire.StoreValues(list(values)))
    return Call("POST", f"{_ROOT}/store", lambda answer: _READ_STORED(answer).stored, body, repeatable)


def value(entity_id: str, name: str) -> Call[wire.FeatureValue]:
    """Read one feature of one entity."""
    if entity_id not in _DOTS:
        return Call("GET", f"{_ROOT}/{_segment(entity_id)}/{_segment(name)}", _READ_VALUE)

    def read(answer: bytes) -> wire.FeatureValue:
        found = _READ_BATCH(answer).entities[0].features[name]
        return wire.FeatureValue(found.value, found.status, found.timestamp, entity_id, name)

    return Call("POST", f"{_ROOT}/batch", read, _encode(wire.BatchRequest([name], entity_id=entity_id)))


def values(entity_ids: Sequence[str], names: Sequence[str]) -> Call[dict[str, dict[str, wire.ValueShown]]]:
    """Read features of entities."""
    body = _encode(wire.BatchRequest(list(names), entity_ids=list(entity_ids)))
    return Call("POST", f"{_ROOT}/batch", _read_entities, body)


def _read_entities(answer: bytes) -> dict[str, dict[str, wire.ValueShown]]:
    return {entity.entity_id: entity.features for entity in _READ_BATCH(answer).entities}


def training(asked: Struct) -> Call[wire.TrainingAnswer]:
    """Read features as they were."""
    return Call("POST", f"{_ROOT}/training", _READ_TRAINING, _encode(asked))


def training_at(
    entity_ids: Sequence[str], names: Sequence[str], snapshot_time: datetime, *, respect_known_at: bool
) -> Call[wire.TrainingAnswer]:
    """Read features of entities as they were at one time."""
    return training(
        wire.TrainingAt(
            entity_ids=list(entity_ids),
            feature_names=list(names),
            snapshot_time=snapshot_time,
            respect_known_at=respect_known_at,
        )
    )


def training_spine(
    spine: Sequence[tuple[str, datetime]], names: Sequence[str], *, respect_known_at: bool
) -> Call[wire.TrainingAnswer]:
    """Read features as they were at each row's own time."""
    rows = [wire.SpineRow(entity_id, time) for entity_id, time in spine]
    return training(wire.TrainingSpine(spine=rows, feature_names=list(names), respect_known_at=respect_known_at))


def _segment(text: str) -> str:
    return quote(text, safe="")


class _Problem(Struct):
    detail: str = ""
    field: str | None = None
    mend: str | None = None


def error_of(status: int, body: bytes) -> ColonyError:
    """Return what an answer that is no good one means."""
    try:
        said = msgspec.json.decode(body, type=_Problem)
    except msgspec.DecodeError:
        said = _Problem(body[:200].decode(errors="replace"))
    if status == _UNPROCESSABLE:
        return Rejected(said.detail, field=said.field or "", mend=said.mend or "")
    kinds: dict[int, type[ColonyError]] = {404: NotFound, 409: Conflict, 429: TryLater, 503: TryLater}
    return kinds[status](said.detail) if status in kinds else Answered(status, said.detail)


_UNPROCESSABLE = 422
