"""What only the embedded store promises: processes, kills, threads, and a disk that fails."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from worker.adapters.features.local import FILE_NAME, LocalFeatureStore
from worker.errors import NotFound, Rejected, TryLater
from worker.features.port import Definition, Status, TrainingRequest, Write

ROOT = Path(__file__).parents[4]
HAMMER = Path(__file__).with_name("hammer.py")
NOW = datetime(2021, 1, 1, tzinfo=UTC)


def open_store(directory: Path) -> LocalFeatureStore:
    """Open a store whose clock stands still."""
    return LocalFeatureStore(directory, lambda: NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalFeatureStore]:
    """A store with two features of a thing."""
    opened = open_store(tmp_path)
    for name in ("left", "right"):
        opened.define(Definition(name, "thing", "number"))
    yield opened
    opened.close()


def hammer(directory: Path, number: int, seconds: float, *flags: str) -> subprocess.Popen[str]:
    """Start a process that writes and reads."""
    command = [sys.executable, str(HAMMER), str(directory), str(number), str(seconds), *flags]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def entries(directory: Path) -> int:
    """Count the values in the log."""
    with sqlite3.connect(directory / FILE_NAME) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entry").fetchone()
    connection.close()
    return int(count)


def test_what_is_stored_and_was_read_before_is_read_in_an_instant(store: LocalFeatureStore) -> None:
    """An event loop may read it itself; the first read of a set of names looks up what they are."""
    assert not store.instant(["left", "right"])
    store.read(["a"], ["left", "right"], now=NOW)
    assert store.instant(["left", "right"])


def test_four_processes_write_and_read_at_once(store: LocalFeatureStore, tmp_path: Path) -> None:
    """Nothing is lost, torn or out of order, and no process is told that the database is locked."""
    processes = [hammer(tmp_path, number, 3) for number in range(4)]
    finished = [process.communicate(timeout=60) for process in processes]
    assert [(process.returncode, errors) for process, (_, errors) in zip(processes, finished, strict=True)] == [
        (0, "")
    ] * 4
    counts = [int(output) for output, _ in finished]
    assert min(counts) > 0
    assert entries(tmp_path) == 2 * sum(counts)
    read = store.read([f"e{number}" for number in range(4)], ["left"], now=NOW)
    assert [readings["left"].value for readings in read.values()] == counts


def test_four_processes_open_a_store_that_is_not_there_yet(tmp_path: Path) -> None:
    """Creating the file is safe when all do it at once."""
    program = (
        "import sys, pathlib, datetime; from worker.adapters.features.local import LocalFeatureStore as S;"
        "from worker.features.port import Definition as D;"
        "print(S(pathlib.Path(sys.argv[1]), lambda: None).define(D('x', 'thing', 'number')).version)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "new" / "store")]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(4)]
    assert [process.communicate(timeout=60)[0] for process in processes] == ["1\n"] * 4


@pytest.mark.parametrize("acknowledged", [1, 7, 60])
def test_kill_9_after_an_acknowledged_write_loses_nothing(
    store: LocalFeatureStore, tmp_path: Path, acknowledged: int
) -> None:
    """Every acknowledged write is there after the kill, whole, and the store goes on."""
    process = hammer(tmp_path, 0, 60, "--each")
    assert process.stdout is not None
    last = 0
    for line in process.stdout:
        last = int(line)
        if last >= acknowledged:
            break
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate(timeout=30)
    last = int(rest.split()[-1]) if rest.split() else last
    read = store.read(["e0"], ["left", "right"], now=NOW)["e0"]
    assert read["left"].value == read["right"].value
    assert read["left"].value in {last, last + 1}
    assert entries(tmp_path) == 2 * int(read["left"].value)
    assert store.write([Write("e0", "left", 0.0, NOW)]) == 1


def test_threads_share_a_store(store: LocalFeatureStore, tmp_path: Path) -> None:
    """One store may be used from many threads, and only as many connections stay open as were needed at once."""

    def work(number: int) -> None:
        for count in range(20):
            store.write([Write(f"t{number}", "left", float(count), NOW + timedelta(seconds=count))])
            assert store.read([f"t{number}"], ["left"], now=NOW)[f"t{number}"]["left"].value == count

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert entries(tmp_path) == 120
    assert len(store._database._idle) <= 6


def test_a_forked_child_uses_connections_of_its_own(store: LocalFeatureStore) -> None:
    """A connection that came through a fork is left alone, so that its locks stay the parent's."""
    store.write([Write("c", "left", 1.0, NOW)])
    child = os.fork()
    if child == 0:
        written = store.write([Write("c", "left", 2.0, NOW + timedelta(seconds=1))])
        os._exit(0 if written == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert store.read(["c"], ["left"], now=NOW)["c"]["left"].value == 2.0


def test_an_error_in_the_middle_undoes_the_whole_write(store: LocalFeatureStore, tmp_path: Path) -> None:
    """When the disk fills up in a transaction nothing of it stays, and it is a fault to be tried again later."""
    store.write([Write("c", "left", 1.0, NOW)])
    (connection,) = store._database._idle
    connection.execute("PRAGMA max_page_count = 1")
    many = [Write(f"thing {number}", "left", 1.0, NOW) for number in range(5000)]
    with pytest.raises(TryLater, match="no space left"):
        store.write(many)
    assert entries(tmp_path) == 1
    assert store.write(many) == 5000


def test_a_read_only_store_reads_and_refuses_to_write(store: LocalFeatureStore) -> None:
    """A store that cannot be written says so, and keeps answering online reads."""
    store.write([Write("c", "left", 1.0, NOW)])
    (connection,) = store._database._idle
    connection.execute("PRAGMA query_only = ON")
    assert store.read(["c"], ["left"], now=NOW)["c"]["left"].status is Status.PRESENT
    with pytest.raises(TryLater, match="cannot be written"):
        store.verify()


def test_a_directory_that_cannot_be_is_told(tmp_path: Path) -> None:
    """A path that leads through a file is a fault with its path in it."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TryLater, match="file"):
        open_store(tmp_path / "file" / "store")


@pytest.mark.parametrize("damage", [b"this is no database, it is prose" * 200, b"\xff" * 20000])
def test_a_damaged_file_is_told(tmp_path: Path, damage: bytes) -> None:
    """A file that is something else is a fault that says to put back a copy."""
    (tmp_path / FILE_NAME).write_bytes(damage)
    with pytest.raises(TryLater, match="put back a copy"):
        open_store(tmp_path)


def test_a_store_of_a_newer_version_is_refused(store: LocalFeatureStore, tmp_path: Path) -> None:
    """An older installation does not touch a newer store."""
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(Rejected, match="newer version"):
        open_store(tmp_path)


def test_a_snapshot_whose_values_were_tampered_with_is_refused(store: LocalFeatureStore, tmp_path: Path) -> None:
    """What comes back under a snapshot id is what was read, or an error."""
    store.write([Write("c", "left", 1.0, NOW, NOW)])
    table = store.training_read(TrainingRequest("thing", ("left",), {}, (("c", NOW),)))
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("UPDATE entry SET value = 2.0")
    connection.close()
    with pytest.raises(Rejected, match="have changed"):
        store.reproduce(table.snapshot_id)


def test_a_long_wait_for_the_lock_is_a_fault_to_retry(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A writer that holds the file for too long gives the others a fault with that reason."""
    holder = sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    for connection in store._database._idle:
        connection.execute("PRAGMA busy_timeout = 10")
    with pytest.raises(TryLater, match="another process"):
        store.write([Write("c", "left", 1.0, NOW)])
    assert store.read(["c"], ["left"], now=NOW)["c"]["left"].status is Status.MISSING
    holder.close()


def test_a_definition_that_another_process_changed_holds_at_once(store: LocalFeatureStore, tmp_path: Path) -> None:
    """A value is checked against the definition that holds when it is stored, not the one that was read before."""
    store.read(["c"], ["left"], now=NOW)
    beside = open_store(tmp_path)
    beside.define(Definition("left", "thing", "string"))
    beside.close()
    with pytest.raises(Rejected, match="string"):
        store.write([Write("c", "left", 1.0, NOW)])


def test_nothing_is_kept_of_a_read_that_failed(store: LocalFeatureStore) -> None:
    """A refused training read leaves no snapshot."""
    with pytest.raises(Rejected):
        store.training_read(TrainingRequest("thing", ("nope",), {}, (("c", NOW),)))
    with pytest.raises(NotFound):
        store.reproduce("snap-")
