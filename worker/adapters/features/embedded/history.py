"""The embedded store's log as arrays: one transaction's view, up to one write sequence."""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from worker.adapters.features.embedded.encoding import from_columns
from worker.features.join import Ints, Log
from worker.features.port import Definition

_LOG = (
    "SELECT v.entity, v.event_us, v.known_us, v.value FROM json_each(?) AS w CROSS JOIN entry AS v"
    " WHERE v.feature = ? AND v.entity = w.value AND v.event_us BETWEEN ? AND ? AND v.sequence <= ?"
)
_WINDOW = (
    "SELECT v.entity, v.event_us, v.known_us, v.value, e.id FROM entry AS v CROSS JOIN entity AS e ON e.code = v.entity"
    " WHERE v.feature = ? AND v.event_us >= ? AND v.event_us < ? AND v.sequence <= ?"
    " ORDER BY v.entity, v.event_us, v.known_us, v.sequence"
)
_EARLIEST_US = -(2**62)


class SqlHistory:
    """Implements worker.features.training.History over a connection inside a read transaction."""

    def __init__(self, connection: sqlite3.Connection, codes: Mapping[str, int], bound: int) -> None:
        """Take feature name -> code, and the last write sequence that may show."""
        self._connection = connection
        self._features = codes
        self._bound = bound

    def codes(self, entity: str, ids: Sequence[str]) -> Ints:
        """Return the code of each id, -1 where the store has never seen it."""
        query = "SELECT id, code FROM entity WHERE entity = ? AND id IN (SELECT value FROM json_each(?))"
        wanted = json.dumps(list(dict.fromkeys(ids)))
        found: dict[str, int] = dict(self._connection.execute(query, (entity, wanted)))
        return np.fromiter((found.get(entity_id, -1) for entity_id in ids), dtype=np.int64, count=len(ids))

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until].

        The entities are visited in the order of their codes, and each one's values lie in the log's own order, so
        that nothing is sorted.
        """
        since_us = _EARLIEST_US if since_us is None else max(since_us, _EARLIEST_US)
        wanted = json.dumps(np.sort(codes).tolist())
        parameters = (wanted, self._features[definition.name], since_us, until_us, self._bound)
        rows = self._connection.execute(_LOG, parameters).fetchall()
        entity, event, known, values = zip(*rows, strict=True) if rows else ((), (), (), ())
        return _log(definition, entity, event, known, values)

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values with event time in [start, end), and the entity id of each."""
        parameters = (self._features[definition.name], start_us, end_us, self._bound)
        rows = self._connection.execute(_WINDOW, parameters).fetchall()
        entity, event, known, values, ids = zip(*rows, strict=True) if rows else ((), (), (), (), ())
        return _log(definition, entity, event, known, values), ids


def _log(
    definition: Definition, entity: Iterable[int], event: Iterable[int], known: Iterable[int], values: Sequence[object]
) -> Log:
    held = np.fromiter(from_columns(definition.type, values), dtype=np.object_, count=len(values))
    return Log(_ints(entity), _ints(event), _ints(known), held)


def _ints(column: Iterable[int]) -> Ints:
    return np.fromiter(column, dtype=np.int64)


def count_labels(connection: sqlite3.Connection, feature: int, known_after_us: int, known_by_us: int) -> int:
    """Count observations (entity, event time) that got a value known in (after, by] and were true by then."""
    query = (
        "SELECT count(*) FROM (SELECT DISTINCT entity, event_us FROM entry"
        " WHERE feature = ? AND event_us <= ? AND known_us > ? AND known_us <= ? AND value IS NOT NULL)"
    )
    (count,) = connection.execute(query, (feature, known_by_us, known_after_us, known_by_us)).fetchone()
    return int(count)
