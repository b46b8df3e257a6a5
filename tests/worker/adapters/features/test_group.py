"""Callers that wait at the same time share one piece of work."""

import os
import threading
import time
from collections.abc import Callable, Sequence

import pytest

from worker.adapters.features.embedded.group import Group, Ticket

Tickets = Sequence[Ticket[int, int]]


class Bench:
    """Work that can be held up, and remembers which calls it did together."""

    def __init__(self) -> None:
        """Work at once until told otherwise."""
        self.batches: list[list[int]] = []
        self.may_go = threading.Event()
        self.may_go.set()
        self.began = threading.Event()

    def work(self, tickets: Tickets) -> None:
        """Answer each call with its double; negative ones are refused."""
        self.began.set()
        assert self.may_go.wait(30)
        self.batches.append([ticket.call for ticket in tickets])
        for ticket in tickets:
            if ticket.call < 0:
                ticket.error = ValueError(str(ticket.call))
            else:
                ticket.answer = 2 * ticket.call


def started(group: Group[int, int], calls: Sequence[int], told: dict[int, object]) -> list[threading.Thread]:
    """Call from a thread each; what comes back, or is raised, is kept by call."""

    def call(number: int) -> None:
        try:
            told[number] = group.call(number)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            told[number] = error

    threads = [threading.Thread(target=call, args=(number,)) for number in calls]
    for thread in threads:
        thread.start()
    return threads


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_those_who_come_meanwhile_are_done_together() -> None:
    """While one works the others gather, and are done at once, each with its own answer."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work)
    bench.may_go.clear()
    threads = started(group, [1], told)
    assert bench.began.wait(30)
    threads += started(group, [2, 3, 4], told)
    eventually(lambda: len(group._waiting) == 3)
    bench.may_go.set()
    for thread in threads:
        thread.join(30)
    assert told == {1: 2, 2: 4, 3: 6, 4: 8}
    assert [sorted(batch) for batch in bench.batches] == [[1], [2, 3, 4]]


def test_the_error_of_one_is_not_the_others() -> None:
    """A refused call raises for its own caller only."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work)
    bench.may_go.clear()
    threads = started(group, [1], told)
    assert bench.began.wait(30)
    threads += started(group, [2, -3], told)
    eventually(lambda: len(group._waiting) == 2)
    bench.may_go.set()
    for thread in threads:
        thread.join(30)
    assert (told[1], told[2]) == (2, 4)
    assert isinstance(told[-3], ValueError)


def test_what_the_work_raises_is_everyones_error_and_the_next_go_on() -> None:
    """A fault of the common work reaches each who waited for it, and the group works again afterwards."""

    def fail(_: Tickets) -> None:
        raise OSError("the disk is gone")

    group = Group(fail)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            group.call(1)


def test_a_group_is_not_larger_than_its_limit() -> None:
    """Calls are sized, and a single one may be larger than the limit."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work, size=lambda call: call, limit=5)
    bench.may_go.clear()
    threads = started(group, [9], told)
    assert bench.began.wait(30)
    threads += started(group, [3, 2, 4], told)
    eventually(lambda: len(group._waiting) == 3)
    bench.may_go.set()
    for thread in threads:
        thread.join(30)
    assert all(sum(batch) <= 5 for batch in bench.batches[1:])
    assert told == {9: 18, 3: 6, 2: 4, 4: 8}


def test_many_threads_lose_nothing() -> None:
    """Each of many calls from many threads is done exactly once."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work)

    def calls(first: int) -> None:
        for number in range(first, first + 200):
            told[number] = group.call(number)

    threads = [threading.Thread(target=calls, args=(first,)) for first in range(0, 1600, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert told == {number: 2 * number for number in range(1600)}
    assert sorted(call for batch in bench.batches for call in batch) == list(range(1600))


def test_a_caller_that_is_interrupted_leaves_the_turn_to_the_next() -> None:
    """An interrupted wait takes its call along, and hands the lead over if it was its own."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work)
    leaving: Ticket[int, int] = Ticket(7)
    following: Ticket[int, int] = Ticket(8)
    leaving.leads = True
    group._busy = True
    group._waiting = [leaving, following]

    class Interrupted:
        def acquire(self) -> None:
            raise KeyboardInterrupt

    leaving.woken = Interrupted()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt):
        group._wait(leaving)
    assert following.leads
    assert group._waiting == [following]
    group._wait(following)
    group._lead()
    assert following.answer == 16
    assert told == {}


def test_a_forked_child_does_not_wait_for_a_leader_that_stayed_behind() -> None:
    """A fork in the middle of the parent's work leaves the child free to work itself."""
    bench, told = Bench(), dict[int, object]()
    group = Group(bench.work)
    bench.may_go.clear()
    threads = started(group, [1], told)
    assert bench.began.wait(30)
    child = os.fork()
    if child == 0:
        bench.may_go.set()
        os._exit(0 if group.call(5) == 10 else 1)
    assert os.waitpid(child, 0)[1] == 0
    bench.may_go.set()
    threads[0].join(30)
    assert told == {1: 2}
