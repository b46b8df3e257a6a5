"""Makes few large segments of many small ones, piece by piece in constant memory; readers are never in the way."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from worker.adapters.features.embedded.database import Database
from worker.adapters.features.embedded.segments import tables
from worker.adapters.features.embedded.segments.archive import Archive
from worker.adapters.features.embedded.segments.format import Damaged
from worker.adapters.features.embedded.segments.run import Part, segment_part
from worker.adapters.features.embedded.segments.sweep import sweep
from worker.adapters.features.embedded.segments.tables import Segment
from worker.adapters.features.embedded.segments.values import Heap
from worker.adapters.features.embedded.segments.writing import PieceWriter, Sorted
from worker.features.columns import Ints

#: So many segments of about one size become one.
FAN = 4
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


def merge(database: Database, archive: Archive, inputs: Sequence[Segment]) -> None:
    """Put one segment in the place of several of one feature.

    The caller holds the upkeep lock. The inputs are checked whole before they are replaced. A segment of a feature
    that was deleted meanwhile is struck out.

    Raises:
        TryLater: an input is damaged; nothing was changed.
    """
    merged = rewritten(archive, inputs, None)
    with database.writing() as connection:
        replace(connection, inputs, merged)
    archive.unlink([segment.name for segment in inputs])


def replace(connection: sqlite3.Connection, inputs: Sequence[Segment], merged: Segment | None) -> None:
    """List a segment in the place of others, inside the caller's write transaction."""
    tables.remove(connection, [segment.name for segment in inputs])
    defined = connection.execute("SELECT 1 FROM feature WHERE code = ?", (inputs[0].feature,)).fetchone()
    if merged is not None and defined is not None:
        tables.add(connection, [merged])


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


def rewritten(archive: Archive, inputs: Sequence[Segment], keep: Keep | None) -> Segment | None:
    """Write one segment out of several; it is not listed yet. None if nothing is kept of them."""
    parts = [_input(archive, segment) for segment in inputs]
    sizes = _Sizes.of(parts) if keep is None else _Sizes.after(_kept(parts, keep))
    if not sizes.rows:
        return None
    feature_type = archive.file(inputs[0].name).facts["type"]
    writer = PieceWriter(archive, inputs[0].feature, feature_type, sizes.rows, sizes.entities, sizes.heap)
    try:
        for piece in sweep(parts) if keep is None else _kept(parts, keep):
            writer.append(piece)
        return writer.finish()
    except BaseException:
        writer.abandon()
        raise


def _kept(parts: Sequence[Part], keep: Keep) -> Iterator[Sorted]:
    for piece in sweep(parts):
        stays = keep.positions(piece)
        if len(stays):
            yield piece.take(stays)


@dataclass
class _Sizes:
    """How much the pieces come to: the new file's columns need their lengths beforehand."""

    rows: int = 0
    entities: int = 0
    heap: int = 0

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Self:
        """Return the sizes when all is kept."""
        entities = np.unique(np.concatenate([part.run.entities for part in parts]))
        heap = sum(len(part.values.file.column("heap")) for part in parts if isinstance(part.values, Heap))
        return cls(sum(len(part.run.event) for part in parts), len(entities), heap)

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


def _input(archive: Archive, segment: Segment) -> Part:
    file = archive.file(segment.name)
    bad = file.verify()
    if bad:
        raise Damaged(file.path, f"the column {bad[0]!r} is not what was written")
    return segment_part(file, _EVERYTHING)
