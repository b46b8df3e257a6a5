"""The write path of the embedded store: checked values into the log and into the packed online rows."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from worker.adapters.features.embedded.checking import Checked
from worker.adapters.features.embedded.encoding import Held, Online, held, pack, to_column, unpack

_INSERT = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)"
#: With a known-at of its own: the very same observation, wherever it stands.
_SAME = "SELECT 1 FROM entry WHERE feature = ? AND entity = ? AND event_us = ? AND known_us = ? AND value IS ?"
#: Known from now on: nothing new if the value that already stands for that event time is the same.
_STANDING = (
    "SELECT known_us, sequence, value FROM entry WHERE feature = ? AND entity = ? AND event_us = ?"
    " ORDER BY known_us DESC, sequence DESC LIMIT 1"
)
_FACTS = (
    "UPDATE feature SET kept = kept + ?1, newest_us = max(ifnull(newest_us, ?2), ?2), written_us = ?3 WHERE code = ?4"
)


class Standing(NamedTuple):
    """The value that stands for one event time: of several the newest known, then the last written.

    Attributes:
        value: as `encoding.to_column` stores it.
    """

    known_us: int
    sequence: int
    value: Any


class Archive(Protocol):
    """Where values lie that have left the log; asked only about event times that are not newer than the newest."""

    def standing(self, feature: int, entity: int, event_us: int) -> Standing | None:
        """Return what stands there for one event time, None for nothing."""
        ...

    def holds(self, feature: int, entity: int, event_us: int, known_us: int, value: Any) -> bool:
        """Tell whether this very observation is there; `value` is as `encoding.to_column` stores it."""
        ...


class NoArchive:
    """Implements Archive where nothing ever leaves the log."""

    def standing(self, feature: int, entity: int, event_us: int) -> Standing | None:  # noqa: ARG002 - holds nothing
        """Return None."""
        return None

    def holds(self, feature: int, entity: int, event_us: int, known_us: int, value: Any) -> bool:  # noqa: ARG002
        """Return False."""
        return False


def store(
    connection: sqlite3.Connection, calls: Sequence[Sequence[Checked]], now_us: int, archive: Archive
) -> list[int]:
    """Store the checked values of several calls inside one write transaction; return how many of each were new."""
    batch = _Batch(connection, now_us, archive)
    batch.load(value for call in calls for value in call)
    counts = [batch.add_all(call) for call in calls]
    batch.finish()
    return counts


@dataclass(slots=True)
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

    def __init__(self, connection: sqlite3.Connection, now_us: int, archive: Archive) -> None:
        self._connection = connection
        self._now_us = now_us
        self._archive = archive
        self._first: int
        self._entity: int
        self._first, self._entity = connection.execute("SELECT sequence, entity FROM state").fetchone()
        self._sequence = self._first
        self._rows: dict[tuple[str, str], _Row] = {}
        self._pending: list[tuple[Any, ...]] = []
        #: feature -> how many new values, and the newest event time among them
        self._facts: dict[int, tuple[int, int]] = {}

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

    def add_all(self, values: Iterable[Checked]) -> int:
        """Take the values of one call, and return how many were new."""
        before = self._sequence
        for value in values:
            self.add(value)
        return self._sequence - before

    def add(self, value: Checked) -> None:
        """Take one value, unless it is there already."""
        row = self._rows[value.entity, value.id]
        known_us = self._now_us if value.known_us is None else value.known_us
        newest = row.online.get(value.feature)
        if newest is not None and value.event_time <= newest.event_time and self._stands(row, value, newest):
            return
        self._sequence += 1
        column = to_column(value.value)
        self._pending.append((value.feature, row.code, value.event_us, known_us, self._sequence, column))
        count, latest = self._facts.get(value.feature, (0, value.event_us))
        self._facts[value.feature] = (count + 1, max(latest, value.event_us))
        if newest is None or (value.event_time, known_us) >= (newest.event_time, newest.known_us):
            row.online[value.feature] = held(value.value, value.event_time, known_us)
            row.changed = True

    def _stands(self, row: _Row, value: Checked, newest: Held) -> bool:
        """Tell whether the value is there already; its event time is not the newest, or is the very newest one."""
        newest_itself = value.event_time == newest.event_time and value.value == newest.value
        if newest_itself and value.known_us in {None, newest.known_us}:
            return True
        self._flush()
        column = to_column(value.value)
        key = (value.feature, row.code, value.event_us)
        if value.known_us is None:
            standing = self._standing(*key)
            return standing is not None and standing.value == column
        if self._connection.execute(_SAME, (*key, value.known_us, column)).fetchone() is not None:
            return True
        return self._archive.holds(*key, value.known_us, column)

    def _standing(self, feature: int, entity: int, event_us: int) -> Standing | None:
        row = self._connection.execute(_STANDING, (feature, entity, event_us)).fetchone()
        found = [one for one in (row and Standing(*row), self._archive.standing(feature, entity, event_us)) if one]
        return max(found, key=lambda one: one[:2], default=None)

    def _flush(self) -> None:
        if self._pending:
            self._connection.executemany(_INSERT, self._pending)
            self._pending.clear()

    def finish(self) -> None:
        """Write what is pending, the packed rows, the sequence and the facts."""
        if self._sequence == self._first:
            return
        self._flush()
        rows = [(entity, name, row) for (entity, name), row in self._rows.items() if row.changed]
        added = [(row.code, entity, name, pack(row.online)) for entity, name, row in rows if row.new]
        updated = [(pack(row.online), row.code) for _, _, row in rows if not row.new]
        self._connection.executemany("INSERT INTO entity VALUES (?, ?, ?, ?)", added)
        self._connection.executemany("UPDATE entity SET online = ? WHERE code = ?", updated)
        self._connection.execute("UPDATE state SET sequence = ?, entity = ?", (self._sequence, self._entity))
        facts = [(count, newest, self._now_us, code) for code, (count, newest) in self._facts.items()]
        self._connection.executemany(_FACTS, facts)
