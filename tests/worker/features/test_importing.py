"""The bulk import: three formats, bad rows, types, and running it again."""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from worker.adapters.features.local import LocalFeatureStore
from worker.errors import Rejected
from worker.features.importing import BATCH_VALUES, ImportReport, ImportSpec, import_file, read_rows
from worker.features.port import Definition, LabelWindow, Status, TrainingRequest, Value
from worker.features.rows import Reject, column_names

NOW = datetime(2002, 10, 1, tzinfo=UTC)
T = "2002-09-28T00:00:00Z"
SPEC = ImportSpec("content", "content_id", "event_timestamp", "created")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """An empty store."""
    opened = LocalFeatureStore(tmp_path / "store", lambda: NOW)
    yield opened
    opened.close()


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as CSV, compressed if its name says so; None is an empty cell."""
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON Lines; None is an absent key."""
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps({key: value for key, value in row.items() if value is not None}) + "\n")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write rows as Parquet, the times as timestamps with a zone."""
    import pyarrow as pa
    from pyarrow import parquet

    def typed(key: str, value: Any) -> Any:
        return datetime.fromisoformat(value) if key in {"event_timestamp", "created"} else value

    columns = {key: [typed(key, row[key]) for row in rows] for key in rows[0]}
    table = pa.table(columns)
    stamp = table.schema.get_field_index("event_timestamp")
    nanoseconds = table.column(stamp).cast(pa.timestamp("ns", tz="Europe/Berlin"))
    parquet.write_table(table.set_column(stamp, "event_timestamp", nanoseconds), path)


WRITERS = {
    "values.csv": write_csv,
    "values.csv.gz": write_csv,
    "values.jsonl": write_jsonl,
    "values.jsonl.gz": write_jsonl,
    "values.parquet": write_parquet,
}


def run(
    store: LocalFeatureStore, path: Path, spec: ImportSpec = SPEC, *, define: bool = True
) -> tuple[ImportReport, dict[int, str]]:
    """Import a file; return the report and the rejects by line."""
    rejects = path.with_suffix(".rejects")
    report = import_file(store, path, spec, define=define, progress=lambda _: None, rejects=rejects)
    lines = rejects.read_text().splitlines() if rejects.exists() else []
    found = {entry["line"]: entry["reason"] for entry in map(json.loads, lines)}
    assert len(lines) == report.rejected
    return report, found


def rows(**columns: list[Any]) -> list[dict[str, Any]]:
    """Make rows c0, c1 … at T, known an hour later, from columns."""
    count = len(next(iter(columns.values())))
    fixed = {"event_timestamp": T, "created": "2002-09-28T01:00:00Z"}
    return [
        {"content_id": f"c{number}", **fixed, **{key: values[number] for key, values in columns.items()}}
        for number in range(count)
    ]


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_brings_the_same_values(store: LocalFeatureStore, tmp_path: Path, name: str) -> None:
    """Types are told from the values, times and known-at kept, empty cells left out; again, it adds nothing."""
    path = tmp_path / name
    wanted: dict[str, list[Value]] = {
        "score": [0.5, None, -3.0],
        "kind": ["a, b\n", "ÿ💡", None],
        "good": [True, False, None],
        "empty": [None, None, None],
    }
    content = rows(**wanted)
    if "csv" in name:
        content = [row | {"good": {True: "true", False: "False", None: None}[row["good"]]} for row in content]
    WRITERS[name](path, content)
    report, rejected = run(store, path)
    assert (report, rejected) == (ImportReport(6, 6, 0), {})
    assert {found.name: found.type for found in store.definitions()} == {
        "good": "boolean",
        "kind": "string",
        "score": "number",
    }
    read = store.read(["c0", "c1", "c2"], ["score", "kind", "good"], now=NOW)
    for name_ in ("score", "kind", "good"):
        assert [read[f"c{number}"][name_].value for number in range(3)] == wanted[name_]
    assert read["c1"]["score"].status is Status.MISSING
    assert read["c0"]["score"].event_time == datetime(2002, 9, 28, tzinfo=UTC)
    spine = tuple(("c0", datetime(2002, 9, 28, 0, minute, tzinfo=UTC)) for minute in (0, 59))
    with pytest.raises(Rejected, match="known-at removes everything"):
        store.training_read(TrainingRequest("content", ("score",), {}, spine))
    again, _ = run(store, path, define=False, spec=ImportSpec(**vars(SPEC) | {"columns": ("score", "kind", "good")}))
    assert again == ImportReport(6, 0, 0)


@pytest.mark.parametrize("name", ["values.csv", "values.jsonl", "values.parquet"])
def test_bad_rows_are_rejected_with_line_and_reason_and_good_ones_go_in(
    store: LocalFeatureStore, tmp_path: Path, name: str
) -> None:
    """In every format a row with a bad id or time goes nowhere, whole, and the others are stored."""
    content = rows(score=[float(number) for number in range(6)])
    content[1]["content_id"] = "x" * 1025
    content[2]["event_timestamp"] = "2002-10-01T00:05:00.000001Z"
    content[3]["created"] = "2099-01-01T00:00:00Z"
    WRITERS[name](tmp_path / name, content)
    report, rejected = run(store, tmp_path / name)
    first = 2 if name == "values.csv" else 1
    assert report == ImportReport(3, 3, 3)
    assert list(rejected) == [first + 1, first + 2, first + 3]
    assert "1024 bytes" in rejected[first + 1]
    assert "timestamp: the time is more than 5 minutes ahead" in rejected[first + 2]
    assert "knownAt" in rejected[first + 3]
    present = store.read([f"c{number}" for number in (0, 4, 5)], ["score"], now=NOW)
    assert [reading["score"].value for reading in present.values()] == [0.0, 4.0, 5.0]


def test_bad_cells_of_a_csv(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Each kind of broken CSV row is told by line, column and reason."""
    for definition in (Definition("score", "content", "number"), Definition("flag", "content", "boolean")):
        store.define(definition)
    store.define(Definition("place", "content", "vector"))
    lines = [
        "content_id,event_timestamp,created,score,flag,place",
        f"ok,{T},{T},1e-3,1,",
        f"many,{T},{T},1,1,,",
        f"few,{T},{T}",
        f"text,{T},{T},abc,1,",
        f"nan,{T},{T},nan,1,",
        f"infinite,{T},{T},1e999,1,",
        f"python,{T},{T},1_000,1,",
        f"flag,{T},{T},1,yes,",
        f'vector,{T},{T},1,1,"[1, ""a""]"',
        f",{T},{T},1,1,",
        f"no time,,{T},1,1,",
        f"no zone,2002-09-28T00:00:00,{T},1,1,",
        f"no date,2002-13-01T00:00:00Z,{T},1,1,",
        "",
        f'fine,{T},{T},,0,"[1, 2.5]"',
    ]
    path = tmp_path / "values.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode() + b"\r\n\xff\xfe," + f"{T},{T},1,1,\r\n".encode())
    report, rejected = run(store, path, define=False)
    expected = {
        3: "7 cells", 4: "3 cells", 5: "score: 'abc'", 6: "score: 'nan'", 7: "score: '1e999'", 8: "score: '1_000'",
        9: "flag: 'yes'", 10: "place: ", 11: "content_id: the cell is empty", 12: "event_timestamp: the cell is empty",
        13: "has no zone", 14: "not a time", 17: "content_id: the text is not valid Unicode",
    }  # fmt: skip
    assert set(rejected) == set(expected)
    for line, words in expected.items():
        assert words in rejected[line]
    assert report == ImportReport(4, 4, 13)
    read = store.read(["ok", "fine"], ["score", "flag", "place"], now=NOW)
    assert [read["ok"][name].value for name in ("score", "flag", "place")] == [0.001, True, None]
    assert [read["fine"][name].value for name in ("score", "flag", "place")] == [None, False, [1.0, 2.5]]


def test_bad_lines_of_json(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Broken JSON, NaN, absurd depth and wrong types are rejected; an explicit null is a NULL; a number is an id."""
    store.define(Definition("score", "content", "number"))
    good = f'"event_timestamp": "{T}", "created": "{T}"'
    lines = [
        f'{{"content_id": "ok", {good}, "score": 1}}',
        "{broken",
        "[1]",
        f'{{"content_id": "nan", {good}, "score": NaN}}',
        "[" * 100_000,
        f'{{"content_id": "text", {good}, "score": "1"}}',
        f'{{"content_id": true, {good}, "score": 1}}',
        f'{{"content_id": "when", "event_timestamp": 12, "created": "{T}", "score": 1}}',
        "",
        f'{{"content_id": 17, {good}, "score": null}}',
        f'{{"content_id": "nothing", {good}}}',
    ]
    path = tmp_path / "values.ndjson"
    path.write_text("\n".join(lines))
    report, rejected = run(store, path, define=False)
    assert sorted(rejected) == [2, 3, 4, 5, 6, 7, 8]
    assert report == ImportReport(2, 2, 7)
    read = store.read(["17", "nothing"], ["score"], now=NOW)
    assert (read["17"]["score"].status, read["nothing"]["score"].status) == (Status.NULL, Status.MISSING)


def test_mixed_columns_are_strings_and_digits_are_numbers(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A column is a number or boolean only if every value in it is; what is no value does not count."""
    path = tmp_path / "values.csv"
    write_csv(
        path,
        rows(digits=["1", None, "2e3"], mixed=["1", "true", None], bits=["0", "1", "1"], words=["True", "FALSE", None]),
    )
    run(store, path)
    assert {found.name: found.type for found in store.definitions()} == {
        "digits": "number",
        "mixed": "string",
        "bits": "number",
        "words": "boolean",
    }


def test_only_the_named_columns_are_taken(store: LocalFeatureStore, tmp_path: Path) -> None:
    """With a selection the other columns are not looked at, and without known-at the values are known from now on."""
    path = tmp_path / "values.csv"
    write_csv(path, rows(label=["1", "0"], **{"Not A Name": ["x", "y"]}))
    spec = ImportSpec("content", "content_id", "event_timestamp", None, ("label",))
    assert run(store, path, spec)[0] == ImportReport(2, 2, 0)
    assert [found.name for found in store.definitions()] == ["label"]
    window = LabelWindow("label", NOW - timedelta(days=30), NOW)
    assert len(store.training_read(TrainingRequest("content", (), {}, None, window)).entity_ids) == 2
    with pytest.raises(Rejected, match="Not A Name"):
        run(store, path, ImportSpec("content", "content_id", "event_timestamp"))


def test_running_it_again_adds_nothing_even_where_rows_contradict(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Without known-at, the last of two rows for one moment stands, and a second run finds it standing."""
    path = tmp_path / "values.csv"
    content = rows(label=["1", "0", "1"])
    write_csv(path, [content[0], content[0] | {"label": "0"}, content[1], content[2]])
    spec = ImportSpec("content", "content_id", "event_timestamp", None, ("label",))
    assert run(store, path, spec)[0] == ImportReport(4, 3, 0)
    assert run(store, path, spec)[0] == ImportReport(4, 0, 0)
    assert store.read(["c0"], ["label"], now=NOW)["c0"]["label"].value == 0.0


def test_a_large_file_goes_in_by_batches_and_tells_its_progress(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Progress counts values, transaction by transaction, up to all of them; a bad row in each is isolated."""
    count = BATCH_VALUES + 100
    path = tmp_path / "values.csv"
    stamps = [(NOW - timedelta(seconds=number)).isoformat() for number in range(count)]
    bad = {7, count - 3}
    with path.open("w") as stream:
        stream.write("content_id,event_timestamp,a,b\n")
        for number, stamp in enumerate(stamps):
            stream.write(f"c{number % 100},{'2002-10-02T00:00:00Z' if number in bad else stamp},{number},{-number}\n")
    seen: list[int] = []
    spec = ImportSpec("content", "content_id", "event_timestamp")
    report = import_file(store, path, spec, define=True, progress=seen.append, rejects=tmp_path / "rejects")
    assert report == ImportReport(2 * count - 4, 2 * count - 4, 2)
    assert seen == [BATCH_VALUES, 2 * BATCH_VALUES, 2 * count]
    rejected = [json.loads(line)["line"] for line in (tmp_path / "rejects").read_text().splitlines()]
    assert rejected == [number + 2 for number in sorted(bad)]


def test_an_interrupted_import_is_started_again(store: LocalFeatureStore, tmp_path: Path) -> None:
    """What was stored before the interruption stays, and the second run adds exactly the rest."""
    path = tmp_path / "values.csv"
    with path.open("w") as stream:
        stream.write("content_id,event_timestamp,a,b\n")
        stream.writelines(f"c{number},{T},{number},x\n" for number in range(BATCH_VALUES))
    spec = ImportSpec("content", "content_id", "event_timestamp")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_file(store, path, spec, define=True, progress=interrupt, rejects=tmp_path / "rejects")
    assert run(store, path, spec)[0] == ImportReport(2 * BATCH_VALUES, BATCH_VALUES, 0)


@pytest.mark.parametrize("name", WRITERS)
def test_a_column_may_be_event_time_and_known_at_at_once(store: LocalFeatureStore, tmp_path: Path, name: str) -> None:
    """What was known when it happened is imported by naming one column twice; so is a column asked for twice."""
    WRITERS[name](tmp_path / name, rows(label=[1.0, 0.0]))
    spec = ImportSpec("content", "content_id", "event_timestamp", "event_timestamp", ("label", "label"))
    assert run(store, tmp_path / name, spec)[0] == ImportReport(2, 2, 0)
    moment = datetime(2002, 9, 28, tzinfo=UTC)
    table = store.training_read(TrainingRequest("content", ("label",), {}, (("c0", moment), ("c1", moment))))
    assert table.columns["label"] == [1.0, 0.0]


def test_an_old_reject_file_goes_when_all_rows_go_in(store: LocalFeatureStore, tmp_path: Path) -> None:
    """The reject file tells of the last run only."""
    path = tmp_path / "values.csv"
    write_csv(path, rows(score=["1"]))
    path.with_suffix(".rejects").write_text("old\n")
    assert run(store, path) == (ImportReport(1, 1, 0), {})
    assert not path.with_suffix(".rejects").exists()


def test_a_reject_file_that_cannot_be_written_is_told(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A bad row is not lost in silence: without a place for it the import stops with the reason."""
    path = tmp_path / "values.csv"
    write_csv(path, rows(score=["1", "x"]))
    store.define(Definition("score", "content", "number"))
    nowhere = tmp_path / "no" / "such" / "folder"
    with pytest.raises(Rejected, match="reject file"):
        import_file(store, path, SPEC, define=False, progress=lambda _: None, rejects=nowhere)


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("values.xlsx", b"", "format"),
        ("values.parquet.gz", b"", "format"),
        ("values.csv", b"", "is empty"),
        ("values.csv", b"content_id,event_timestamp\n", "no column 'created'"),
        ("values.csv", b"content_id,event_timestamp,created\n", "could be a feature"),
        ("values.csv", b"content_id,event_timestamp,created,a,a\n", "twice"),
        ("values.csv.gz", b"no gzip", "not CSV"),
        ("values.parquet", b"no parquet", "not a Parquet file"),
        ("values.jsonl", b"", "no column"),
        ("values.csv", f"content_id,event_timestamp,created,Bad Name\nc,{T},{T},1\n".encode(), "not a name"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_whole(
    store: LocalFeatureStore, tmp_path: Path, name: str, content: bytes, match: str
) -> None:
    """Before anything is stored, the reason is told."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Rejected, match=match):
        run(store, tmp_path / name)
    assert not store.definitions()


def test_a_file_that_is_not_there_is_refused(store: LocalFeatureStore, tmp_path: Path) -> None:
    """The path is in the reason."""
    for name in WRITERS:
        with pytest.raises(Rejected, match="No such file"):
            run(store, tmp_path / name)


def test_a_truncated_file_tells_up_to_where_it_was_read(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A compressed file that ends in the middle is refused with the last line that could be read."""
    path = tmp_path / "values.csv.gz"
    write_csv(path, rows(score=[str(hash(str(number)) % 10**9) for number in range(5000)]))
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(Rejected, match=r"after line \d+"):
        run(store, path)


def test_what_is_not_defined_or_of_another_entity_is_refused(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Without --define an unknown column stops the import, and so does a feature of another entity."""
    path = tmp_path / "values.csv"
    write_csv(path, rows(score=["1"], karma=["2"]))
    with pytest.raises(Rejected, match="not defined: score, karma"):
        run(store, path, define=False)
    store.define(Definition("karma", "user", "number"))
    with pytest.raises(Rejected, match="'karma' is a feature of 'user'"):
        run(store, path)
    assert [found.name for found in store.definitions()] == ["karma"]


def test_a_line_beyond_measure_is_refused(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A file without line ends is not read into memory."""
    path = tmp_path / "values.jsonl"
    path.write_bytes(b" " * (17 * 1024 * 1024))
    with pytest.raises(Rejected, match="longer than"):
        column_names(path)


def test_rows_can_be_read_without_a_store(tmp_path: Path) -> None:
    """`read_rows` yields writes and rejects in the file's order."""
    path = tmp_path / "values.csv"
    write_csv(path, rows(score=["1", "x", "3"]))
    found = list(read_rows(path, SPEC, {"score": "number"}))
    assert [type(row) is Reject for row in found] == [False, True, False]
    assert [row.line for row in found] == [2, 3, 4]
