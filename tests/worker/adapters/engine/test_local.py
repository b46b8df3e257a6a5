import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.adapters.engine.waiting import until
from tests.worker.engine.recipe import Recipe, constant, outer, output
from worker.engine.state import Status
from worker.errors import Rejected, TryLater
from worker.runs.port import Submission


def fan_out(code: str, count: int, *, limit: int = 0) -> Recipe:
    """Return a pipeline that runs a step for each of `count` numbers, and then one over what they gave."""
    recipe = Recipe()
    more: dict[str, Any] = {"iteratorPolicy": {"parallelismLimit": limit}} if limit else {}
    iterator = {"itemInput": "n", "items": {"raw": json.dumps(list(range(count)))}}
    inner = recipe.group("loop", takes={"n": "NUMBER_INTEGER"}, parameterIterator=iterator, **more)
    takes, wired = {"n": "NUMBER_INTEGER"}, {"n": outer("n")}
    recipe.step("w", code, takes=takes, wired=wired, gives={"y": "NUMBER_INTEGER"}, into=inner)
    recipe.collect("loop", "all", "w.y")
    return recipe.step(
        "sum",
        "give('x', str(sum(value('l'))))",
        takes={"l": "LIST"},
        wired={"l": output("loop.all")},
        gives={"x": "NUMBER_INTEGER"},
    )


def test_values_and_artifacts_flow(bench: Bench) -> None:
    """What one step writes the next reads: values by type, artifacts by path, metadata by report."""
    told = {"artifacts": {"m": {"artifacts": [{"metadata": {"f1": 0.9}}]}}}
    report = f"Path(told['outputs']['outputFile']).write_text({json.dumps(told)!r})"
    recipe = Recipe({"n": ("NUMBER_INTEGER", 20)})
    takes, wired = {"n": "NUMBER_INTEGER"}, {"n": outer("n")}
    code = f"give('x', str(value('n') + 1)); path('m').write_text('model'); {report}"
    recipe.step("a", code, takes=takes, wired=wired, gives={"x": "NUMBER_INTEGER"}, writes=["m"])
    recipe.step(
        "b",
        "given = told['inputs']['artifacts']['m']['artifacts'][0]\n"
        "print(value('x'), path('m', 'inputs').read_text(), given['metadata'])",
        takes={"x": "NUMBER_INTEGER"},
        wired={"x": output("a.x")},
        reads={"m": "a.m"},
    )

    state = bench.run(recipe, n=41)

    assert (state.status, state.error) == (Status.SUCCEEDED, None)
    assert bench.steps()["b"].log_tail == "42 model {'f1': 0.9}\n"
    assert [(one["name"], one["metadata"], one["step"]) for one in state.artifacts] == [("m", {"f1": 0.9}, "a")]


def test_fan_out_overlaps(bench: Bench) -> None:
    """The iterations of a loop run at the same time, and what they give is collected in order."""
    code = f"Path(r'{bench.root}', str(value('n'))).touch()\n"
    code += f"while len([p for p in Path(r'{bench.root}').iterdir() if p.name.isdigit()]) < 3: time.sleep(0.005)\n"
    state = bench.run(fan_out(code + "give('y', str(value('n') * 10))", 3))

    steps = [step for step in state.steps if step.step_id.startswith("loop/")]
    latest_start = max(step.started_at for step in steps if step.started_at)
    assert (state.status, [step.step_id for step in steps]) == (Status.SUCCEEDED, ["loop/0/w", "loop/1/w", "loop/2/w"])
    assert all(step.ended_at and latest_start < step.ended_at for step in steps)
    assert bench.journal.records["run-1"]["sum"].outputs["parameters"] == {"x": 30}


@pytest.mark.parametrize(("limit", "max_steps"), [(2, 4), (0, 2)])
def test_bounds(bench: Bench, limit: int, max_steps: int) -> None:
    """No more steps run at a time than the loop's limit, or the engine's own bound, allows."""
    code = f"mine = Path(r'{bench.root}', 'run-' + str(value('n'))); mine.touch()\n"
    # The first two wait for each other, so that two at a time are seen however slow the machine is.
    code += f"here = lambda: len(list(Path(r'{bench.root}').glob('run-*')))\n"
    code += "while value('n') < 2 and here() < 2: time.sleep(0.005)\n"
    code += "give('y', str(here())); time.sleep(0.03); mine.unlink()"
    bench.engine(max_steps=max_steps)
    state = bench.run(fan_out(code, 6, limit=limit))

    seen = [record.outputs["parameters"]["y"] for path, record in bench.journal.records["run-1"].items() if "/" in path]
    assert (state.status, len(seen), max(seen)) == (Status.SUCCEEDED, 6, 2)


def test_retry_succeeds_on_the_second_attempt(bench: Bench) -> None:
    """A step that fails once is tried again in a directory of its own, and the run succeeds."""
    code = (
        f"once = Path(r'{bench.root}', 'once')\nif not once.exists(): once.touch(); sys.exit('not yet')\nprint('done')"
    )
    state = bench.run(Recipe().step("a", code, retry={"maxRetryCount": 2, "backoffDuration": "0s"}))

    step = bench.steps()["a"]
    assert (state.status, step.attempt, step.log_tail) == (Status.SUCCEEDED, 2, "done\n")
    attempts = bench.root / "runs/run-1/steps/a"
    assert [(attempts / n / "log.txt").read_text() for n in ("1", "2")] == ["not yet\n", "done\n"]


def test_retry_has_an_end(bench: Bench) -> None:
    """After the last attempt the step has failed, with the exit code and the last word of its log as the reason."""
    retry = {"maxRetryCount": 1, "backoffDuration": "0s"}
    state = bench.run(Recipe().step("a", "print('why'); sys.exit(3)", retry=retry).step("b", after=["a"]))

    step = bench.steps()["a"]
    assert (state.status, step.attempt, step.error) == (Status.FAILED, 2, "exit code 3: why")
    assert state.error == "step 'a' failed: exit code 3: why"
    assert bench.steps()["b"].status is Status.SKIPPED
    assert bench.journal.records["run-1"]["a"].exit_code == 3


def test_back_off(bench: Bench) -> None:
    """The second attempt waits for its back-off."""
    started = time.monotonic()
    bench.run(Recipe().step("a", "sys.exit(1)", retry={"maxRetryCount": 1, "backoffDuration": "1s"}))

    assert time.monotonic() - started >= 1.0


def test_bad_output(bench: Bench) -> None:
    """A step that succeeds without its declared output, or with one of another type, has failed."""
    recipe = Recipe().step("a", "", gives={"x": "STRING"})
    recipe.step("b", "give('y', 'three')", gives={"y": "NUMBER_INTEGER"})
    bench.run(recipe)

    assert [bench.steps()[name].status for name in "ab"] == [Status.FAILED, Status.FAILED]
    assert "did not write" in str(bench.steps()["a"].error)
    assert "'three' is not of type NUMBER_INTEGER" in str(bench.steps()["b"].error)


def test_environment(bench: Bench) -> None:
    """Steps get the engine's settings and their container's variables."""
    bench.engine(environment={"COLONY_HOME": "data/of/colony", "OVERRIDDEN": "no"})
    recipe = Recipe().step("a", "print(os.environ['COLONY_HOME'], os.environ['OVERRIDDEN'], 'PATH' in os.environ)")
    container = recipe.document["deploymentSpec"]["executors"]["exec-a"]["container"]
    container["env"] = [{"name": "OVERRIDDEN", "value": "yes"}]

    bench.run(recipe)

    assert bench.steps()["a"].log_tail == "data/of/colony yes True\n"


def test_long_log(bench: Bench) -> None:
    """The whole log is kept in a file, its last 4 KiB in the state, cut at a whole character."""
    bench.run(Recipe().step("a", "sys.stdout.write('é' * 1_000_000 + 'end'); os.write(2, b'!\\xff')"))

    tail = bench.steps()["a"].log_tail
    assert (tail[0], tail[-6:], len(tail.encode()) <= 4098) == ("é", "éend!\ufffd"[-6:], True)
    assert (bench.root / "runs/run-1/steps/a/1/log.txt").stat().st_size == 2_000_005


def test_large_parameter(bench: Bench) -> None:
    """A value of megabytes reaches a Python step whole; another program, which it does not fit into, says so."""
    recipe = Recipe().step("a", "give('x', 'v' * 3_000_000)", gives={"x": "STRING"})
    takes, wired = {"x": "STRING"}, {"x": output("a.x")}
    recipe.step("b", "print(len(value('x')), __name__, sys.argv[0]); sys.exit('done')", takes=takes, wired=wired)
    recipe.step("c", takes=takes, wired=wired)
    recipe.document["deploymentSpec"]["executors"]["exec-c"]["container"]["command"] = ["echo"]
    state = bench.run(recipe)

    assert len(bench.journal.records["run-1"]["a"].outputs["parameters"]["x"]) == 3_000_000
    assert state.status is Status.FAILED
    assert bench.steps()["b"].log_tail == "3000000 __main__ -c\ndone\n"
    assert "Argument list too long" in str(bench.steps()["c"].error)


def test_conditional_pipeline(bench: Bench) -> None:
    """Of two branches the one whose condition holds runs; the other is skipped, and says why."""
    recipe = Recipe().step("judge", "give('v', 'better')", gives={"v": "STRING"})
    for name, sign in (("yes", "=="), ("no", "!=")):
        trigger = {"condition": f"inputs.parameter_values['v'] {sign} 'better'"}
        inner = recipe.group(f"if-{name}", takes={"v": "STRING"}, wired={"v": output("judge.v")}, triggerPolicy=trigger)
        recipe.step(name, into=inner)
    state = bench.run(recipe)

    states = {step.step_id: step.status for step in state.steps}
    assert (state.status, states["if-yes/yes"], states["if-no"]) == (Status.SUCCEEDED, Status.SUCCEEDED, Status.SKIPPED)


def test_refused_at_submit(bench: Bench) -> None:
    """What cannot be executed leaves no run: an unknown field, a wrong parameter, a program that is not here."""
    engine = bench.engine()
    good = Recipe({"n": "NUMBER_INTEGER"}).step("a").document
    foreign = Recipe().step("a").document
    foreign["deploymentSpec"]["executors"]["exec-a"]["container"]["command"] = ["/no/such/program"]
    for document, parameters, field in (
        ({**good, "surprise": 1}, {"n": 1}, "surprise"),
        (good, {"n": "one"}, "parameters.n"),
        (foreign, {}, "deploymentSpec.executors.exec-a.container.command.0"),
    ):
        with pytest.raises(Rejected) as caught:
            engine.submit(Submission("run-1", document, parameters, str(bench.root), {}))
        assert caught.value.field == field

    assert bench.journal.jobs == {}


def test_unwritable_root(bench: Bench) -> None:
    """A directory that cannot be made is told at submit as something that may pass, with its cause."""
    (bench.root / "runs").write_text("a file is in the way")

    with pytest.raises(TryLater, match=r"Not a directory|File exists"):
        bench.submit(Recipe().step("a"))
    (bench.root / "runs").unlink()
    assert bench.run(Recipe().step("a")).status is Status.SUCCEEDED


def test_root_lost_while_running(bench: Bench) -> None:
    """A directory that becomes unusable later fails the run with a clear reason."""
    code = f"Path(r'{bench.root}/runs/run-1/steps/b').write_text('in the way')"
    state = bench.run(Recipe().step("a", code).step("b", after=["a"]))

    assert state.status is Status.FAILED
    assert "cannot write to" in str(state.error)


def test_idle(bench: Bench) -> None:
    """An engine with nothing to do asks the journal a few times a second, and uses next to no processor time."""
    bench.engine()
    bench.journal.calls = 0
    used, begun = time.process_time(), time.monotonic()
    until(lambda: time.monotonic() - begun, lambda passed: passed > 1.0)

    calls, used = bench.journal.calls, time.process_time() - used
    # On a busy machine this thread may have slept for longer than it asked.
    passed = time.monotonic() - begun
    assert calls <= 8 * passed
    assert used < 0.5 * passed


def test_many_runs(bench: Bench) -> None:
    """More runs than are led at a time all come to their end."""
    bench.engine(max_runs=2, max_steps=2)
    names = [bench.submit(Recipe().step("a").step("b", after=["a"]), f"run-{n}") for n in range(6)]

    assert {bench.ended(name).status for name in names} == {Status.SUCCEEDED}


def test_steps_of_our_own_run_preloaded(bench: Bench) -> None:
    """Our own step module runs inside a process that has it loaded, with its arguments and its exit code."""
    recipe = Recipe().step("a").step("b", after=["a"])
    for key, arguments in (("a", ["--help"]), ("b", ["no_such_step", "--executor-input", "{{$}}"])):
        container = recipe.document["deploymentSpec"]["executors"][f"exec-{key}"]["container"]
        container.update(command=["python", "-m", "worker.steps"], args=arguments)
    recipe.tasks["b"]["retryPolicy"] = {"maxRetryCount": 5}
    bench.engine(preload=("worker.steps.__main__",))
    bench.run(recipe)

    a, b = bench.steps()["a"], bench.steps()["b"]
    assert (a.status, a.log_tail.partition(" [")[0]) == (Status.SUCCEEDED, "usage: python -m worker.steps")
    assert (b.status, b.attempt, "no_such_step" in str(b.error)) == (Status.FAILED, 1, True)


def test_constant_struct(bench: Bench, tmp_path: Path) -> None:
    """Whole numbers in a compiled struct reach the step as integers."""
    wired = {"c": constant({"depth": 3.0, "rate": 0.5})}
    bench.run(Recipe().step("a", "print(value('c'))", takes={"c": "STRUCT"}, wired=wired))

    assert bench.steps()["a"].log_tail == "{'depth': 3, 'rate': 0.5}\n"
