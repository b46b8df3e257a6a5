import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

_REPOSITORY = Path(__file__).parents[4]


def do(root: Path, cases: Sequence[dict[str, Any]]) -> Any:
    """Do the cases in processes of their own and return what they came to."""
    root.mkdir()
    command = [sys.executable, "-m", "tests.worker.adapters.engine.killed_workers", str(root)]
    done = subprocess.run(
        command, cwd=_REPOSITORY, input=json.dumps(cases), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(name="calm", scope="module")
def _calm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the run comes to that nobody disturbs, and the number of its state changes."""
    root = tmp_path_factory.mktemp("killed") / "calm"
    [calm] = do(root, [{"name": "calm", "at": 0, "side": "after", "heirs": 0}])
    return dict(calm)


def wrong(case: dict[str, Any], calm: dict[str, Any]) -> str | None:
    """Return how a case differs from the undisturbed run, None if it does not but in a step that was cut."""
    for fact in ("status", "error", "steps", "outputs"):
        if case.get(fact) != calm[fact]:
            return f"{fact}: {case.get(fact)}"
    # On a machine so busy that a living worker misses its lease there is more than one taking over.
    taken = case["epoch"] - calm["epoch"]
    again = Counter(case["trace"]) - Counter(calm["trace"])
    if set(case["trace"]) != set(calm["trace"]) or max(again.values(), default=0) > taken or again.total() > 2 * taken:
        return f"taken over {taken} times, trace: {case['trace']}"
    return None


def test_the_undisturbed_run(calm: dict[str, Any]) -> None:
    """The run has what can go on in a run: a retry, a branch taken and one not, a loop with its list, an exit task."""
    steps = {path: (status, attempt) for path, status, attempt, _ in calm["steps"]}

    assert steps["main/flaky"] == ("succeeded", 2)
    assert (steps["main/if-yes/yes"][0], steps["main/if-no"][0]) == ("succeeded", "skipped")
    assert calm["outputs"]["main/gather"]["parameters"] == {"x": 'gather["work1", "work2"]'}
    assert (calm["status"], steps["exit"], len(calm["trace"])) == ("succeeded", ("succeeded", 1), 8)


def both_ways(cases: Sequence[tuple[Any, str]]) -> list[dict[str, Any]]:
    """Return the cases with one worker that takes the run over, in every third case two at the same time."""
    return [
        {"name": f"case-{number}", "at": at, "side": side, "heirs": 1 + number % 3 // 2}
        for number, (at, side) in enumerate(cases)
    ]


def test_a_worker_killed_at_every_state_change(calm: dict[str, Any], tmp_path: Path) -> None:
    """Killed right before or right after any write of a run, a worker leaves a run that another brings to the same end.

    State, outputs and trace are those of the undisturbed run, but that up to the two steps that were running are done
    twice; no process of the dead worker's is left. In every third case two workers take it at the same time.
    """
    writes = range(1, calm["writes"] + 1)
    done = do(tmp_path / "cases", both_ways([(at, side) for at in writes for side in ("before", "after")]))

    # How many writes a run takes differs by what happens to come together: the last ones of some do not come.
    assert sum(case["epoch"] > calm["epoch"] for case in done) >= len(writes) > 4
    assert {f"{case['side']} {case['at']}": fault for case in done if (fault := wrong(case, calm))} == {}


def test_a_worker_killed_while_any_step_runs(calm: dict[str, Any], tmp_path: Path) -> None:
    """The same when the worker is killed at the first or the last moment of any attempt of any step."""
    done = do(tmp_path / "cases", both_ways([(at, side) for at in calm["trace"] for side in ("begin", "end")]))

    assert len(done) == 16
    assert {f"{case['side']} {case['at']}": fault for case in done if (fault := wrong(case, calm))} == {}
    assert min(case["epoch"] for case in done) > calm["epoch"]
