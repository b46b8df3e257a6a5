"""The training read: from a request to a point-in-time table, over whatever view of the history a backend gives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from worker.clock import from_us
from worker.errors import Rejected
from worker.features.columns import Column
from worker.features.computed.inputs import closure
from worker.features.definition import time_us
from worker.features.join import Ints, Log, Rows
from worker.features.port import Definition, LabelWindow, TrainingRequest, TrainingTable
from worker.features.request import check_request, needed
from worker.features.spine import Spine

KNOWN_AT_MEND = "import the values again with --known-at, or set respectKnownAt: false for backfilled history"


@dataclass(frozen=True)
class Found:
    """One feature's values for some rows; `without_known_at` and `found` count rows that had and have one."""

    column: Column
    without_known_at: int
    found: int


class History(Protocol):
    """One consistent view of the stored values: what is written after it was opened does not show."""

    def codes(self, entity: str, ids: Any) -> Ints:
        """Return the code of each id (an Arrow array of large_string), -1 where the store has never seen it."""
        ...

    def find(self, definition: Definition, rows: Rows, *, respect_known_at: bool) -> Found:
        """Return the feature's value of each row by the rule of `worker.features.join`."""
        ...

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        ...

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values with event time in [start, end), and the entity id of each."""
        ...


@dataclass(frozen=True, eq=False)
class Table:
    """A training table as columns, before it has a name.

    Attributes:
        spine: entity ids and times.
        columns: feature (and label) -> one value per row.
        definitions: feature -> definition version that was read.
    """

    spine: Spine
    columns: dict[str, Column]
    definitions: dict[str, int]

    def named(self, snapshot_id: str) -> TrainingTable:
        """Return it as the port's answer, in Python values."""
        times = [from_us(time) for time in self.spine.times_us.tolist()]
        columns = {name: column.tolist() for name, column in self.columns.items()}
        return TrainingTable(snapshot_id, self.spine.ids.to_pylist(), times, columns, self.definitions)


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


def build(
    request: TrainingRequest, definitions: Mapping[str, Definition], history: History, *, strict: bool = True
) -> Table:
    """Return the table of a request.

    Args:
        request: what is asked.
        definitions: by name.
        history: what is stored.
        strict: whether a feature of which known-at leaves nothing is a fault; else it is missing.

    Raises:
        Rejected: the request cannot be answered, or known-at removed every value (with the counts and the mend).
    """
    check_request(request, definitions)
    history = _computing(request, definitions, history)
    spine, labels = _spine(request, definitions, history)
    rows = {request.entity: Rows.of(history.codes(request.entity, spine.ids), spine.times_us)}
    losses: list[_Loss] = []
    reached = {definitions[name].entity for name in request.features}
    for entity in sorted(reached - {request.entity}):
        key = definitions[request.entities[entity]]
        keys = _column(request, key, rows[request.entity], history, losses)
        rows[entity] = Rows.of(_key_codes(history, entity, keys), spine.times_us)
    columns = {
        name: _column(request, definitions[name], rows[definitions[name].entity], history, losses)
        for name in dict.fromkeys(request.features)
    }
    if strict:
        _refuse_losses(losses, len(spine))
    versions = {name: definitions[name].version for name in closure(needed(request), definitions)}
    return Table(spine, columns | labels, versions)


def _computing(request: TrainingRequest, definitions: Mapping[str, Definition], history: History) -> History:
    """Return a history that also finds what is computed, if anything of that kind is asked for."""
    names = needed(request)
    if all(definitions[name].source != "computed" for name in names):
        return history
    from worker.features.computed.history import ComputingHistory

    return ComputingHistory(history, definitions, names)


def _spine(
    request: TrainingRequest, definitions: Mapping[str, Definition], history: History
) -> tuple[Spine, dict[str, Column]]:
    """Return the rows, and the label's column where a label makes them."""
    if request.label is not None:
        return _label_rows(request, definitions[request.label.label], request.label, history)
    if isinstance(request.spine, Spine):
        return request.spine, {}
    return Spine.from_rows(request.spine or ()), {}


def _label_rows(
    request: TrainingRequest, definition: Definition, label: LabelWindow, history: History
) -> tuple[Spine, dict[str, Column]]:
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
    spine = Spine.of([ids[row] for row in kept], times)
    return spine, {label.label: Column.of(definition.type, values)}


def _key_codes(history: History, entity: str, keys: Column) -> Ints:
    """Return the code of each id that a key feature held, -1 where it held none."""
    codes = np.full(len(keys.valid), -1, dtype=np.int64)
    held = np.flatnonzero(keys.valid)
    codes[held] = history.codes(entity, keys.take(held).to_arrow())
    return codes


def _column(
    request: TrainingRequest, definition: Definition, rows: Rows, history: History, losses: list[_Loss]
) -> Column:
    """Return one feature's value per row, and note what known-at took."""
    if definition.source != "computed" and not len(rows.distinct):
        return Column.empty(definition.type, len(rows))
    found = history.find(definition, rows, respect_known_at=request.respect_known_at)
    losses.append(_Loss(definition.name, found.without_known_at, found.found))
    return found.column


def _refuse_losses(losses: Sequence[_Loss], rows: int) -> None:
    """Refuse a read in which known-at left nothing of a feature that has values at those times."""
    lost = [loss for loss in losses if loss.total]
    if not lost:
        return
    named = ", ".join(f"{loss.name} (0 of {loss.without} kept)" for loss in lost)
    scope = "everything" if len(lost) == len(losses) else f"{len(lost)} of {len(losses)} features"
    reason = f"known-at removes {scope} from the {rows} rows: no value was known by its row's time: {named}"
    raise Rejected(reason, field="respectKnownAt", mend=KNOWN_AT_MEND)
