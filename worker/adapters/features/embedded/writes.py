"""The write path of the embedded store: checked values into the log and into the packed online rows."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from worker.adapters.features.embedded.catalogue import Catalogue
from worker.adapters.features.embedded.encoding import Online, pack, to_column, unpack
from worker.errors import NotFound, Rejected
from worker.features.definition import Check, check_entity_id, check_not_ahead, time_us, value_check
from worker.features.port import Value, Write

_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)"
#: With a known-at of its own: the very same observation, wherever it stands.
_SAME = "SELECT 1 FROM entry WHERE feature = ? AND entity = ? AND event_us = ? AND known_us = ? AND value IS ?"
#: Known from now on: nothing new if the value that already stands for that event time is the same.
_STANDING = (
    "SELECT value IS ? FROM entry WHERE feature = ? AND entity = ? AND event_us = ?"
    " ORDER BY known_us DESC, sequence DESC LIMIT 1"
)


class Checked(NamedTuple):
    """A write that may be stored; `known_us` is None for the time of the transaction."""

    feature: int
    entity: str
    id: str
    event_us: int
    known_us: int | None
    value: Value


@dataclass(frozen=True)
class _Rule:
    """What a feature's values must be."""

    code: int
    entity: str
    check: Check


def check_all(values: Iterable[Write], catalogue: Catalogue, now_us: int) -> list[Checked]:
    """Check every value before any is stored.

    Raises:
        Rejected: the first that cannot be stored; its field tells which of several it is.
    """
    check = _Checker(catalogue, now_us)
    checked: list[Checked] = []
    try:
        checked.extend(check(write) for write in values)
    except Rejected as error:
        if not checked:
            raise
        field = f"values[{len(checked)}].{error.field}"
        raise Rejected(error.reason, field=field, mend=error.mend) from error
    return checked


class _Checker:
    """Checks writes one by one; what a row of values shares (id and times) is checked once."""

    def __init__(self, catalogue: Catalogue, now_us: int) -> None:
        self._catalogue = catalogue
        self._now_us = now_us
        self._rules: dict[str, _Rule] = {}
        self._last: tuple[object, object, object] = (self, self, self)
        self._event_us = 0
        self._known_us: int | None = None

    def __call__(self, write: Write) -> Checked:
        rule = self._rules.get(write.feature) or self._rule(write.feature)
        entity_id, event_time, known_at = self._last
        if write.entity_id is not entity_id or write.event_time is not event_time or write.known_at is not known_at:
            self._check_row(write)
        value = rule.check(write.value)
        return Checked(rule.code, rule.entity, write.entity_id, self._event_us, self._known_us, value)

    def _check_row(self, write: Write) -> None:
        check_entity_id(write.entity_id)
        self._event_us = self._time(write.event_time, "timestamp")
        self._known_us = None if write.known_at is None else self._time(write.known_at, "knownAt")
        self._last = (write.entity_id, write.event_time, write.known_at)

    def _time(self, moment: datetime, field: str) -> int:
        microseconds = time_us(moment, field)
        check_not_ahead(microseconds, self._now_us, field)
        return microseconds

    def _rule(self, name: str) -> _Rule:
        try:
            definition = self._catalogue.get(name)
        except NotFound as error:
            raise Rejected(str(error), field="featureName", mend="define it first") from error
        self._rules[name] = _Rule(self._catalogue.codes[name], definition.entity, value_check(definition.type))
        return self._rules[name]


def store(connection: sqlite3.Connection, values: Sequence[Checked], now_us: int) -> int:
    """Store checked values inside the caller's write transaction; return how many were new."""
    batch = _Batch(connection, now_us)
    batch.load(values)
    for value in values:
        batch.add(value)
    return batch.finish()


@dataclass
class _Row:
    """The packed newest values of one entity, as they stand in this transaction."""

    code: int
    online: Online
    new: bool
    changed: bool = False


class _Batch:
    """One transaction's worth of writes.

    The packed row of an entity knows the newest event time of each feature; a later one is new without a look into
    the log, and only the others cost a seek.
    """

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        self._connection = connection
        self._now_us = now_us
        self._first: int
        self._entity: int
        self._first, self._entity = connection.execute("SELECT sequence, entity FROM state").fetchone()
        self._sequence = self._first
        self._rows: dict[tuple[str, str], _Row] = {}
        self._pending: list[tuple[Any, ...]] = []

    def load(self, values: Iterable[Checked]) -> None:
        """Fetch the packed rows of every entity in the batch; those that are not there get the next codes."""
        ids: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for value in values:
            ids[value.entity][value.id] = None
        query = "SELECT id, code, online FROM entity WHERE entity = ? AND id IN (SELECT value FROM json_each(?))"
        for entity, wanted in ids.items():
            for name, code, blob in self._connection.execute(query, (entity, json.dumps(list(wanted)))):
                self._rows[entity, name] = _Row(code, unpack(blob), new=False)
            for name in wanted:
                if (entity, name) not in self._rows:
                    self._entity += 1
                    self._rows[entity, name] = _Row(self._entity, {}, new=True)

    def add(self, value: Checked) -> None:
        """Take one value, unless it is there already."""
        row = self._rows[value.entity, value.id]
        known_us = self._now_us if value.known_us is None else value.known_us
        newest = row.online.get(value.feature)
        if newest is not None and value.event_us <= newest[0] and self._stands(row, value, newest):
            return
        self._sequence += 1
        column = to_column(value.value)
        self._pending.append((value.feature, row.code, value.event_us, known_us, self._sequence, column))
        if newest is None or (value.event_us, known_us) >= newest[:2]:
            row.online[value.feature] = (value.event_us, known_us, value.value)
            row.changed = True

    def _stands(self, row: _Row, value: Checked, newest: tuple[int, int, Value]) -> bool:
        """Tell whether the value is there already; its event time is not the newest, or is the very newest one."""
        if value.event_us == newest[0] and value.value == newest[2] and value.known_us in {None, newest[1]}:
            return True
        self._flush()
        column = to_column(value.value)
        if value.known_us is None:
            key: tuple[Any, ...] = (column, value.feature, row.code, value.event_us)
            found = self._connection.execute(_STANDING, key).fetchone()
            return found is not None and bool(found[0])
        key = (value.feature, row.code, value.event_us, value.known_us, column)
        return self._connection.execute(_SAME, key).fetchone() is not None

    def _flush(self) -> None:
        if self._pending:
            self._connection.executemany(_INSERT, self._pending)
            self._pending.clear()

    def finish(self) -> int:
        """Write what is pending, the packed rows and the sequence; return how many values were new."""
        self._flush()
        rows = [(entity, name, row) for (entity, name), row in self._rows.items() if row.changed]
        added = [(row.code, entity, name, pack(row.online)) for entity, name, row in rows if row.new]
        updated = [(pack(row.online), row.code) for _, _, row in rows if not row.new]
        self._connection.executemany("INSERT INTO entity VALUES (?, ?, ?, ?)", added)
        self._connection.executemany("UPDATE entity SET online = ? WHERE code = ?", updated)
        state = (self._sequence, self._entity)
        self._connection.execute("UPDATE state SET sequence = ?, entity = ?", state)
        return self._sequence - self._first
