import signal

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe
from worker.engine.state import Status


def test_too_long(bench: Bench) -> None:
    """A step that takes longer than it may fails alone, with that as its reason, though it ends well when told to."""
    bench.engine(step_timeout_s=3.0)
    polite = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); time.sleep(600)"
    bench.run(Recipe().step("a", polite).step("b", "print('fine')"))

    assert (bench.steps()["a"].status, bench.steps()["a"].error) == (Status.FAILED, "took longer than 3 s")
    assert bench.steps()["b"].status is Status.SUCCEEDED


def test_too_long_and_deaf(bench: Bench) -> None:
    """A step that takes too long and ignores TERM is killed after the grace; each attempt has the whole time."""
    bench.engine(step_timeout_s=2.0, cancel_grace_s=0.1)
    deaf = "signal.signal(signal.SIGTERM, lambda *_: os.write(1, b'heard'))\nwhile True: time.sleep(600)"
    bench.run(Recipe().step("a", deaf, retry={"maxRetryCount": 1, "backoffDuration": "0s"}))

    step = bench.steps()["a"]
    assert (step.status, step.attempt, step.error) == (Status.FAILED, 2, "took longer than 2 s")
    assert bench.journal.records["run-1"]["a"].exit_code == -signal.SIGKILL
    attempts = bench.root / "runs/run-1/steps/a"
    assert [(attempts / n / "log.txt").read_text() for n in ("1", "2")] == ["heard", "heard"]


def exit_handler(bench: Bench, code: str, exit_code: str) -> Recipe:
    """Return a pipeline whose exit task runs `exit_code`."""
    recipe = Recipe()
    inner = recipe.group("main")
    recipe.step("a", f"Path(r'{bench.root}/began').touch()\n{code}", into=inner)
    recipe.step("end", exit_code, takes={"s": ("TASK_FINAL_STATUS", {})}, after=["main"])
    recipe.tasks["end"]["inputs"] = {"parameters": {"s": {"taskFinalStatus": {"producerTask": "main"}}}}
    recipe.tasks["end"]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    return recipe


def test_cancel_spares_the_exit_task(bench: Bench) -> None:
    """A cancelled run's exit task runs to its end, is told of the cancellation, and may be tried again."""
    once = f"p = Path(r'{bench.root}/once')\nif not p.exists(): p.touch(); sys.exit('not yet')\n"
    recipe = exit_handler(bench, "time.sleep(600)", once + "time.sleep(0.7); print(value('s')['state'])")
    recipe.tasks["end"]["retryPolicy"] = {"maxRetryCount": 1, "backoffDuration": "0s"}
    bench.submit(recipe)
    until((bench.root / "began").exists)
    bench.engines[0].cancel("run-1")

    assert bench.ended().status is Status.CANCELLED
    steps = bench.steps()
    assert (steps["main/a"].status, steps["end"].status, steps["end"].attempt) == (
        Status.CANCELLED,
        Status.SUCCEEDED,
        2,
    )
    assert steps["end"].log_tail == "CANCELLED\n"


def test_handed_over_while_cancelling(bench: Bench) -> None:
    """A worker that stops during a cancelled run's exit task leaves it to the next one, which runs it again."""
    wait = f"Path(r'{bench.root}/ending').touch()\nwhile not Path(r'{bench.root}/go').exists(): time.sleep(0.005)\n"
    bench.submit(exit_handler(bench, "time.sleep(600)", wait))
    until((bench.root / "began").exists)
    bench.engines[0].cancel("run-1")
    until((bench.root / "ending").exists)
    bench.engines[0].close(grace_s=0.1)
    (bench.root / "go").touch()
    bench.engine()

    assert bench.ended().status is Status.CANCELLED
    assert (bench.steps()["main/a"].status, bench.steps()["end"].status) == (Status.CANCELLED, Status.SUCCEEDED)
