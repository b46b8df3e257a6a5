"""Maintenance of the embedded store: damage is named, forgetting leaves no trace, retention and backups hold."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.adapters.features.killing import killed_at
from worker.adapters.features.local import FILE_NAME, SEGMENTS, LocalFeatureStore
from worker.clock import VirtualClock
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.features.importing import ImportSpec, import_file
from worker.features.port import Definition, LabelWindow, TrainingRequest, TrainingTable, Write

NOW = datetime(2002, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = ("score", "name", "flag", "place")
SECRET = "Zoë-4711"


def open_store(directory: Path) -> LocalFeatureStore:
    """Open a store."""
    return LocalFeatureStore(directory, VirtualClock(NOW))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """A store with four features, ten entities and five days of values, half of them in segments."""
    opened = open_store(tmp_path / "store")
    for name, kind in zip(NAMES, ("number", "string", "boolean", "vector"), strict=True):
        opened.define(Definition(name, "thing", kind))
    for half in (range(3), range(3, 5)):
        opened.write([write for day in half for number in range(10) for write in values(f"t{number}", day)])
        if half.start == 0:
            opened.care.compact()
    yield opened
    opened.close()


def values(entity: str, day: int) -> list[Write]:
    """Return one of each feature."""
    held = zip(NAMES, (float(day), f"{entity} of day {day}", day % 2 == 0, [float(day), 1.0]), strict=True)
    return [Write(entity, name, value, NOW - (9 - day) * DAY, NOW - (9 - day) * DAY) for name, value in held]


def read(
    store: LocalFeatureStore, entities: Sequence[str] = ("t1", "t2"), names: Sequence[str] = NAMES
) -> TrainingTable:
    """Read at each day."""
    rows = tuple((entity, NOW - day * DAY) for entity in entities for day in range(4, 10))
    return store.training_read(TrainingRequest("thing", tuple(names), {}, rows))


def segment_of(store: LocalFeatureStore, feature: int) -> Path:
    """Return the file of a feature."""
    (path,) = store._archive.directory.glob(f"{feature}-*.seg")
    return path


def flip(path: Path, place: float) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * place)] ^= 0x41
    path.write_bytes(content)


@pytest.mark.parametrize("place", [number / 29 for number in range(29)])
def test_a_flipped_byte_is_named_and_never_answered(store: LocalFeatureStore, tmp_path: Path, place: float) -> None:
    """Wherever it lies, `verify` names feature, file and rows, and a read refuses or is right."""
    right = read(store)
    path = segment_of(store, 1)
    flip(path, place)
    again = open_store(tmp_path / "store")
    losses = again.care.losses()
    (loss,) = losses
    assert (loss.feature, loss.file, loss.rows, loss.entities) == ("score", path.name, 30, 10)
    with pytest.raises(TryLater, match=path.name):
        again.care.compact()
    try:
        assert read(again) == right
    except TryLater as error:
        assert path.name in str(error)  # noqa: PT017 - either may be
    assert read(again, names=NAMES[1:]).columns["name"] == right.columns["name"]
    again.close()


def test_every_byte_of_every_column_is_watched(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A read of all there is refuses a change in any column of values."""
    path = segment_of(store, 2)
    file = store._archive.file(path.name)
    whole = path.read_bytes()
    for name in ("entities", "starts", "event", "known", "sequence", "kind", "offset", "heap"):
        place = file.places[name]
        content = bytearray(whole)
        content[place.offset + place.size // 2] ^= 1
        path.write_bytes(content)
        again = open_store(tmp_path / "store")
        with pytest.raises(TryLater, match=f"{path.name} is damaged: the column '{name}'"):
            read(again, [f"t{number}" for number in range(10)], ("name",))
        again.close()
        path.write_bytes(whole)


def test_a_missing_and_a_cut_off_file_are_named(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A file that is gone, or half gone, is told as such, and the other features are read."""
    gone, cut = segment_of(store, 1), segment_of(store, 3)
    gone.unlink()
    cut.write_bytes(cut.read_bytes()[:100])
    again = open_store(tmp_path / "store")
    assert {loss.feature: loss.problem.split(" ")[-1] for loss in again.care.losses()} == {
        "score": "missing",
        "flag": "else",
    }
    with pytest.raises(TryLater, match=r"is missing; .* put back a copy"):
        read(again)
    assert read(again, names=("name",)).columns["name"][0] == "t1 of day 4"
    again.close()


def test_values_that_went_missing_from_the_log_are_told(store: LocalFeatureStore, tmp_path: Path) -> None:
    """What was kept and is not there is counted per feature."""
    with sqlite3.connect(tmp_path / "store" / FILE_NAME) as connection:
        connection.execute("DELETE FROM entry WHERE feature = 2 AND entity = 3")
    connection.close()
    (loss,) = store.care.losses()
    assert (loss.feature, loss.rows) == ("name", 2)


def test_a_whole_store_has_no_losses_and_its_figures(store: LocalFeatureStore) -> None:
    """Stats count values, entities, segments and what is still in the log."""
    assert store.care.losses() == []
    (flag, *_) = store.care.stats()
    found = (flag.feature, flag.values, flag.entities, flag.segments, flag.in_log, flag.newest_event)
    assert found == ("flag", 50, 10, 1, 20, NOW - 5 * DAY)


class TestForget:
    """Legal deletion."""

    @pytest.mark.parametrize("compacted", [True, False])
    def test_nothing_of_it_is_left_in_any_file(self, store: LocalFeatureStore, tmp_path: Path, compacted: bool) -> None:  # noqa: FBT001
        """Neither id nor value stands in a byte of any file, reads and exports know nothing, the others are whole."""
        store.write([*values(SECRET, 1), *values(SECRET, 3)])
        if compacted:
            store.care.compact()
        store.write([Write(SECRET, "name", "a secret word", NOW)])
        read(store, [SECRET, "t1"])
        before = read(store)
        found = store.care.forget("thing", SECRET)
        assert found.values == 9
        for path in (tmp_path / "store").rglob("*"):
            content = path.read_bytes() if path.is_file() else b""
            assert SECRET.encode() not in content, path
            assert b"a secret word" not in content, path
        assert store.read([SECRET], ["name"], now=NOW)[SECRET]["name"].value is None
        assert read(store) == before
        assert store.care.losses() == []
        for exported in store.care.export([], tmp_path / "out", "jsonl", lambda _: None):
            assert SECRET not in exported.path.read_text()

    def test_snapshots_that_rest_on_it_say_so(self, store: LocalFeatureStore) -> None:
        """Those with its rows, and those that reached it through another's key or a label; the others stand."""
        store.define(Definition("author", "post", "string"))
        store.write([Write("p1", "author", "t1", NOW - 8 * DAY, NOW - 8 * DAY)])
        own, other = read(store), read(store, ["t5"])
        rows = (("p1", NOW - 5 * DAY),)
        joined = store.training_read(TrainingRequest("post", ("score",), {"thing": "author"}, rows))
        window = LabelWindow("score", NOW - 30 * DAY, NOW)
        labelled = store.training_read(TrainingRequest("thing", (), {}, None, window))
        found = store.care.forget("thing", "t1")
        assert set(found.snapshots) == {own.snapshot_id, joined.snapshot_id, labelled.snapshot_id}
        for name in found.snapshots:
            with pytest.raises(Rejected, match="forgotten"):
                store.reproduce(name)
        assert store.reproduce(other.snapshot_id) == other

    def test_it_can_come_back_as_new(self, store: LocalFeatureStore) -> None:
        """An id that was forgotten is one that was never seen."""
        store.care.forget("thing", "t1")
        with pytest.raises(NotFound, match="'t1'"):
            store.care.forget("thing", "t1")
        assert store.write(values("t1", 1)) == 4
        assert store.read(["t1"], ["score"], now=NOW)["t1"]["score"].value == 1.0

    @pytest.mark.parametrize("number", range(0, 40, 3))
    def test_a_kill_leaves_all_or_nothing(self, store: LocalFeatureStore, tmp_path: Path, number: int) -> None:
        """Whenever it is killed, the store is whole, and forgetting again ends it."""
        store.close()
        killed = killed_at(number, lambda: open_store(tmp_path / "store").care.forget("thing", "t1"))
        again = open_store(tmp_path / "store")
        assert again.care.losses() == []
        gone = again.read(["t1"], ["score"], now=NOW)["t1"]["score"].value is None
        if gone:
            again.care.compact()
        else:
            assert killed
            assert again.care.forget("thing", "t1").values == 20
        for path in (tmp_path / "store").rglob("*"):
            assert b"t1 of day" not in (path.read_bytes() if path.is_file() else b""), path
        again.close()


class TestRetention:
    """Old values go, kept reads stay."""

    def test_old_values_go_but_the_newest_and_what_snapshots_need(self, store: LocalFeatureStore) -> None:
        """After it each snapshot reproduces, also twice, and old times have no values any more."""
        old, new = read(store), store.training_read(TrainingRequest("thing", NAMES, {}, (("t3", NOW),)))
        store.write(values("only old", 0))
        store.care.retain(6 * DAY)
        assert store.care.retention() == 6 * DAY
        retained = store.care.compact()
        assert (retained.values, retained.snapshots) == (10 * 4 * 3, 1)
        assert store.reproduce(old.snapshot_id) == old
        assert store.reproduce(new.snapshot_id) == new
        assert read(store).columns["score"][5] is None
        assert store.read(["only old"], ["score"], now=NOW)["only old"]["score"].value == 0.0
        table = store.training_read(TrainingRequest("thing", ("score",), {}, (("only old", NOW),)))
        assert table.columns["score"] == [0.0]
        assert store.care.losses() == []
        assert store.care.compact().values == 0
        store.care.retain(None)
        assert store.care.retention() is None


class TestBackup:
    """A copy while the store is in use."""

    def test_put_back_it_is_the_store_at_one_moment(self, store: LocalFeatureStore, tmp_path: Path) -> None:
        """Taken beside a writer that writes pairs, it has whole pairs and everything from before it."""
        before, stop = read(store), threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                time = NOW - timedelta(seconds=10**5 - number)
                store.write([Write("w", "score", float(number), time), Write("w", "name", str(number), time)])

        writer = threading.Thread(target=write)
        writer.start()
        try:
            store.care.backup(tmp_path / "copy")
        finally:
            stop.set()
            writer.join(60)
        store.close()
        shutil.rmtree(tmp_path / "store")
        shutil.copytree(tmp_path / "copy", tmp_path / "store")
        back = open_store(tmp_path / "store")
        assert back.care.losses() == []
        assert back.reproduce(before.snapshot_id) == before
        score, name = (back.read(["w"], [one], now=NOW)["w"][one].value for one in ("score", "name"))
        assert (score is None and name is None) or str(int(float(str(score)))) == name
        assert back.write(values("t1", 9)) == 4
        back.close()

    def test_it_does_not_write_over_anything(self, store: LocalFeatureStore, tmp_path: Path) -> None:
        """A directory that is there already is left alone."""
        (tmp_path / "copy").mkdir()
        with pytest.raises(Conflict, match="there already"):
            store.care.backup(tmp_path / "copy")


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_an_export_is_imported_again_as_it_was(store: LocalFeatureStore, tmp_path: Path, kind: str) -> None:
    """Into an empty store the files bring every value with both its times, and again they bring nothing."""
    other = open_store(tmp_path / "other")
    for definition in store.definitions():
        other.define(definition)
    for exported in store.care.export([], tmp_path / "out", kind, lambda _: None):
        assert (exported.values, exported.left_out) == (50, 0)
        spec = ImportSpec("thing", "entity_id", "event_time", "known_at")
        for new in (50, 0):
            rejects = tmp_path / "rejects"
            report = import_file(other, exported.path, spec, define=False, progress=lambda _: None, rejects=rejects)
            assert (report.new, report.rejected) == (new, 0)
    assert read(other).columns == read(store).columns
    other.close()


def test_an_export_says_what_its_format_cannot_hold(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A NULL in CSV or Parquet would be no value: it is left out and counted; JSON Lines keeps it."""
    store.write([Write("t1", "score", None, NOW)])
    counts = [
        store.care.export(["score"], tmp_path, kind, lambda _: None)[0].left_out for kind in ("csv", "parquet", "jsonl")
    ]
    assert counts == [1, 1, 0]


def test_strays_of_a_kill_are_cleaned(store: LocalFeatureStore) -> None:
    """Files that no transaction has listed go with the next compaction."""
    stray = store._archive.directory / "1-0000.part"
    stray.write_bytes(b"half")
    store.care.compact()
    assert not stray.exists()
    assert len(list(store._archive.directory.iterdir())) == 5


def test_a_segment_merged_away_under_a_reader_is_no_fault(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A reader that has not opened a file when another process replaces it reads what took its place."""
    reader = open_store(tmp_path / "store")
    expected = read(store)
    stop, errors = threading.Event(), list[BaseException]()

    def reading() -> None:
        try:
            while not stop.is_set():
                reader._archive.forget_maps()
                assert read(reader) == expected
        except BaseException as error:  # noqa: BLE001 - told in the test's thread
            errors.append(error)

    thread = threading.Thread(target=reading)
    thread.start()
    for day in range(5, 9):
        store.write(values("another", day))
        store.care.compact()
    stop.set()
    thread.join(60)
    assert errors == []
    reader.close()


def test_the_log_moves_by_itself(tmp_path: Path) -> None:
    """A store that is written to keeps its log short without being asked."""
    store = open_store(tmp_path)
    store.define(Definition("score", "thing", "number"))
    for batch in range(7):
        writes = [Write(f"t{number % 50}", "score", 1.0, NOW - timedelta(seconds=number)) for number in range(10_000)]
        store.write([Write(one.entity_id, one.feature, float(batch), one.event_time) for one in writes])
    store._upkeep.finish()
    (found,) = store.care.stats()
    assert found.values == 70_000
    assert found.in_log < 70_000
    assert found.segments >= 1
    assert (tmp_path / SEGMENTS).is_dir()
    store.close()
