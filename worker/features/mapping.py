"""From a file's columns to writes: which column is what, and what type each has."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.errors import Rejected
from worker.features.chunks import Chunk, chunks
from worker.features.definition import check_entity_id, time_us
from worker.features.parsing import Guess, cell_parser, parse_id, parse_moment
from worker.features.port import Value, Write
from worker.features.rows import Cell, Reject, Row, arrow_cells, column_names, file_format, rows


@dataclass(frozen=True)
class ImportSpec:
    """Which column is what.

    Attributes:
        entity: whose features these are.
        entity_id, event_time, known_at: columns; without `known_at` the values are known from now on.
        columns: the features to take; None for every further column.
    """

    entity: str
    entity_id: str
    event_time: str
    known_at: str | None = None
    columns: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RowWrites:
    """The values of one row; a row goes in whole or not at all."""

    line: int
    writes: tuple[Write, ...]


def features_of(path: Path, spec: ImportSpec) -> list[str]:
    """Return the columns of a file that are features. Raises Rejected if a named column is not there."""
    names = column_names(path)
    special = [name for name in (spec.entity_id, spec.event_time, spec.known_at) if name is not None]
    for name in [*special, *(spec.columns or ())]:
        if name not in names:
            raise Rejected(f"{path.name} has no column {name!r}; it has {', '.join(names)}", field="columns")
    further = [name for name in names if name not in special]
    features = further if spec.columns is None else list(dict.fromkeys(spec.columns))
    if not features:
        raise Rejected(f"{path.name} has no column that could be a feature", field="columns")
    return features


def guess_types(path: Path, columns: Sequence[str]) -> dict[str, str]:
    """Return column -> type by a pass over the file; a column without any value is left out."""
    guesses = {name: Guess() for name in columns}
    text = file_format(path) == "csv"
    for chunk in chunks(path, columns) if columns else ():
        if isinstance(chunk, Chunk):
            for guess, column in zip(guesses.values(), chunk.columns, strict=True):
                cells = arrow_cells(column) if hasattr(column, "slice") else column
                guess.see_all([cell for cell in cells if cell is not Cell.ABSENT and cell is not None], text=text)
    return {name: guess.type for name, guess in guesses.items() if guess.type is not None}


def read_rows(path: Path, spec: ImportSpec, types: Mapping[str, str]) -> Iterator[RowWrites | Reject]:
    """Yield each row of a file as the writes it holds, or as a reject with its reason.

    Args:
        path: the file.
        spec: which column is what.
        types: the features to take -> their types.
    """
    special = [spec.entity_id, spec.event_time, *([spec.known_at] if spec.known_at else [])]
    parser = RowParser(special, types, text=file_format(path) == "csv")
    for row in rows(path, [*special, *types]):
        yield row if isinstance(row, Reject) else parser.parse(row)


class RowParser:
    """Makes writes of rows whose cells are an entity id, an event time, perhaps a known-at, and values.

    Attributes:
        special: the columns before the values.
        types: feature -> its type, in the order of the cells.
        text: whether cells are text, to be read as their type.
    """

    def __init__(self, special: Sequence[str], types: Mapping[str, str], *, text: bool) -> None:
        """Prepare a parser for each column."""
        self.special = special
        self.types = types
        self.text = text
        self._parsers = [(name, cell_parser(kind, text=text)) for name, kind in types.items()]

    def parse(self, row: Row) -> RowWrites | Reject:
        """Return a row's writes, or why it does not go in."""
        return _row_writes(row, len(self.special), self.special, self._parsers)


def _row_writes(
    row: Row, first: int, special: Sequence[str], parsers: Sequence[tuple[str, Callable[[Any], Value]]]
) -> RowWrites | Reject:
    column = special[0]
    try:
        entity_id = parse_id(_present(row.cells[0]))
        check_entity_id(entity_id)
        times = []
        for column, cell in zip(special[1:], row.cells[1:first], strict=True):  # noqa: B007 - named in the reject
            times.append(_time(cell))
        known_at = times[1] if first == 3 else None
        writes = []
        for (column, parse), cell in zip(parsers, row.cells[first:], strict=True):
            if cell is not Cell.ABSENT:
                writes.append(Write(entity_id, column, parse(cell), times[0], known_at))
    except Rejected as error:
        mend = f". {error.mend}" if error.mend else ""
        return Reject(row.line, f"{column}: {error.reason}{mend}")
    return RowWrites(row.line, tuple(writes))


def parse_row_key(row: Row, names: tuple[str, str]) -> tuple[str, int] | Reject:
    """Return the entity id and the time (microseconds) of a row of just these two cells, or why it has none."""
    name = names[0]
    try:
        entity_id = parse_id(_present(row.cells[0]))
        check_entity_id(entity_id)
        name = names[1]
        return entity_id, time_us(_time(row.cells[1]), name)
    except Rejected as error:
        return Reject(row.line, f"{name}: {error.reason}")


def _time(cell: Any) -> datetime:
    moment = parse_moment(_present(cell))
    time_us(moment, "")
    return moment


def _present(cell: Any) -> Any:
    if cell is Cell.ABSENT or cell is None:
        raise Rejected("the cell is empty")
    return cell
