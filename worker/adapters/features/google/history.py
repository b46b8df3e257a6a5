"""The stored values as a training read looks at them: every question one statement, up to one write sequence."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np

from worker.adapters.features.google.columns import Stored, decode, decoded
from worker.adapters.features.google.sql import reading
from worker.adapters.features.google.warehouse import Param, Rows, Warehouse, offered
from worker.features.columns import Column
from worker.features.join import Ints, Log
from worker.features.join import Rows as Asked
from worker.features.port import Definition
from worker.features.spine import FIRST_US, LAST_US
from worker.features.training import Found

__all__ = ["SqlHistory"]
_MICROSECOND = timedelta(microseconds=1)
#: So many ids are asked for at a time; of more, a feature's whole history is fetched once.
_FEW_IDS = 10_000


class SqlHistory:
    """Implements worker.features.training.History.

    Args:
        warehouse: where the tables are.
        stored: the features that may be looked at, with their columns, in the versions that count.
        asked: the names among them whose values are asked for; those of one entity are found by one statement.
        bound: the last write sequence that shows.
    """

    def __init__(self, warehouse: Warehouse, stored: Mapping[str, Stored], asked: Collection[str], bound: int) -> None:
        self._warehouse = warehouse
        self._stored = stored
        self._asked_for = asked
        self._bound = bound
        self._ids: dict[str, dict[str, int]] = {}
        self._found: dict[tuple[str, bool], tuple[Asked, dict[str, Found]]] = {}
        self._logs: dict[str, Log] = {}

    def codes(self, entity: str, ids: Any) -> Ints:
        """Return a code of each id (an Arrow array of large_string), the same for the same id."""
        held = self._ids.setdefault(entity, {})
        unique = ids.dictionary_encode()
        own = np.array([held.setdefault(one, len(held)) for one in unique.dictionary.to_pylist()], dtype=np.int64)
        codes: Ints = own[unique.indices.to_numpy()] if len(own) else np.empty(0, np.int64)
        return codes

    def find(self, definition: Definition, rows: Asked, *, respect_known_at: bool) -> Found:
        """Return the feature's value of each row."""
        key = (definition.entity, respect_known_at)
        if key not in self._found or self._found[key][0] is not rows:
            group = self._group(definition)
            self._found[key] = (rows, self._answers(group, rows, respect_known_at=respect_known_at))
        return self._found[key][1][definition.name]

    def _group(self, definition: Definition) -> list[Stored]:
        asked = (one for name, one in self._stored.items() if name in self._asked_for)
        return [one for one in asked if one.definition.entity == definition.entity]

    def _answers(self, group: Sequence[Stored], rows: Asked, *, respect_known_at: bool) -> dict[str, Found]:
        columns, told = self._asked(group, rows, respect_known_at=respect_known_at)
        without = dict(told)
        lost = [one for one in group if not told[one.definition.name]]
        if respect_known_at and lost:
            # Only for these it matters whether known-at has taken what there was.
            without |= self._asked(lost, rows, respect_known_at=False)[1]
        return {name: Found(column, without[name], told[name]) for name, column in columns.items()}

    def _asked(
        self, group: Sequence[Stored], rows: Asked, *, respect_known_at: bool
    ) -> tuple[dict[str, Column], dict[str, int]]:
        """Return the columns of some features, and how many rows found anything (NULL included)."""
        places = np.flatnonzero(rows.codes >= 0)
        answers = self._point_in_time(group, rows, places, respect_known_at=respect_known_at) if len(places) else []
        columns, told = {}, {}
        for number, stored in enumerate(group):
            values: list[Any] = [None] * len(rows)
            count = 0
            for answer in answers:
                values[answer[0]] = answer[1 + 2 * number]
                count += answer[2 + 2 * number] is not None
            columns[stored.definition.name] = decoded(stored.definition.type, values)
            told[stored.definition.name] = count
        return columns, told

    def _point_in_time(
        self, group: Sequence[Stored], rows: Asked, places: Ints, *, respect_known_at: bool
    ) -> list[tuple[Any, ...]]:
        names = self._names(group[0].definition.entity)
        times = rows.times[places]
        asked = Rows(
            "asked",
            {"place": "INT64", "entity_id": "STRING", "moment_us": "INT64"},
            {
                "place": places.tolist(),
                "entity_id": [names[code] for code in rows.codes[places].tolist()],
                "moment_us": times.tolist(),
            },
        )
        ttls = [one.definition.ttl for one in group]
        reach = None if None in ttls else max(ttl // _MICROSECOND for ttl in ttls if ttl is not None)
        first = FIRST_US if reach is None else max(int(times.min()) - reach, FIRST_US)
        with offered(self._warehouse, asked) as (source, params):
            statement = reading.point_in_time(self._warehouse.name, group, source, respect_known_at=respect_known_at)
            return self._warehouse.query(statement, [*params, *self._reach(first, int(times.max()))])

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        wanted = np.unique(codes)
        first = FIRST_US if since_us is None else max(since_us, FIRST_US)
        if len(self._ids[definition.entity]) <= _FEW_IDS:
            return self._fetched(definition, wanted, first, until_us)
        if definition.name not in self._logs:
            everybody = np.arange(len(self._ids[definition.entity]))
            self._logs[definition.name] = self._fetched(definition, everybody, FIRST_US, LAST_US)
        whole = self._logs[definition.name]
        shown = np.isin(whole.entity, wanted) & (whole.event >= first) & (whole.event <= until_us)
        return Log(whole.entity[shown], whole.event[shown], whole.known[shown], whole.values[shown])

    def _fetched(self, definition: Definition, codes: Ints, first: int, last: int) -> Log:
        names = self._names(definition.entity)
        wanted = Rows("wanted", {"entity_id": "STRING"}, {"entity_id": [names[code] for code in codes.tolist()]})
        stored = self._stored[definition.name]
        with offered(self._warehouse, wanted) as (source, params):
            statement = reading.log(self._warehouse.name, stored, source)
            rows = self._warehouse.query(statement, [*params, *self._reach(first, min(last, LAST_US))])
        return _log(stored, rows, self._ids[definition.entity])

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values with event time in [start, end), and the entity id of each."""
        stored = self._stored[definition.name]
        statement = reading.window(self._warehouse.name, stored)
        rows = self._warehouse.query(statement, self._reach(start_us, end_us - 1)) if start_us < end_us else []
        ids: dict[str, int] = {}
        for row in rows:
            ids.setdefault(row[0], len(ids))
        log = _log(stored, rows, ids)
        names = list(ids)
        return log, [names[code] for code in log.entity.tolist()]

    def _names(self, entity: str) -> list[str]:
        return list(self._ids[entity])

    def _reach(self, first: int, last: int) -> list[Param]:
        return [Param("first", "INT64", first), Param("last", "INT64", last), Param("bound", "INT64", self._bound)]


def _log(stored: Stored, rows: Sequence[tuple[Any, ...]], ids: Mapping[str, int]) -> Log:
    entity = np.array([ids[row[0]] for row in rows], dtype=np.int64)
    event, known, sequence = (np.array([row[key] for row in rows], dtype=np.int64) for key in (1, 2, 3))
    values = [decode(stored.definition.type, row[4]) for row in rows]
    return Log.sorting(entity, event, known, sequence, values)
