"""Online reads: the newest value of each feature, and what an evaluator makes of them for the computed ones.

Where the newest values come from is a `Newest`: BigQuery itself (what was written is read at once, in seconds) or the
Feature Views (milliseconds, and as fresh as their sync). A computed feature's aggregates need history, which no online
store has: they are read from BigQuery, bounded by window and ttl, whichever it is.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from worker.adapters.features.google.catalogue import Catalogue
from worker.adapters.features.google.columns import NULL, Stored, decode, times
from worker.adapters.features.google.history import SqlHistory
from worker.adapters.features.google.sql import reading
from worker.adapters.features.google.warehouse import Rows, Warehouse, offered
from worker.clock import from_us, to_us
from worker.features.columns import id_array
from worker.features.computed.cells import cells
from worker.features.computed.evaluate import Evaluation, Newest
from worker.features.computed.inputs import closure
from worker.features.computed.reading import readings
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import NEVER, Spine
from worker.features.join import Log
from worker.features.port import Definition, Reading, Status, Value

MISSING = Reading(Status.MISSING)
#: Everything that is stored.
_EVERYTHING = 2**62


class Held(NamedTuple):
    """A feature's newest value of one entity; None is an explicit NULL, `known_us` when it became known."""

    value: Value
    event_time: datetime
    known_us: int


#: entity id -> feature -> its newest value.
Found = dict[str, dict[str, Held]]


class NewestValues(Protocol):
    """Where the newest values are read."""

    def newest(self, entity_ids: Sequence[str], features: Sequence[Stored]) -> Found:
        """Return what there is of one entity's features; ids and features without a value may be left out."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...


@runtime_checkable
class Following(Protocol):
    """Newest values that follow the tables with a delay."""

    def freshness(self, entities: Sequence[str], now: datetime) -> Mapping[str, float]:
        """Return how many seconds each entity's values are behind."""
        ...


class SqlNewest:
    """Implements NewestValues by a query."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Read nothing yet."""
        self._warehouse = warehouse

    def newest(self, entity_ids: Sequence[str], features: Sequence[Stored]) -> Found:
        """Return the newest value of each feature, whatever its age."""
        wanted = Rows("wanted", {"entity_id": "STRING"}, {"entity_id": list(entity_ids)})
        with offered(self._warehouse, wanted) as (source, params):
            rows = self._warehouse.query(reading.newest(self._warehouse.name, features, source), params)
        return {row[0]: _held(features, row[1:]) for row in rows}

    def close(self) -> None:
        """There is nothing to release."""


def _held(features: Sequence[Stored], cells_: Sequence[Any]) -> dict[str, Held]:
    return {
        one.definition.name: held(one, cells_[3 * number], cells_[3 * number + 1])
        for number, one in enumerate(features)
        if cells_[3 * number + 1] is not None
    }


def held(stored: Stored, value: Any, state: str) -> Held:
    """Return a value and its state as they lie in their columns; the state decides what is NULL."""
    plain = None if state[:1] == NULL else decode(stored.definition.type, value)
    event_us, known_us = times(state)
    return Held(plain, from_us(event_us), known_us)


class OnlineReader:
    """Answers online reads; safe to share between threads."""

    def __init__(self, warehouse: Warehouse, values: NewestValues) -> None:
        """Read nothing yet."""
        self._warehouse = warehouse
        self._values = values

    def read(
        self, seen: Catalogue, ids: Sequence[str], names: Sequence[str], now: datetime
    ) -> dict[str, dict[str, Reading]]:
        """Return each feature for each id, in the order asked.

        Raises:
            NotFound: a feature that is not defined.
            Rejected: a window spans too many values.
            TryLater: the values cannot be read.
        """
        wanted = [seen.get(name) for name in dict.fromkeys(names)]
        answer = {one: dict.fromkeys((it.name for it in wanted), MISSING) for one in ids}
        for entity in dict.fromkeys(one.entity for one in wanted):
            group = [one for one in wanted if one.entity == entity]
            if answer:
                self._read_entity(seen, group, answer, now)
        return answer

    def _read_entity(
        self, seen: Catalogue, group: Sequence[Definition], answer: dict[str, dict[str, Reading]], now: datetime
    ) -> None:
        below = [seen.definitions[name] for name in closure([one.name for one in group], seen.definitions)]
        features = [seen.stored(one) for one in below if one.source == "ingested"]
        found = self._values.newest(list(answer), features) if features else {}
        for definition in group:
            if definition.source == "computed":
                continue
            for one, readings_ in answer.items():
                newest = found.get(one, {}).get(definition.name)
                readings_[definition.name] = MISSING if newest is None else _reading(newest, definition, now)
        computed = [one for one in group if one.source == "computed"]
        if computed:
            self._compute(seen, computed, features, found, answer, now)

    def _compute(
        self,
        seen: Catalogue,
        computed: Sequence[Definition],
        features: Sequence[Stored],
        found: Found,
        answer: dict[str, dict[str, Reading]],
        now: datetime,
    ) -> None:
        ids = list(answer)
        history = SqlHistory(self._warehouse, {one.definition.name: one for one in features}, (), _EVERYTHING)
        codes = history.codes(computed[0].entity, id_array(ids))
        spine = Spine(codes, np.full(len(ids), to_us(now)))
        source = NewestSource([found.get(one, {}) for one in ids], now, HistorySource(history, spine))
        evaluation = Evaluation(seen.definitions, source, spine)
        for definition in computed:
            below = [seen.definitions[name] for name in closure([definition.name], seen.definitions)]
            inputs = [one for one in below if one.source == "ingested"]
            column = readings(evaluation.compute(definition.name), partial(source.last_expired, inputs))
            for one, reading_ in zip(ids, column, strict=True):
                answer[one][definition.name] = reading_


class NewestSource:
    """Implements worker.features.computed.evaluate.Source for rows at one time, now."""

    def __init__(self, rows: Sequence[Mapping[str, Held]], now: datetime, history: HistorySource) -> None:
        """Take each row's newest values, and the history for what they do not tell."""
        self._rows = rows
        self._now = now
        self._history = history

    def newest(self, definition: Definition) -> Newest:
        """Return a feature's value per row."""
        now_us = to_us(self._now)
        held_ = [row.get(definition.name) for row in self._rows]
        if any(one is not None and (one.event_time > self._now or one.known_us > now_us) for one in held_):
            return self._history.newest(definition)  # what comes later hides what is newest now
        valid = [one if one is not None and _lives(one, definition, self._now) else None for one in held_]
        event = np.array([NEVER if one is None else to_us(one.event_time) for one in valid], dtype=np.int64)
        return Newest(cells(definition.type, [None if one is None else one.value for one in valid]), event, 0)

    def log(self, definition: Definition, reach_us: int | None) -> Log:
        """Return what the rows' entities have from now - reach to now."""
        return self._history.log(definition, reach_us)

    def last_expired(self, inputs: Sequence[Definition], row: int) -> datetime | None:
        """Return the newest event time among a row's inputs that are too old to count."""
        found = ((one, self._rows[row].get(one.name)) for one in inputs)
        times = [held_.event_time for one, held_ in found if held_ is not None and not _lives(held_, one, self._now)]
        return max(times, default=None)


def _lives(newest: Held, definition: Definition, now: datetime) -> bool:
    return definition.ttl is None or now - newest.event_time <= definition.ttl


def _reading(newest: Held, definition: Definition, now: datetime) -> Reading:
    if not _lives(newest, definition, now):
        return Reading(Status.EXPIRED, None, newest.event_time)
    status = Status.NULL if newest.value is None else Status.PRESENT
    return Reading(status, newest.value, newest.event_time)
