"""Reading a file by columns gives exactly the rows and the rejects of reading it row by row."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.clock import from_us, parse_time, to_us
from worker.features.batches import Piece, read_pieces
from worker.features.mapping import ImportSpec, guess_types, read_rows
from worker.features.moments import moments
from worker.features.port import Write
from worker.features.rows import Reject

TYPES = {"n": "number", "s": "string", "b": "boolean", "v": "vector"}
SPEC = ImportSpec("thing", "id", "event", "known")

numbers = ["1", "-0.0", "1e3", " 2", "1_0", "nan", "inf", "1e999", "", "٣", "0x1", "+5", "9007199254740993", "1.5"]
texts = ["", "plain", 'a "quote"', "two\nlines", "é", "comma, in it", "\x00", "x" * 40, " ", "\r", "\x0b", "\u2028"]
times = [
    "2002-09-28T00:00:00Z", "2002-09-28 00:00:00Z", "2002-09-28T02:00:00+02:00", "2002-02-30T00:00:00Z",
    "2002-09-28T00:00:00.123Z", "2002-09-28T00:00:00.123456Z", "2002-09-28T00:00:00.123456-07:30", "2002-09-28",
    "2002-09-28T00:00:00", "2002-09-28T24:00:00Z", "2002-09-28T00:00:00+24:00", "1900-02-29T00:00:00Z",
    "2000-02-29T00:00:00Z", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z", "20020928T000000Z", "", "noon",
    "2002-09-28T00:00:00z", "2002-09-28T00:00:60Z", "2002-W39-6", "1969-12-31T23:59:59.999999Z",
    "２002-09-28T00:00:00Z",
]  # fmt: skip
flags = ["true", "False", "1", "0", "yes", "", "TRUE"]
vectors = ["[1, 2.5]", "[]", "[1, null]", "", "1", "[1e999]"]
ids = ["a", "", "é", "x" * 1024, "x" * 1025, "17", "\x00", "a b"]


def by_rows(path: Path) -> tuple[list[tuple[int, list[Write]]], list[Reject]]:
    """Read row by row."""
    rows, rejects = [], []
    for found in read_rows(path, SPEC, TYPES):
        if isinstance(found, Reject):
            rejects.append(found)
        elif found.writes:
            rows.append((found.line, [as_utc(write) for write in found.writes]))
    return rows, rejects


def as_utc(write: Write) -> Write:
    """Return the same with its times in UTC."""
    known = None if write.known_at is None else from_us(to_us(write.known_at))
    return Write(write.entity_id, write.feature, write.value, from_us(to_us(write.event_time)), known)


def by_columns(path: Path) -> tuple[list[tuple[int, list[Write]]], list[Reject]]:
    """Read by columns."""
    rows, rejects = [], []
    for found in read_pieces(path, SPEC, TYPES):
        if isinstance(found, Reject):
            rejects.append(found)
        else:
            rows += [one for one in rows_of(found) if one[1]]
    return sorted(rows, key=lambda row: row[0]), sorted(rejects, key=lambda one: one.line)


def rows_of(piece: Piece) -> list[tuple[int, list[Write]]]:
    """Return a piece's rows as writes."""
    batch = piece.batch
    assert batch.known_us is not None
    entities, columns = batch.rows.ids.to_pylist(), {name: one.column.tolist() for name, one in batch.features.items()}
    return [
        (
            int(piece.lines[row]),
            [
                Write(entity, name, columns[name][row], from_us(int(event)), from_us(int(known)))
                for name, cells in batch.features.items()
                if cells.present[row]
            ],
        )
        for row, (entity, event, known) in enumerate(zip(entities, batch.rows.times_us, batch.known_us, strict=True))
    ]


def same(path: Path) -> None:
    """Compare the two readings, and the guessed types with what each cell says."""
    (rows, rejects), (columns, refused) = by_rows(path), by_columns(path)
    assert columns == rows
    assert [(one.line, one.reason) for one in refused] == [(one.line, one.reason) for one in rejects]
    assert repr(columns) == repr(rows)  # -0.0 is 0.0 in both


def quoted(cell: str, *, always: bool) -> str:
    """Return a cell as CSV."""
    if always or any(sign in cell for sign in '",\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


odd_lines = st.sampled_from(["", "a", "a,b,c", 'a,"b', "," * 6, "," * 9, '"', "\x00", "é,\xff"])
csv_rows = st.tuples(*map(st.sampled_from, (ids, times, times, numbers, texts, flags, vectors)))


@given(
    st.lists(st.tuples(csv_rows, st.booleans()) | odd_lines, max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_any_csv(rows: list[Any], line_end: str, last: bool) -> None:  # noqa: FBT001 - drawn
    """Quotes, broken lines, odd numbers and times: both readings agree to the reason."""
    lines = ["id,event,known,n,s,b,v"]
    lines += [one if isinstance(one, str) else ",".join(quoted(c, always=one[1]) for c in one[0]) for one in rows]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.csv"
        path.write_bytes((line_end.join(lines) + (line_end if last else "")).encode("utf-8", errors="surrogateescape"))
        same(path)


plain_cells = (["a", "b", "17"], times[:3], times[:3], ["1", "2.5", ""], ["x", "", '"q"', '"'], ["1", "0"], [""])
plain = st.tuples(*map(st.sampled_from, plain_cells))


@given(st.lists(plain, min_size=1, max_size=40), st.integers(0, 40), odd_lines)
@settings(max_examples=100, deadline=None)
def test_plain_csv_with_one_odd_line(rows: list[tuple[str, ...]], at: int, odd: str) -> None:
    """What is split at once and what goes through the reader have the same lines."""
    lines = [",".join(row) for row in rows]
    lines.insert(min(at, len(lines)), odd)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.csv"
        path.write_text("id,event,known,n,s,b,v\n" + "\n".join(lines) + "\n", encoding="utf-8", newline="")
        same(path)


cells = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.sampled_from([*texts, *times])
    | st.just([1.0])
)


@given(st.lists(st.fixed_dictionaries({}, optional={
    "id": st.sampled_from(ids) | cells, "event": st.sampled_from(times) | cells, "known": st.sampled_from(times),
    "n": cells, "s": cells, "b": cells, "v": cells,
}), max_size=8))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_json_lines(rows: list[dict[str, Any]]) -> None:
    """Absent keys, nulls and wrong types: both readings agree to the reason."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "x.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        same(path)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "uint64", "bool", "string", "null"])
def test_parquet_of_every_kind(tmp_path: Path, unit: str, kind: str) -> None:
    """Columns of other types than the feature's, nulls, NaN and numbers too large are told row by row."""
    import pyarrow as pa
    from pyarrow import parquet

    stamps = [datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2002, 1, 1, tzinfo=UTC), None]
    given_ = {
        "float64": [0.5, float("nan"), None], "float32": [0.5, -0.0, None], "int64": [1, 2**53 + 1, None],
        "uint64": [1, 2**64 - 1, None], "bool": [True, False, None], "string": ["1", "x", None], "null": [None] * 3,
    }[kind]  # fmt: skip
    value = pa.array(given_, getattr(pa, {"bool": "bool_"}.get(kind, kind))())
    times_ = pa.array(stamps, pa.timestamp(unit, tz="Europe/Berlin"))
    table = pa.table(
        {"id": [1, 2, 3], "event": times_, "known": times_, "n": value, "s": value, "b": value, "v": [[1.0], [], None]}
    )
    parquet.write_table(table, tmp_path / "x.parquet")
    same(tmp_path / "x.parquet")
    assert guess_types(tmp_path / "x.parquet", ["n"]) == (
        {} if kind == "null" else {"n": {"bool": "boolean", "string": "string"}.get(kind, "number")}
    )


@given(
    st.datetimes(),
    st.sampled_from(["Z", "+00:00", "-11:45", "+14:00"]),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
@settings(max_examples=300, deadline=None)
def test_a_column_of_times_is_read_as_each_by_itself(moment: datetime, zone: str, spec: str) -> None:
    """All forms of RFC 3339 that are read at once give the parser's microsecond."""
    text = moment.isoformat(timespec=spec) + zone
    found, read = moments([text, text])
    assert bool(read[0]) == (2 <= moment.year <= 9998)
    if read[0]:
        assert int(found[1]) == to_us(parse_time(text))


@given(st.lists(st.sampled_from(times) | st.text(max_size=32), max_size=20))
@settings(max_examples=200, deadline=None)
def test_what_is_taken_for_a_time_is_one(cells_: list[str]) -> None:
    """Nothing is read at once that the parser of one would refuse or read otherwise."""
    found, read = moments(cells_)
    for text, microseconds, took in zip(cells_, found.tolist(), read.tolist(), strict=True):
        if took:
            assert from_us(microseconds) == parse_time(text)
            assert parse_time(text) - datetime(1970, 1, 1, tzinfo=UTC) == timedelta(microseconds=microseconds)
