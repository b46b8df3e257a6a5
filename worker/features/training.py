"""The training read: from a request to a point-in-time table, over whatever view of the history a backend gives."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import msgspec
import numpy as np

from worker.clock import from_us
from worker.errors import Rejected
from worker.features.definition import check_entity_id, time_us
from worker.features.join import Ints, Log, join
from worker.features.port import Definition, LabelWindow, TrainingRequest, TrainingTable, Value
from worker.features.request import check_request, needed, request_body

KNOWN_AT_MEND = "import the values again with --known-at, or set respectKnownAt: false for backfilled history"


class History(Protocol):
    """One consistent view of the stored values: what is written after it was opened does not show."""

    def codes(self, entity: str, ids: Sequence[str]) -> Ints:
        """Return the code of each id, -1 where the store has never seen it."""
        ...

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        ...

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values with event time in [start, end), and the entity id of each."""
        ...


@dataclass(frozen=True)
class Table:
    """A training table before it has a name; times in microseconds."""

    entity_ids: list[str]
    times_us: list[int]
    columns: dict[str, list[Value]]
    definitions: dict[str, int]

    def named(self, snapshot_id: str) -> TrainingTable:
        """Return it as the port's answer."""
        times = [from_us(time) for time in self.times_us]
        return TrainingTable(snapshot_id, self.entity_ids, times, self.columns, self.definitions)


@dataclass(frozen=True)
class _Rows:
    """The rows as one entity sees them: the code of its id (-1: none) and the time, per row."""

    codes: Ints
    times: Ints


@dataclass
class _Loss:
    """What known-at took from one feature: how many rows had a value, how many keep one."""

    name: str
    without: int
    kept: int

    @property
    def total(self) -> bool:
        """Whether there were values and none is left."""
        return self.without > 0 and self.kept == 0


def build(request: TrainingRequest, definitions: Mapping[str, Definition], history: History) -> Table:
    """Return the table of a request.

    Raises:
        Rejected: the request cannot be answered, or known-at removed every value (with the counts and the mend).
    """
    check_request(request, definitions)
    ids, times, labels = _spine(request, definitions, history)
    rows = {request.entity: _Rows(history.codes(request.entity, ids), times)}
    losses: list[_Loss] = []
    reached = {definitions[name].entity for name in request.features}
    for entity in sorted(reached - {request.entity}):
        key = definitions[request.entities[entity]]
        keys = _column(request, key, rows[request.entity], history, losses)
        rows[entity] = _Rows(_key_codes(history, entity, keys), times)
    columns = {
        name: _column(request, definitions[name], rows[definitions[name].entity], history, losses)
        for name in dict.fromkeys(request.features)
    }
    _refuse_losses(losses, len(ids))
    versions = {name: definitions[name].version for name in needed(request)}
    return Table(ids, times.tolist(), columns | labels, versions)


def _spine(
    request: TrainingRequest, definitions: Mapping[str, Definition], history: History
) -> tuple[list[str], Ints, dict[str, list[Value]]]:
    """Return ids and times of the rows, and the label's column where a label makes them."""
    if request.label is not None:
        return _label_rows(request, definitions[request.label.label], request.label, history)
    spine = request.spine or ()
    for entity_id, _ in spine:
        check_entity_id(entity_id)
    times = np.array([time_us(time, "spine") for _, time in spine], dtype=np.int64)
    return [entity_id for entity_id, _ in spine], times, {}


def _label_rows(
    request: TrainingRequest, definition: Definition, label: LabelWindow, history: History
) -> tuple[list[str], Ints, dict[str, list[Value]]]:
    """Make one row per observation of the label: the newest known wins, a NULL is none; by time, then entity id."""
    start_us, end_us = time_us(label.start, "label.start"), time_us(label.end, "label.end")
    log, ids = history.window(definition, start_us, end_us)
    counts = log.known <= end_us if request.respect_known_at else np.ones(len(ids), dtype=np.bool_)
    position = np.flatnonzero(counts)
    if len(ids) and not len(position):
        reason = f"known-at removes everything: 0 of {len(ids)} observations of {label.label!r} in the window were"
        raise Rejected(f"{reason} known by its end", field="respectKnownAt", mend=KNOWN_AT_MEND)
    entity, event = log.entity[position], log.event[position]
    last = np.ones(len(position), dtype=np.bool_)
    last[:-1] = (entity[1:] != entity[:-1]) | (event[1:] != event[:-1])
    kept = [row for row in position[last].tolist() if log.values[row] is not None]
    kept.sort(key=lambda row: (int(log.event[row]), ids[row]))
    values = [log.values[row] for row in kept]
    times = log.event[kept] if kept else np.empty(0, dtype=np.int64)
    return [ids[row] for row in kept], times, {label.label: values}


def _key_codes(history: History, entity: str, keys: Sequence[Any]) -> Ints:
    """Return the code of each id that a key feature held, -1 where it held none."""
    known = [key for key in keys if key is not None]
    codes = np.full(len(keys), -1, dtype=np.int64)
    codes[[key is not None for key in keys]] = history.codes(entity, known)
    return codes


def _column(
    request: TrainingRequest, definition: Definition, rows: _Rows, history: History, losses: list[_Loss]
) -> list[Value]:
    """Return one feature's value per row, and note what known-at took."""
    codes = np.unique(rows.codes[rows.codes >= 0])
    if not len(codes):
        return [None] * len(rows.codes)
    ttl_us = None if definition.ttl is None else definition.ttl // timedelta(microseconds=1)
    since_us = None if ttl_us is None else int(rows.times.min()) - ttl_us
    log = history.log(definition, codes, since_us=since_us, until_us=int(rows.times.max()))
    found = join(log, rows.codes, rows.times, ttl_us=ttl_us, respect_known_at=request.respect_known_at)
    losses.append(_Loss(definition.name, found.without_known_at, found.found))
    return found.pick(log.values)


def _refuse_losses(losses: Sequence[_Loss], rows: int) -> None:
    """Refuse a read in which known-at left nothing of a feature that has values at those times."""
    lost = [loss for loss in losses if loss.total]
    if not lost:
        return
    named = ", ".join(f"{loss.name} (0 of {loss.without} kept)" for loss in lost)
    scope = "everything" if len(lost) == len(losses) else f"{len(lost)} of {len(losses)} features"
    reason = f"known-at removes {scope} from the {rows} rows: no value was known by its row's time: {named}"
    raise Rejected(reason, field="respectKnownAt", mend=KNOWN_AT_MEND)


def table_name(request: TrainingRequest, table: Table) -> str:
    """Return the name of a table: a hash of what was asked, the definition versions, and every value in it.

    The content is in it, not the store's write sequence, so that the same question has the same name for as long as
    its answer is the same, on any machine.
    """
    digest = hashlib.sha256()
    head = [request_body(request), sorted(table.definitions.items()), table.entity_ids, table.times_us]
    for part in (*head, *sorted(table.columns.items())):
        digest.update(msgspec.msgpack.encode(part))
    return f"snap-{digest.hexdigest()[:40]}"
