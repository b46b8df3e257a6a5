"""Makes few large segments of many small ones, piece by piece in constant memory; readers are never in the way."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.format import Damaged
from worker.adapters.features.embedded.segments.run import KEYS, MappedRun, segment_part
from worker.adapters.features.embedded.segments.sorting import order_of
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.segments.values import Values
from worker.adapters.features.embedded.segments.writing import PieceWriter, Sorted
from worker.features.columns import Column, Ints

#: So many segments of about one size become one.
FAN = 4
#: Values that are in memory at a time (more only if one entity has more).
_PIECE_ROWS = 1 << 20
_EVERYTHING = 2**62


def due(segments: Sequence[Segment], *, all_of_them: bool) -> list[Segment]:
    """Return the segments of one feature that should become one, nothing if all is well.

    Sizes are tiers of powers of four: merging only equals, each value is written about log4(n) times in its life.
    """
    if all_of_them:
        return list(segments) if len(segments) > 1 else []
    tiers: dict[int, list[Segment]] = {}
    for segment in segments:
        tiers.setdefault(segment.rows.bit_length() // 2, []).append(segment)
    full = [tier for tier in tiers.values() if len(tier) >= FAN]
    return min(full, key=lambda tier: tier[0].rows, default=[])


def merge(
    database: Database, archive: Archive, inputs: Sequence[Segment], keep: "Keep | None" = None
) -> Segment | None:
    """Put one segment in the place of several of one feature; return it, None if nothing is kept of them.

    The caller holds the upkeep lock. The inputs are checked whole before they are replaced. A segment of a feature
    that was deleted meanwhile is struck out.

    Raises:
        TryLater: an input is damaged; nothing was changed.
    """
    merged = _merged(archive, inputs, keep)
    names = [segment.name for segment in inputs]
    with database.writing() as connection:
        defined = connection.execute("SELECT 1 FROM feature WHERE code = ?", (inputs[0].feature,)).fetchone()
        tables.remove(connection, names)
        if merged is not None and defined is not None:
            tables.add(connection, [merged])
    archive.unlink(names if defined is not None or merged is None else [*names, merged.name])
    return merged


@dataclass(frozen=True)
class Keep:
    """Which values stay when segments are written anew.

    Attributes:
        without: an entity whose values go.
        since_us: values of older events go, unless they are the newest of their entity; None for all stay.
    """

    without: int | None = None
    since_us: int | None = None

    def positions(self, values: Sorted) -> Ints:
        """Return which of a piece stay; a piece has all values of its entities."""
        stays = np.ones(len(values), np.bool_)
        if self.since_us is not None:
            last = np.append(values.entity[1:] != values.entity[:-1], True)
            stays = (values.event >= self.since_us) | last
        if self.without is not None:
            stays &= values.entity != self.without
        return np.flatnonzero(stays)


def _merged(archive: Archive, inputs: Sequence[Segment], keep: Keep | None) -> Segment | None:
    runs = [(run, values) for run, values in (_input(archive, segment) for segment in inputs)]
    sizes = _Sizes.of([run for run, _ in runs]) if keep is None else _Sizes.after(_pieces(runs, keep))
    if not sizes.rows:
        return None
    feature_type = runs[0][0].file.facts["type"]
    writer = PieceWriter(archive, inputs[0].feature, feature_type, sizes.rows, sizes.entities, sizes.heap)
    try:
        for piece in _pieces(runs, keep):
            writer.append(piece)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


@dataclass
class _Sizes:
    """How much the pieces come to: the new file's columns need their lengths beforehand."""

    rows: int = 0
    entities: int = 0
    heap: int = 0

    @classmethod
    def of(cls, runs: Sequence[MappedRun]) -> Self:
        """Return the sizes when all is kept."""
        entities = np.unique(np.concatenate([run.entities for run in runs]))
        heap = sum(len(run.file.column("heap")) for run in runs if "heap" in run.file.places)
        return cls(sum(len(run.event) for run in runs), len(entities), heap)

    @classmethod
    def after(cls, pieces: Iterable[Sorted]) -> Self:
        """Return the sizes of what is left, by counting it."""
        sizes = cls()
        for piece in pieces:
            sizes.see(piece)
        return sizes

    def see(self, piece: Sorted) -> None:
        """Count one more piece."""
        self.rows += len(piece)
        self.entities += int(np.count_nonzero(np.diff(piece.entity, prepend=piece.entity[:1] - 1)))
        if piece.value.type == "string":
            self.heap += sum(len(value.encode()) for value in piece.value.tolist() if isinstance(value, str))
        elif piece.value.type == "vector":
            self.heap += sum(8 * len(value) for value in piece.value.tolist() if isinstance(value, list))


def _input(archive: Archive, segment: Segment) -> tuple[MappedRun, Values]:
    file = archive.file(segment.name)
    bad = file.verify()
    if bad:
        raise Damaged(file.path, f"the column {bad[0]!r} is not what was written")
    run, values = segment_part(file, _EVERYTHING)
    if not isinstance(run, MappedRun):
        raise TypeError("a segment is mapped")
    return run, values


def _pieces(runs: Sequence[tuple[MappedRun, Values]], keep: Keep | None) -> Iterator[Sorted]:
    """Yield the values of all runs in order, entity range by entity range."""
    edges = _edges([run for run, _ in runs])
    for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        pieces = [_between(run, values, low, high) for run, values in runs]
        whole = _together([piece for piece in pieces if len(piece)])
        kept = whole if keep is None else whole.take(keep.positions(whole))
        if len(kept):
            yield kept


def _edges(runs: Sequence[MappedRun]) -> Ints:
    """Return codes that part the entities so that no range has many more values than a piece may have."""
    entities = np.concatenate([run.entities for run in runs])
    counts = np.concatenate([np.diff(run.starts) for run in runs])
    order = np.argsort(entities, kind="stable")
    before = np.cumsum(counts[order])
    cuts = np.searchsorted(before, np.arange(_PIECE_ROWS, int(before[-1]), _PIECE_ROWS))
    ends = np.array([entities.min(), entities.max() + 1])
    return np.unique(np.concatenate([ends, entities[order][cuts]]))


def _between(run: MappedRun, values: Values, low: int, high: int) -> Sorted:
    first, last = np.searchsorted(run.entities, [low, high])
    start, stop = int(run.starts[first]), int(run.starts[last])
    entity = np.repeat(run.entities[first:last], np.diff(run.starts[first : last + 1]))
    event, known, sequence = (run.file.column(name)[start:stop] for name in KEYS)
    return Sorted(entity, event, known, sequence, values.take(np.arange(start, stop)))


def _together(pieces: Sequence[Sorted]) -> Sorted:
    names = ("entity", *KEYS)
    entity, event, known, sequence = (np.concatenate([getattr(piece, name) for piece in pieces]) for name in names)
    values = np.concatenate([piece.value.values for piece in pieces])
    valid = np.concatenate([piece.value.valid for piece in pieces])
    joined = Sorted(entity, event, known, sequence, Column(pieces[0].value.type, values, valid))
    return joined if len(pieces) == 1 else joined.take(order_of(entity, event, known, sequence))
