"""The online reads, from bytes to bytes: what `GET {entityId}/{featureName}` and `POST batch` both stand on."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from anyio import to_thread
from msgspec import UNSET
from starlette.exceptions import HTTPException

from handlers.http.features.faults import check_ids, check_names
from handlers.http.features.limits import MAX_BATCH_VALUES, MAX_VALUES_AT_ONCE
from handlers.http.features.readers import reader_of
from handlers.http.services import Services
from worker.access.token import Caller
from worker.errors import NotFound, Rejected
from worker.features.port import Reader, Reading
from worker.features.wire import BatchRequest, reader

PREFIX = b"/api/mlops/features/"
_BEFORE = PREFIX.count(b"/")

_encode = msgspec.json.Encoder().encode
_read_batch = reader(BatchRequest)


class OnlineReads:
    """Reads values as they stand, and counts who reads them.

    A small read of a store that answers at once is made by the event loop itself: it takes some tens of microseconds,
    handing it to a thread takes longer than that, and no writer makes it wait. Everything else goes to a thread.
    """

    def __init__(self, services: Services) -> None:
        """Read from the services' store."""
        self._services = services

    async def one(self, raw_path: bytes, caller: Caller) -> bytes:
        """Return one feature of one entity, named by a path as it was sent.

        Raises:
            HTTPException: the path does not name two things.
            Rejected, NotFound, TryLater: the store's reason.
        """
        entity_id, name = entity_and_feature(raw_path)
        return await self._run(partial(self._one, entity_id, name, caller), [name], values=1)

    async def many(self, body: bytes, caller: Caller) -> bytes:
        """Return features of the entities that a body names, in its order. Raises Rejected, NotFound or TryLater."""
        ids, names = parse_batch(body)
        return await self._run(partial(self._many, ids, names, caller), names, values=len(ids) * len(names))

    async def _run(self, read: Callable[[], bytes], names: Sequence[str], *, values: int) -> bytes:
        if values <= MAX_VALUES_AT_ONCE and self._services.features.instant(names):
            return read()
        return await to_thread.run_sync(read)

    def _one(self, entity_id: str, name: str, caller: Caller) -> bytes:
        found = self._read([entity_id], [name], reader_of(caller, "serving"), "featureName")[entity_id][name]
        return _encode({"entityId": entity_id, "featureName": name, **_shown(found)})

    def _many(self, ids: Sequence[str], names: Sequence[str], caller: Caller) -> bytes:
        found = self._read(ids, names, reader_of(caller, "serving" if len(ids) == 1 else "batch"), "featureNames[{}]")
        return _encode({"entities": [{"entityId": id_, "features": _features(found[id_])} for id_ in ids]})

    def _read(
        self, ids: Sequence[str], names: Sequence[str], who: Reader, field: str
    ) -> Mapping[str, Mapping[str, Reading]]:
        features = self._services.features
        try:
            return features.read(ids, names, now=self._services.clock(), reader=who)
        except NotFound:
            check_names(names, [item.name for item in features.definitions()], field)
            raise
        except Rejected:
            check_ids(ids, "entityIds[{}]" if len(ids) > 1 else "entityId")
            raise


def entity_and_feature(raw_path: bytes) -> tuple[str, str]:
    """Return what the two segments at a path's end say.

    The path is taken as it was sent: decoded, a slash inside an entity's id could not be told from the one after it.

    Raises:
        HTTPException: there are not two segments.
        Rejected: a segment is no UTF-8.
    """
    *before, entity, feature = raw_path.split(b"/")
    if len(before) != _BEFORE or not entity or not feature:
        raise HTTPException(404, "Not Found")
    return _text(entity, "entityId"), _text(feature, "featureName")


def _text(segment: bytes, field: str) -> str:
    try:
        return (unquote_to_bytes(segment) if b"%" in segment else segment).decode()
    except UnicodeDecodeError as error:
        raise Rejected("is not UTF-8", field=field, mend="percent-encode its UTF-8 bytes") from error


def parse_batch(body: bytes) -> tuple[list[str], list[str]]:
    """Return the entity ids and the feature names that a body asks for. Raises Rejected."""
    asked = _read_batch(body)
    one, many = asked.entity_id, asked.entity_ids
    if (one is UNSET) == (many is UNSET):
        raise Rejected("is needed, or entityIds for many", field="entityId", mend="give one of the two")
    ids = many if isinstance(many, list) else [str(one)]
    if len(ids) * len(asked.feature_names) > MAX_BATCH_VALUES:
        reason = f"{len(ids):,} entities × {len(asked.feature_names):,} features are more than {MAX_BATCH_VALUES:,}"
        raise Rejected(f"{reason} values, the limit of one call", field="entityIds", mend="ask in parts")
    return ids, asked.feature_names


def _features(readings: Mapping[str, Reading]) -> dict[str, Any]:
    return {name: _shown(reading) for name, reading in readings.items()}


def _shown(reading: Reading) -> dict[str, Any]:
    return {"value": reading.value, "status": reading.status, "timestamp": reading.event_time}
