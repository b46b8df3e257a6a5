"""Spines out of files and training tables into files: the same rows in every format."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from worker.errors import Rejected
from worker.features.columns import Column
from worker.features.spine import Spine
from worker.features.tables import read_spine, write_table
from worker.features.training import Table

TIMES = [datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC)]
ROWS = [("b", TIMES[1]), ("a/é", TIMES[0]), ("b", TIMES[1])]


def write_spine(path: Path, rows: list[tuple[Any, Any]]) -> None:
    """Write rows of (id, time) by the file's name."""
    ids, times = [row[0] for row in rows], [row[1] for row in rows]
    texts = [time.isoformat() if isinstance(time, datetime) else time for time in times]
    if path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([("note", "id", "at"), *(("x", *row) for row in zip(ids, texts, strict=True))])
    elif path.suffix == ".jsonl":
        lines = [json.dumps({"id": one, "at": text}) for one, text in zip(ids, texts, strict=True)]
        path.write_text("\n".join(lines))
    else:
        table = pa.table({"at": pa.array(times, pa.timestamp("us", tz="UTC")), "id": ids})
        if path.suffix == ".parquet":
            parquet.write_table(table, path)
        else:
            open_writer = pa.ipc.new_file if path.suffix == ".arrow" else pa.ipc.new_stream
            with pa.OSFile(str(path), "wb") as sink, open_writer(sink, table.schema) as writer:
                writer.write_table(table)


@pytest.mark.parametrize("name", ["spine.csv", "spine.jsonl", "spine.parquet", "spine.arrow", "spine.feather"])
def test_a_spine_has_its_rows_in_order_and_as_often(tmp_path: Path, name: str) -> None:
    """Duplicates stay, other columns are left alone, times are microseconds in UTC."""
    write_spine(tmp_path / name, ROWS)
    spine = read_spine(tmp_path / name, "id", "at")
    assert spine.ids.to_pylist() == [entity for entity, _ in ROWS]
    assert spine.times_us.tolist() == [1_009_843_200_000_000, -1, 1_009_843_200_000_000]
    with pytest.raises(Rejected, match="no column 'nope'; it has "):
        read_spine(tmp_path / name, "id", "nope")


@pytest.mark.parametrize(
    ("row", "match"),
    [
        (("", TIMES[0]), "line 4: id: the cell is empty"),
        (("x" * 1025, TIMES[0]), "line 4: id: an entity id is longer"),
        (("a", "2002-01-01T00:00:00"), "line 4: at: .*zone"),
        (("a", "soon"), "line 4: at: 'soon' is not a time"),
    ],
)
def test_a_row_that_cannot_be_asked_is_told_by_its_line(tmp_path: Path, row: tuple[str, Any], match: str) -> None:
    """Every row is answered: one that cannot be stops the read, with line, column and reason."""
    write_spine(tmp_path / "spine.csv", [*ROWS[:2], row])
    with pytest.raises(Rejected, match=match):
        read_spine(tmp_path / "spine.csv", "id", "at")


def test_unusual_forms_are_read_too(tmp_path: Path) -> None:
    """Whole numbers are ids, and any RFC 3339 is a time, beside plain rows."""
    rows = [{"id": 17, "at": "2002-W01-1T00:00:00Z"}, {"id": "a", "at": "2001-12-31T00:00:00Z"}]
    (tmp_path / "spine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    spine = read_spine(tmp_path / "spine.jsonl", "id", "at")
    assert spine.ids.to_pylist() == ["17", "a"]
    assert len(set(spine.times_us.tolist())) == 1


def test_a_file_without_rows_or_of_something_else_is_refused(tmp_path: Path) -> None:
    """The reason is told."""
    (tmp_path / "x.csv").write_text("id,at\n")
    (tmp_path / "x.arrow").write_text("prose")
    for name, match in (("x.csv", "no rows"), ("x.arrow", "not an Arrow file"), ("x.xlsx", "format")):
        with pytest.raises(Rejected, match=match):
            read_spine(tmp_path / name, "id", "at")


def table() -> Table:
    """Return a table with a column of each type and gaps."""
    spine = Spine.of(["a", "b,\n"], np.array([-1, 1_009_843_200_000_000]))
    columns = {
        "n": Column.of("number", [0.1, None]),
        "s": Column.of("string", [None, 'q "x"']),
        "b": Column.of("boolean", [True, None]),
        "v": Column.of("vector", [[1.0, 2.5], None]),
    }
    return Table(spine, columns, dict.fromkeys(columns, 1))


@pytest.mark.parametrize("name", ["out.parquet", "out.arrow", "out.jsonl", "out.csv"])
def test_a_table_is_written_as_it_is(tmp_path: Path, name: str) -> None:
    """Rows in order, gaps as gaps, times in UTC to the microsecond."""
    path = tmp_path / name
    write_table(table(), path, entity_id="id", time="at")
    first = ("a", "1969-12-31T23:59:59.999999Z")
    if name == "out.csv":
        assert list(csv.reader(path.open(newline=""))) == [
            ["id", "at", "n", "s", "b", "v"],
            [*first, "0.1", "", "true", "[1.0, 2.5]"],
            ["b,\n", "2002-01-01T00:00:00.000000Z", "", 'q "x"', "", ""],
        ]
        return
    if name == "out.jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        read = parquet.read_table(path) if name == "out.parquet" else pa.ipc.open_file(path).read_all()
        rows = read.to_pylist()
        assert [row["at"] for row in rows] == TIMES
        rows = [row | {"at": row["at"].isoformat().replace("+00:00", "Z")} for row in rows]
    assert rows[0] == {"id": "a", "at": first[1], "n": 0.1, "s": None, "b": True, "v": [1.0, 2.5]}
    assert [rows[1][key] for key in ("id", "n", "s", "b", "v")] == ["b,\n", None, 'q "x"', None, None]


def test_a_table_into_nowhere_is_refused(tmp_path: Path) -> None:
    """An unknown format and a place that cannot be written are told."""
    for path, match in ((tmp_path / "x.xlsx", "format"), (tmp_path / "no" / "x.csv", "cannot be written")):
        with pytest.raises(Rejected, match=match):
            write_table(table(), path)
