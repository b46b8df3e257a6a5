from collections.abc import Callable
from pathlib import Path

import pytest

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.journal import SqlJournal
from worker.adapters.ledger.tables import metadata
from worker.engine.state import Status
from worker.errors import TryLater

Mount = Callable[[str], Path]
#: Fills the disk to the last byte.
FILL = """
with open(FILLER, "wb", buffering=0) as file:
    size = 65536
    while size:
        try: file.write(b"x" * size)
        except OSError: size //= 2
"""


def filling(disk: Path) -> str:
    """Return code that fills a disk."""
    return FILL.replace("FILLER", repr(str(disk / "filler")))


@pytest.fixture(name="disk")
def _disk(bench: Bench, small_disk: Mount) -> Path:
    """Let the bench's runs lie on a disk of 4 MB."""
    bench.root = small_disk("size=4m")
    return bench.root


@pytest.mark.parametrize(
    "then", ["print('x' * 100_000)", "give('x', 'v' * 100_000)", "path('m').write_text('v' * 100_000)"]
)
def test_a_step_that_fills_the_disk(bench: Bench, disk: Path, then: str) -> None:
    """Whatever a step cannot write on a full disk, the run fails and says so; with room again the next run works."""
    recipe = Recipe().step("a", filling(disk) + then, gives={"x": "STRING"}, writes=["m"])
    state = bench.run(recipe)

    said = f"the disk of {disk}/runs/run-1/steps/a/1 is full"
    assert (state.status, bench.steps()["a"].status) == (Status.FAILED, Status.FAILED)
    assert said in str(bench.steps()["a"].error)
    assert said in str(state.error)
    (disk / "filler").unlink()
    bench.submit(Recipe().step("a"), "run-2")
    assert bench.ended("run-2").status is Status.SUCCEEDED


def test_no_room_for_the_next_step(bench: Bench, disk: Path) -> None:
    """A step that cannot even begin on a full disk fails with that as its reason, and what does not need it goes on."""
    state = bench.run(Recipe().step("a", filling(disk)).step("b", after=["a"]))

    assert (state.status, bench.steps()["a"].status) == (Status.FAILED, Status.SUCCEEDED)
    assert "No space left on device" in str(state.error) or "is full" in str(state.error)


def test_no_room_for_a_run(bench: Bench, disk: Path) -> None:
    """A run that is submitted while the disk is full is refused for now, and leaves nothing; later it works."""
    bench.run(Recipe().step("a", filling(disk)))

    with pytest.raises(TryLater, match="No space left on device"):
        bench.submit(Recipe().step("a"), "run-2")
    assert set(bench.journal.jobs) == {"run-1"}
    (disk / "filler").unlink()
    bench.submit(Recipe().step("a"), "run-2")
    assert bench.ended("run-2").status is Status.SUCCEEDED


def test_a_retry_once_there_is_room(bench: Bench, disk: Path) -> None:
    """A step with retries that failed for want of room succeeds once there is room again."""
    go = disk.parent / "go"
    code = f"if Path(r'{go}').exists(): print('room'); sys.exit()\n{filling(disk)}sys.exit(1)"
    bench.submit(Recipe().step("a", code, retry={"maxRetryCount": 1000, "backoffDuration": "0.05s"}))
    until(lambda: bench.steps()["a"].attempt, lambda attempt: attempt > 2)
    assert "is full" in str(bench.steps()["a"].error)

    go.touch()

    def look() -> bool:
        (disk / "filler").unlink(missing_ok=True)
        return bench.state().status.ended

    until(look)
    assert (bench.state().status, bench.steps()["a"].log_tail) == (Status.SUCCEEDED, "room\n")


def test_a_ledger_on_a_full_disk(bench: Bench, disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    """While the ledger cannot be written nothing goes on, and it is said; with room again the run ends as it would."""
    url = f"sqlite:///{disk}/ledger.db"
    database = Database(url)
    metadata.create_all(database.engine)
    bench.journal = SqlJournal(database)  # type: ignore[assignment]
    bench.root = disk.parent
    code = filling(disk) + f"Path(r'{disk.parent}/filled').touch(); give('x', 'done' * 10_000)"
    trace = f"open(r'{disk.parent}/trace', 'a').write('b')"
    bench.submit(Recipe().step("a", code, gives={"x": "STRING"}).step("b", trace, after=["a"]))
    until((bench.root / "filled").exists)

    until(lambda: "the disk is full" in caplog.text)
    assert not bench.state().status.ended
    assert not (bench.root / "trace").exists()
    (disk / "filler").unlink()

    assert bench.ended().status is Status.SUCCEEDED
    assert (bench.root / "trace").read_text() == "b"
    database.close()
