"""Does independent pieces of work at the same time, each in a process of its own, so that one which dies is alone."""

import multiprocessing
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing.connection import wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

from worker.clock import to_text
from worker.errors import ColonyError
from worker.steps.files import read_json, write_json

_RESULT = "result.json"
#: What a piece of work does: it may write into its directory, and returns JSON values.
Work = Callable[[Path], Mapping[str, Any]]
# Forked, since the libraries are loaded and each child computes on one thread, so that no pool is inherited.
_CONTEXT = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class _Running:
    number: int
    process: ForkProcess
    started: datetime
    deadline: float


def do_all(pieces: Sequence[Work], directory: Path, *, parallel: int, timeout_s: float) -> list[dict[str, Any]]:
    """Do every piece and return one result for each, in order.

    Args:
        pieces: the work; each gets the directory `directory/NUMBER`.
        directory: where they write.
        parallel: how many run at the same time.
        timeout_s: after how long one is ended.

    Returns:
        `{status: succeeded | failed, error, startedAt, endedAt, cpuSeconds, …}`; whatever happens to a piece, an
        exception, a signal, too much memory, is its result.
    """
    results: dict[int, dict[str, Any]] = {}
    waiting = list(enumerate(pieces))
    running: list[_Running] = []
    try:
        while waiting or running:
            while waiting and len(running) < parallel:
                number, work = waiting.pop(0)
                running.append(_started(number, work, directory / str(number), timeout_s))
            wait([item.process.sentinel for item in running], timeout=_left(running))
            for item in [item for item in running if _over(item)]:
                running.remove(item)
                results[item.number] = _ended(item, directory / str(item.number), timeout_s)
    finally:
        for item in running:
            item.process.kill()
            item.process.join()
    return [results[number] for number in range(len(pieces))]


def _started(number: int, work: Work, directory: Path, timeout_s: float) -> _Running:
    directory.mkdir(parents=True, exist_ok=True)
    # What an earlier attempt at this step left must not be taken for this one's.
    (directory / _RESULT).unlink(missing_ok=True)
    process = _CONTEXT.Process(target=_do, args=(work, directory))
    process.start()
    return _Running(number, process, datetime.now(UTC), time.monotonic() + timeout_s)


def _left(running: Sequence[_Running]) -> float:
    return max(0.0, min(item.deadline for item in running) - time.monotonic())


def _over(item: _Running) -> bool:
    return not item.process.is_alive() or time.monotonic() >= item.deadline


def _ended(item: _Running, directory: Path, timeout_s: float) -> dict[str, Any]:
    late = item.process.is_alive()
    if late:
        item.process.kill()
    item.process.join()
    code = item.process.exitcode or 0
    if not late and (directory / _RESULT).exists():
        return read_json(directory / _RESULT)
    how = f"by signal {-code}" if code < 0 else f"with code {code}"
    error = f"it took longer than {timeout_s:g} s" if late else f"its process ended {how}"
    times = {"startedAt": to_text(item.started), "endedAt": to_text(datetime.now(UTC))}
    return {"status": "failed", "error": error, "cpuSeconds": None, **times}


def _do(work: Work, directory: Path) -> None:
    """Work, in the child."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

    started = datetime.now(UTC)
    result: dict[str, Any]
    try:
        with threadpool_limits(limits=1):
            result = {"status": "succeeded", "error": None, **work(directory)}
    except ColonyError as error:
        result = {"status": "failed", "error": str(error)}
    except Exception as error:  # noqa: BLE001 - whatever happens to one piece is its own result
        traceback.print_exc()
        result = {"status": "failed", "error": f"{type(error).__name__}: {error}"}
    times: dict[str, Any] = {"startedAt": to_text(started), "endedAt": to_text(datetime.now(UTC))}
    times["cpuSeconds"] = round(time.process_time(), 3)
    try:
        write_json(directory / _RESULT, result | times)
    except (TypeError, ValueError) as error:
        write_json(directory / _RESULT, {"status": "failed", "error": f"its result is no JSON: {error}"} | times)
