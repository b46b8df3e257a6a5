import shutil
from typing import Any

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.engine.recipe import Recipe, outer
from worker.engine.state import Status


def recipe(bench: Bench, *, enabled: bool = True, name: str = "cached", code: str = "", **more: Any) -> Recipe:
    """Return a pipeline of two steps, each of which leaves a line in a file when it really runs."""
    made = Recipe({"n": ("NUMBER_INTEGER", 1)})
    mark = f"open(r'{bench.root}/ran', 'a').write('%s')\n"
    takes, wired = {"n": "NUMBER_INTEGER"}, {"n": outer("n")}
    first = mark % "a" + "give('x', str(value('n'))); path('m').write_text('made')\n" + code
    made.step("a", first, takes=takes, wired=wired, gives={"x": "NUMBER_INTEGER"}, writes=["m"])
    made.step("b", mark % "b" + "print(path('m', 'inputs').read_text())", reads={"m": "a.m"})
    made.document["pipelineInfo"]["name"] = name
    for task in made.tasks.values():
        task["cachingOptions"] = {"enableCache": enabled, **more} if enabled else {}
    return made


def ran(bench: Bench, run_id: str, made: Recipe, **parameters: Any) -> str:
    """Run a pipeline and return which of its steps really ran."""
    file = bench.root / "ran"
    file.write_text("")
    bench.submit(made, run_id, **parameters)
    assert bench.ended(run_id).status is Status.SUCCEEDED
    return file.read_text()


def test_the_same_again(bench: Bench) -> None:
    """A step that asks for it takes the outputs of one that did the same in an earlier run, and so does the next."""
    assert ran(bench, "run-1", recipe(bench)) == "ab"
    assert ran(bench, "run-2", recipe(bench)) == ""

    assert bench.steps("run-2")["a"].log_tail == "taken from run-1/a, which did the same\n"
    first, second = (bench.journal.records[run]["a"].outputs for run in ("run-1", "run-2"))
    assert first == second


def test_what_makes_another(bench: Bench) -> None:
    """Another input, another command or another pipeline's name is another step; without asking there is no hit."""
    assert ran(bench, "run-1", recipe(bench)) == "ab"

    assert ran(bench, "run-2", recipe(bench), n=2) == "ab"
    assert ran(bench, "run-3", recipe(bench, code="print()")) == "ab"
    assert ran(bench, "run-4", recipe(bench, name="other")) == "ab"
    assert ran(bench, "run-5", recipe(bench, enabled=False)) == "ab"
    assert ran(bench, "run-6", recipe(bench, enabled=False)) == "ab"


def test_chosen_key(bench: Bench) -> None:
    """A key that the spec names counts instead of the inputs."""
    made = recipe(bench)
    made.tasks["a"]["cachingOptions"]["cacheKey"] = "mine"

    assert ran(bench, "run-1", made) == "ab"
    assert ran(bench, "run-2", made, n=2) == ""


def test_what_is_gone(bench: Bench) -> None:
    """A result whose artifact was deleted is no result: the step runs again."""
    assert ran(bench, "run-1", recipe(bench)) == "ab"
    shutil.rmtree(bench.root / "runs" / "run-1")

    assert ran(bench, "run-2", recipe(bench)) == "ab"


def test_broken_entry(bench: Bench) -> None:
    """An entry that cannot be read does no harm."""
    assert ran(bench, "run-1", recipe(bench)) == "ab"
    for entry in (bench.root / "runs" / ".cache").glob("*/*.json"):
        entry.write_text("{")

    assert ran(bench, "run-2", recipe(bench)) == "ab"


def test_failures_are_not_kept(bench: Bench) -> None:
    """A step that failed is tried anew in the next run."""
    made = recipe(bench, code="sys.exit(1)")
    for run_id in ("run-1", "run-2"):
        bench.submit(made, run_id)
        assert bench.ended(run_id).status is Status.FAILED
    assert (bench.root / "ran").read_text() == "aa"
