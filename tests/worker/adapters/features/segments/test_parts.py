"""The parts that segments are made of: files, order, sweeps and ids, each against the plainest way to do the same."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.adapters.features.embedded.segments import identity
from worker.adapters.features.embedded.segments.archive import Archive, Gone
from worker.adapters.features.embedded.segments.format import PAGE_BYTES, Damaged, File, Writer, sums_of
from worker.adapters.features.embedded.segments.run import segment_part
from worker.adapters.features.embedded.segments.sorting import order_of
from worker.adapters.features.embedded.segments.sweep import sweep
from worker.adapters.features.embedded.segments.writing import Sorted, write_segment
from worker.features.columns import Column, id_array

_EVERYTHING = 2**62
small = st.integers(-3, 3)
times = st.one_of(small, st.sampled_from([-62_135_596_800_000_000, 253_402_300_799_999_999]))


def test_only_the_pages_that_are_touched_are_checked(tmp_path: Path) -> None:
    """A change in one page is found by whoever looks there, and by nobody else."""
    items = 3 * PAGE_BYTES // 8 + 5
    writer = Writer(tmp_path / "x.seg", {"event": ("<i8", items)})
    writer.append("event", np.arange(items // 2))
    writer.append("event", np.arange(items // 2, items))
    writer.finish({"rows": items})
    place = File(tmp_path / "x.seg").places["event"]
    content = bytearray((tmp_path / "x.seg").read_bytes())
    content[place.offset + 2 * PAGE_BYTES + 9] ^= 1
    (tmp_path / "x.seg").write_bytes(content)
    file = File(tmp_path / "x.seg")
    page = PAGE_BYTES // 8
    file.check("event", start=np.array([0, 7]), stop=np.array([2 * page, 7]))
    file.check("event", start=np.array([3 * page]), stop=np.array([items]))
    with pytest.raises(Damaged, match=r"x\.seg is damaged: the column 'event'"):
        file.check("event", start=np.array([2 * page - 1]), stop=np.array([2 * page + 1]))
    with pytest.raises(Damaged):
        file.check("event")
    assert file.verify() == ["event"]


def test_a_file_that_is_not_filled_is_not_finished(tmp_path: Path) -> None:
    """A column that lacks items is a mistake, and nothing stands in the file's place."""
    writer = Writer(tmp_path / "x.seg", {"event": ("<i8", 2)})
    writer.append("event", np.arange(1))
    with pytest.raises(ValueError, match="1 of 2"):
        writer.finish({})
    writer.abandon()
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=40))
@settings(max_examples=60, deadline=None)
def test_a_sum_tells_every_changed_byte(content: bytes) -> None:
    """No single changed byte leaves the sums as they were."""
    held = np.frombuffer(content, np.uint8)
    for at in range(len(content)):
        other = held.copy()
        other[at] ^= 0x80
        assert not np.array_equal(sums_of(held), sums_of(other))


def test_the_archive_says_what_is_gone(tmp_path: Path) -> None:
    """A file that is not there is told by its name; maps are kept while files are listed."""
    archive = Archive(tmp_path)
    with pytest.raises(Gone, match="nope"):
        archive.file("nope")


@given(st.lists(st.tuples(small, times, small, small), max_size=60))
@settings(max_examples=200, deadline=None)
def test_the_order_is_that_of_sorting_by_all_keys(rows: list[tuple[int, int, int, int]]) -> None:
    """With ties, negative and huge times the order is lexicographic, and stable."""
    entity, event, known, sequence = (np.array([row[key] for row in rows], dtype=np.int64) for key in range(4))
    order = order_of(entity, event, known, sequence)
    assert [rows[at] for at in order.tolist()] == sorted(rows)


@given(st.lists(st.lists(st.tuples(st.integers(0, 6), small, small), max_size=30), max_size=4), st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_a_sweep_is_all_values_in_order(parts: list[list[tuple[int, int, int]]], piece_rows: int) -> None:
    """Out of any number of runs, in pieces of any size that share no entity."""
    runs, every, sequence = [], [], 0
    for part in parts:
        rows = []
        for entity, event, known in part:
            sequence += 1
            rows.append((entity, event, known, sequence))
        every += rows
        runs.append(_part(sorted(rows)))
    pieces = list(sweep(runs, piece_rows))
    columns = [(piece.entity, piece.event, piece.known, piece.sequence, piece.value.values) for piece in pieces]
    found = [row for piece in columns for row in zip(*(column.tolist() for column in piece), strict=True)]
    assert found == [(*row, float(row[3])) for row in sorted(every)]
    entities = [set(piece.entity.tolist()) for piece in pieces]
    assert sum(map(len, entities)) == len(set().union(*entities))


def _part(rows: list[tuple[int, ...]]) -> object:
    from worker.adapters.features.embedded.segments.run import Part
    from worker.adapters.features.embedded.segments.values import Held
    from worker.features.join import Run

    keys = [np.array([row[key] for row in rows], dtype=np.int64) for key in range(4)]
    return Part(Run.of(*keys), Held(Column.of("number", [float(row[3]) for row in rows])))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("number", [1.5, None, -0.5]),
        ("string", ["", None, "é💡"]),
        ("boolean", [True, None, False]),
        ("vector", [[1.0, 2.0], None, [3.0]]),
    ],
)
def test_a_segment_holds_every_type_and_null(tmp_path: Path, kind: str, values: list[object]) -> None:
    """What is taken out, in any order, is what went in."""
    archive = Archive(tmp_path / "segments")
    keys = np.arange(3)
    column = Column.of(kind, values)  # type: ignore[arg-type]
    segment = write_segment(archive, 1, Sorted(keys, keys, keys, keys + 1, column))
    part = segment_part(archive.file(segment.name), _EVERYTHING)
    part.run.ranges(keys)
    assert part.values.take(np.array([2, 0, 1, 2])).tolist() == [values[2], values[0], values[1], values[2]]
    assert (segment.rows, segment.entities, segment.max_sequence) == (3, 3, 3)


ids = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), min_size=1, max_size=40)


@given(st.lists(ids, unique=True, max_size=40), st.lists(ids, max_size=10))
@settings(max_examples=100, deadline=None)
def test_ids_are_found_by_their_hashes(
    tmp_path_factory: pytest.TempPathFactory, held: list[str], other: list[str]
) -> None:
    """Each id in the file has its code, and no other has one."""
    path = tmp_path_factory.mktemp("ids") / "x.ids"
    codes = np.arange(len(held)) + 7
    identity.write(path, pa.array(held, pa.large_string()), codes)
    asked = [*other, *held, *other]
    found = identity.search(File(path), id_array(asked), identity.hashes(id_array(asked)))
    known = dict(zip(held, codes.tolist(), strict=True))
    assert found.tolist() == [known.get(one, -1) for one in asked]


def test_equal_hashes_are_told_apart(tmp_path: Path) -> None:
    """Two ids of one hash, as somebody may construct them, have codes of their own."""
    path = tmp_path / "x.ids"
    held = pa.array(["a", "b", "c"], pa.large_string())
    identity.write(path, held, np.array([1, 2, 3]))
    file = File(path)
    file._content = file._content.copy()
    place = file.places["hash"]
    same = np.full(3, 5, np.uint64)
    file._content[place.offset : place.offset + place.size] = same.view(np.uint8)
    sums = file.places["sums:hash"]
    file._content[sums.offset : sums.offset + sums.size] = sums_of(same.view(np.uint8)).view(np.uint8)
    asked = pa.array(["c", "b", "x", "a"], pa.large_string())
    assert identity.search(file, asked, np.full(4, 5, np.uint64)).tolist() == [3, 2, -1, 1]
