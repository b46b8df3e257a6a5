import itertools
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from worker.errors import LeaseLost, TryLater
from worker.loops import Loop

DEADLINE_S = 60.0


@pytest.fixture(name="started")
def _started() -> Iterator[Callable[[Loop], Loop]]:
    """Start loops, and end them with the test."""
    loops: list[Loop] = []

    def start(loop: Loop) -> Loop:
        loops.append(loop)
        loop.start()
        return loop

    yield start
    for loop in loops:
        loop.stop()
    for loop in loops:
        loop.join(DEADLINE_S)
        assert not loop.is_alive()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_it_turns_until_stopped(started: Callable[[Loop], Loop]) -> None:
    """A loop turns again and again, at once while there is work, and ends when asked."""
    turns: list[int] = []

    def turn() -> int:
        turns.append(1)
        return int(len(turns) < 100)

    loop = started(Loop("x", turn, idle_s=60))
    _until(lambda: len(turns) == 100)

    assert loop.fault is None
    assert loop.name == "colony-x"


@pytest.mark.parametrize("error", [TryLater("away"), LeaseLost("taken"), ZeroDivisionError("boom")])
def test_a_fault_is_shown_and_passes(started: Callable[[Loop], Loop], error: Exception) -> None:
    """Whatever a turn raises, the loop lives on, tells the fault, and forgets it when it is well again."""
    broken = threading.Event()
    broken.set()
    heard: list[str] = []

    def turn() -> int:
        if broken.is_set():
            raise error
        return 0

    loop = started(Loop("x", turn, idle_s=0.001, failed=heard.append))
    _until(lambda: loop.fault is not None)
    assert str(error) in (loop.fault or "")
    assert heard[0] == "colony-x"

    broken.clear()
    _until(lambda: loop.fault is None)


def test_faults_back_off(started: Callable[[Loop], Loop]) -> None:
    """After each fault it waits twice as long, so that what is away is not hammered."""
    times: list[float] = []

    def turn() -> int:
        times.append(time.monotonic())
        raise TryLater("away")

    started(Loop("x", turn, idle_s=0.02))
    _until(lambda: len(times) >= 4)

    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] >= 0.019
    assert gaps[1] >= 0.039
    assert gaps[2] >= 0.079


def test_stopping_ends_a_rest(started: Callable[[Loop], Loop]) -> None:
    """A loop that rests ends at once when it is stopped."""
    turned = threading.Event()

    def turn() -> int:
        turned.set()
        return 0

    loop = started(Loop("x", turn, idle_s=3600))
    assert turned.wait(DEADLINE_S)
    loop.stop()
    loop.join(DEADLINE_S)

    assert not loop.is_alive()


def test_it_can_be_woken(started: Callable[[Loop], Loop]) -> None:
    """A loop that would rest for an hour turns at once when it is woken, and once more when woken in its turn."""
    turns: list[int] = []
    inside, go_on = threading.Event(), threading.Event()

    def turn() -> int:
        turns.append(1)
        if len(turns) == 2:
            inside.set()
            assert go_on.wait(DEADLINE_S)
        return 0

    loop = started(Loop("sleeper", turn, idle_s=3600))
    _until(lambda: len(turns) == 1 and loop.turning_since is None)

    loop.wake()
    assert inside.wait(DEADLINE_S)
    loop.wake()
    go_on.set()

    _until(lambda: len(turns) == 3)
