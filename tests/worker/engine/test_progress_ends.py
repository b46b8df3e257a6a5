"""What runs whatever came before, what a cancellation leaves, and DAGs that are tried again."""

from typing import Any

import pytest

from tests.worker.engine.recipe import Recipe
from tests.worker.engine.test_progress import Run
from worker.engine.plan import Progress
from worker.engine.port import TaskRecord
from worker.engine.progress import evaluate, retries
from worker.engine.state import Status

ALWAYS = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}


def with_exit() -> Run:
    """Return a run of a group (a, then b), an exit task, and a step after the exit task."""
    recipe = Recipe()
    inner = recipe.group("main")
    recipe.step("a", into=inner).step("b", after=["a"], into=inner)
    recipe.step("end", takes={"s": ("TASK_FINAL_STATUS", {})}, after=["main"]).step("last", after=["end"])
    recipe.tasks["end"]["inputs"] = {"parameters": {"s": {"taskFinalStatus": {"producerTask": "main"}}}}
    recipe.tasks["end"]["triggerPolicy"] = ALWAYS
    return Run(recipe)


def cancelled(run: Run) -> Progress:
    """Return the progress of a run that is being cancelled."""
    return evaluate(run.graph, run.parameters, run.records, cancelling=True)


def states(progress: Progress) -> dict[str, str]:
    """Return each leaf's state."""
    return {leaf.path: str(leaf.status) for leaf in progress.leaves}


@pytest.mark.parametrize(
    ("status", "told"),
    [(Status.SUCCEEDED, {"state": "SUCCEEDED"}), (Status.FAILED, {"state": "FAILED"})],
)
def test_the_exit_task_is_told(status: Status, told: dict[str, Any]) -> None:
    """An exit task begins once its group has ended, and gets the group's state, its error and its name."""
    run = with_exit()
    assert run.ready() == ["main/a"]
    run.end("main/a", status)
    if status is Status.SUCCEEDED:
        assert run.ready() == ["main/b"]
        run.end("main/b")

    assert run.ready() == ["end"]
    final = run.given("end")["s"]
    assert {"state": final["state"]} == told
    assert final["pipelineTaskName"] == "main"
    assert final.get("error", {}).get("message") == (None if status is Status.SUCCEEDED else "broke")


def test_cancelling() -> None:
    """What runs goes on until it is ended, nothing more begins but the exit task, and then the run is cancelled."""
    run = with_exit()
    run.records["main/a"] = TaskRecord("main/a", Status.RUNNING)
    before = cancelled(run)
    assert (before.status, before.launches) == (Status.RUNNING, ())
    assert states(before) == {"main/a": "running", "main/b": "cancelled", "end": "pending", "last": "cancelled"}

    run.end("main/a", Status.CANCELLED)
    ending = cancelled(run)
    assert [(launch.path, launch.sheltered) for launch in ending.launches] == [("end", True)]
    assert ending.launches[0].bound.parameters["s"]["state"] == "CANCELLED"
    run.end("end")
    assert cancelled(run).status is Status.CANCELLED
    assert states(cancelled(run))["last"] == "cancelled"


def test_cancelled_when_all_was_done() -> None:
    """A cancellation that comes after the last step changes nothing."""
    run = with_exit()
    for path in ("main/a", "main/b", "end", "last"):
        run.end(path)

    assert cancelled(run).status is Status.SUCCEEDED


def group_with_retries(count: int) -> Run:
    """Return a run of a group (a and b) that may be tried again, and a step after it."""
    recipe = Recipe()
    policy = {"maxRetryCount": count, "backoffDuration": "10s", "backoffMaxDuration": "15s"}
    inner = recipe.group("g", retryPolicy=policy)
    recipe.step("a", into=inner, retry={"maxRetryCount": 4}).step("b", into=inner)
    return Run(recipe.step("z", after=["g"]))


def test_a_dag_is_tried_again() -> None:
    """A DAG is tried again once all of it has ended, after a back-off with a cap, all of its steps anew."""
    run = group_with_retries(2)
    run.end("g/a", Status.FAILED)
    assert (run.now().again, run.ready()) == ((), ["g/b"])
    run.end("g/b")
    (again,) = run.now().again
    assert (again.path, again.attempt, again.wait_s, run.now().status) == ("g", 2, 10.0, Status.RUNNING)

    run.records["g"] = TaskRecord("g", Status.PENDING, 2)
    assert run.ready() == ["g~2/a", "g~2/b"]
    run.end("g~2/a", Status.FAILED)
    run.end("g~2/b")
    assert run.now().again[0].wait_s == 15.0
    run.records["g"] = TaskRecord("g", Status.PENDING, 3)
    run.end("g~3/a")
    run.end("g~3/b")
    assert run.ready() == ["z"]
    assert retries(run.graph, "g~3/a") == 4


def test_a_dag_fails_in_the_end() -> None:
    """After its last attempt a DAG has failed; a cancelled one is not tried again."""
    run = group_with_retries(1)
    for path in ("g/a", "g/b"):
        run.end(path, Status.FAILED)
    assert (cancelled(run).again, cancelled(run).status) == ((), Status.CANCELLED)
    run.records["g"] = TaskRecord("g", Status.PENDING, 2)
    for path in ("g~2/a", "g~2/b"):
        run.end(path, Status.FAILED)

    assert (run.now().again, run.now().status) == ((), Status.FAILED)
    assert "'g~2/a' failed" in str(run.now().error)


def fast(run: Run) -> Progress:
    """Return the progress of a run that fails fast."""
    return evaluate(run.graph, run.parameters, run.records, fail_fast=True)


def test_failing_fast() -> None:
    """After a failure what runs, or is to be tried again, goes on; nothing more begins but what runs always."""
    recipe = Recipe().step("a").step("b").step("c").step("d", after=["b"]).step("e", after=["b"])
    recipe.tasks["e"]["triggerPolicy"] = ALWAYS
    run = Run(recipe)
    run.end("a", Status.FAILED)
    run.records["b"] = TaskRecord("b", Status.PENDING, 2)
    stopping = fast(run)
    assert [launch.path for launch in stopping.launches] == ["b"]
    assert states(stopping) == {"a": "failed", "b": "pending", "c": "skipped", "d": "skipped", "e": "pending"}

    run.end("b")
    run.end("d", Status.SKIPPED)
    assert [launch.path for launch in fast(run).launches] == ["e"]
    run.end("e")
    assert fast(run).status is Status.FAILED


def test_a_dag_that_is_tried_again_has_not_failed() -> None:
    """A DAG with attempts left does not stop a run that fails fast; its last attempt does."""
    run = group_with_retries(1)
    run.end("g/a", Status.FAILED)
    run.end("g/b")
    assert (len(fast(run).again), fast(run).status) == (1, Status.RUNNING)

    run.records["g"] = TaskRecord("g", Status.PENDING, 2)
    run.end("g~2/a", Status.FAILED)
    assert (states(fast(run))["g~2/b"], fast(run).status) == ("skipped", Status.FAILED)
