"""The online read of the embedded store: one seek per entity into its packed row."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import timedelta

from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.encoding import Online, unpack
from worker.clock import from_us
from worker.features.port import Reading, Status, Value

MISSING = Reading(Status.MISSING)
_MICROSECOND = timedelta(microseconds=1)


def read(
    connection: sqlite3.Connection, catalogue: Catalogue, ids: Sequence[str], features: Sequence[str], now_us: int
) -> dict[str, dict[str, Reading]]:
    """Return the newest value of each feature for each id, in the order asked. Raises NotFound."""
    answer: dict[str, dict[str, Reading]] = {entity_id: dict.fromkeys(features, MISSING) for entity_id in ids}
    groups: dict[str, list[tuple[str, int, int | None]]] = {}
    for name in dict.fromkeys(features):
        definition = catalogue.get(name)
        ttl_us = None if definition.ttl is None else definition.ttl // _MICROSECOND
        groups.setdefault(definition.entity, []).append((name, catalogue.codes[name], ttl_us))
    for entity, wanted in groups.items():
        for entity_id, online in _rows(connection, entity, list(answer)):
            for name, code, ttl_us in wanted:
                newest = online.get(code)
                if newest is not None:
                    answer[entity_id][name] = _reading(newest, ttl_us, now_us)
    return answer


def _rows(connection: sqlite3.Connection, entity: str, ids: Sequence[str]) -> Iterator[tuple[str, Online]]:
    if len(ids) == 1:
        query, wanted = "SELECT id, online FROM entity WHERE entity = ? AND id = ?", ids[0]
    else:
        query = "SELECT id, online FROM entity WHERE entity = ? AND id IN (SELECT value FROM json_each(?))"
        wanted = json.dumps(ids)
    for entity_id, blob in connection.execute(query, (entity, wanted)):
        yield entity_id, unpack(blob)


def _reading(newest: tuple[int, int, Value], ttl_us: int | None, now_us: int) -> Reading:
    event_us, _, value = newest
    if ttl_us is not None and now_us - event_us > ttl_us:
        return Reading(Status.EXPIRED, None, from_us(event_us))
    if value is None:
        return Reading(Status.NULL, None, from_us(event_us))
    return Reading(Status.PRESENT, value, from_us(event_us))
