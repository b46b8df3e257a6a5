import itertools
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.clock import parse_time
from worker.errors import Rejected
from worker.steps.parallel import do_all


def _good(directory: Path) -> Mapping[str, Any]:
    (directory / "made").write_text("here")
    return {"value": 7}


def _meet(directory: Path) -> Mapping[str, Any]:
    """Wait for the other piece: only pieces that run at the same time come to an end."""
    (directory / "here").touch()
    deadline = time.monotonic() + 10
    while len(list(directory.parent.glob("*/here"))) < 2:
        if time.monotonic() > deadline:
            raise TimeoutError("alone")
        time.sleep(0.005)
    return {}


def _rejected(_: Path) -> Mapping[str, Any]:
    raise Rejected("no such thing", field="depth", mend="take another")


def _broken(_: Path) -> Mapping[str, Any]:
    raise ZeroDivisionError("by zero")


def _killed(_: Path) -> Mapping[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _leaves(_: Path) -> Mapping[str, Any]:
    os._exit(3)


def _endless(_: Path) -> Mapping[str, Any]:
    while True:
        time.sleep(1)


def _infinite(_: Path) -> Mapping[str, Any]:
    return {"value": float("inf")}


def test_results_come_in_order(tmp_path: Path) -> None:
    """Each piece's result is in its place, with its times and its CPU seconds, whatever ended first."""
    first, second = do_all([_good, _rejected], tmp_path, parallel=2, timeout_s=20)

    assert (first["status"], first["error"], first["value"]) == ("succeeded", None, 7)
    assert parse_time(first["startedAt"]) <= parse_time(first["endedAt"])
    assert first["cpuSeconds"] >= 0
    assert (second["status"], second["error"]) == ("failed", "depth: no such thing. Take another")
    assert (tmp_path / "0" / "made").read_text() == "here"


def test_pieces_run_at_the_same_time(tmp_path: Path) -> None:
    """Two pieces that wait for each other both end, and their recorded times overlap."""
    one, other = do_all([_meet, _meet], tmp_path, parallel=2, timeout_s=20)

    assert (one["status"], other["status"]) == ("succeeded", "succeeded")
    assert max(one["startedAt"], other["startedAt"]) < min(one["endedAt"], other["endedAt"])


def test_no_more_than_the_bound_at_once(tmp_path: Path) -> None:
    """With a bound of one, the second starts after the first has ended."""
    results = do_all([_good, _good, _good], tmp_path, parallel=1, timeout_s=20)

    for before, after in itertools.pairwise(results):
        assert before["endedAt"] <= after["startedAt"]


def test_whatever_happens_is_that_pieces_result(tmp_path: Path) -> None:
    """An exception, a signal, an exit, a result that is no JSON and a time-out end one piece, and no other."""
    pieces = [_broken, _killed, _leaves, _infinite, _endless, _good]
    results = do_all(pieces, tmp_path, parallel=3, timeout_s=2)

    assert [item["status"] for item in results] == ["failed"] * 5 + ["succeeded"]
    assert results[0]["error"] == "ZeroDivisionError: by zero"
    assert results[1]["error"] == "its process ended by signal 9"
    assert results[2]["error"] == "its process ended with code 3"
    assert "no JSON" in results[3]["error"]
    assert results[4]["error"] == "it took longer than 2 s"


def test_earlier_attempts_results_do_not_count(tmp_path: Path) -> None:
    """What an earlier attempt left in the directory is not taken for this one's result."""
    do_all([_good], tmp_path, parallel=1, timeout_s=20)
    again = do_all([_killed], tmp_path, parallel=1, timeout_s=20)

    assert again[0]["status"] == "failed"
