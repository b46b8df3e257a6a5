"""Online reads of computed features: the evaluator of training, with a spine of (entity, now), in one transaction.

An input's newest value comes from the entity's packed row, and an aggregate's history from the log and the segments of
that entity alone.
"""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

import numpy as np

from worker.adapters.features.embedded import catalogue, online
from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.encoding import Held, Online, unpack
from worker.adapters.features.embedded.history import StoredHistory
from worker.adapters.features.embedded.known import Known
from worker.adapters.features.embedded.offline import Offline
from worker.adapters.features.embedded.plan import MISSING
from worker.adapters.features.embedded.segments.archive import Archive
from worker.clock import to_us
from worker.features.computed.cells import cells
from worker.features.computed.evaluate import Evaluation, Newest
from worker.features.computed.inputs import closure
from worker.features.computed.reading import readings
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import NEVER, Spine
from worker.features.join import Log
from worker.features.port import Definition, Reading

#: Everything that this transaction sees.
_EVERYTHING = 2**62


class PackedSource:
    """Implements worker.features.computed.evaluate.Source for rows at one time, now."""

    def __init__(
        self, codes: Mapping[str, int], packed: Sequence[Online], now: datetime, history: HistorySource
    ) -> None:
        """Take feature name -> code, each row's newest values, and the history for what they do not tell."""
        self._codes = codes
        self._packed = packed
        self._now = now
        self._now_us = to_us(now)
        self._history = history

    def newest(self, definition: Definition) -> Newest:
        """Return a feature's value per row."""
        code = self._codes[definition.name]
        held = [row.get(code) for row in self._packed]
        if any(one is not None and (one.event_time > self._now or one.known_us > self._now_us) for one in held):
            return self._history.newest(definition)  # what comes later hides what is newest now
        valid = [one if one is not None and _lives(one, definition, self._now) else None for one in held]
        event = np.array([NEVER if one is None else to_us(one.event_time) for one in valid], dtype=np.int64)
        return Newest(cells(definition.type, [None if one is None else one.value for one in valid]), event, 0)

    def log(self, definition: Definition, reach_us: int | None) -> Log:
        """Return what the rows' entities have from now - reach to now."""
        return self._history.log(definition, reach_us)

    def expired(self, definition: Definition, row: int) -> datetime | None:
        """Return the event time of a row's newest value if it is too old to count."""
        held = self._packed[row].get(self._codes[definition.name])
        return None if held is None or _lives(held, definition, self._now) else held.event_time


def _lives(held: Held, definition: Definition, now: datetime) -> bool:
    return definition.ttl is None or now - held.event_time <= definition.ttl


class ComputedReader:
    """Reads stored and computed features together, as one state of the store has them."""

    def __init__(self, known: Known, offline: Offline, archive: Archive) -> None:
        """Read nothing yet."""
        self._known = known
        self._offline = offline
        self._archive = archive

    def read(self, ids: Sequence[str], names: Sequence[str], now: datetime) -> online.Answer:
        """Return each feature for each id, in the order asked.

        Raises:
            NotFound: a feature that is not defined.
            Rejected: a window spans too many values.
        """
        return self._offline.viewing(lambda connection: self._read(connection, ids, tuple(names), now))

    def _read(
        self, connection: sqlite3.Connection, ids: Sequence[str], names: tuple[str, ...], now: datetime
    ) -> online.Answer:
        seen = catalogue.current(connection, self._known.seen)
        plan = seen.plan(names)
        answer: online.Answer = {entity_id: dict.fromkeys(plan.names, MISSING) for entity_id in ids}
        for group in plan.groups:
            for entity_id, found in online.read_many(connection, seen.epoch, group, list(answer), now).items():
                answer[entity_id] |= found
        for entity in dict.fromkeys(seen.definitions[name].entity for name in plan.computed):
            wanted = [name for name in plan.computed if seen.definitions[name].entity == entity]
            for name, column in self._computed(connection, seen, entity, list(answer), wanted, now).items():
                for entity_id, reading in zip(answer, column, strict=True):
                    answer[entity_id][name] = reading
        return answer

    def _computed(
        self,
        connection: sqlite3.Connection,
        seen: Catalogue,
        entity: str,
        ids: Sequence[str],
        names: Sequence[str],
        now: datetime,
    ) -> Mapping[str, Sequence[Reading]]:
        rows = _rows(connection, entity, ids)
        spine = Spine(
            np.array([rows[entity_id][0] for entity_id in ids], dtype=np.int64), np.full(len(ids), to_us(now))
        )
        stored = StoredHistory(connection, self._archive, seen.codes, _EVERYTHING)
        packed = [rows[entity_id][1] for entity_id in ids]
        source = PackedSource(seen.codes, packed, now, HistorySource(stored, spine))
        evaluation = Evaluation(seen.definitions, source, spine)
        answer = {}
        for name in names:
            below = [seen.definitions[one] for one in closure([name], seen.definitions)]
            inputs = [one for one in below if one.source != "computed"]
            answer[name] = readings(evaluation.compute(name), partial(_expired, source, inputs))
        return answer


def _rows(connection: sqlite3.Connection, entity: str, ids: Sequence[str]) -> dict[str, tuple[int, Online]]:
    """Return id -> entity code (-1 if it is not known) and newest values."""
    found: dict[str, tuple[int, Online]] = dict.fromkeys(ids, (-1, {}))
    query = "SELECT id, code, online FROM entity WHERE entity = ? AND id IN (SELECT value FROM json_each(?))"
    for entity_id, code, blob in connection.execute(query, (entity, json.dumps(list(ids)))):
        found[entity_id] = (code, unpack(blob))
    return found


def _expired(source: PackedSource, inputs: Sequence[Definition], row: int) -> datetime | None:
    times = [source.expired(definition, row) for definition in inputs]
    return max((time for time in times if time is not None), default=None)
