import os
import shutil
import time
from pathlib import Path
from typing import Any

from tests.worker.adapters.engine.conftest import Bench
from tests.worker.engine.recipe import Recipe, outer
from worker.adapters.engine.local_cache import Cache
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


def test_own_results(bench: Bench) -> None:
    """A run takes no result of its own, which would be there or not by how fast its steps are; the next run does.

    Vertex AI, "Configure execution caching": computations are skipped "that were completed in a previous pipeline run".
    """
    made = recipe(bench)
    made.tasks["again"] = {**made.tasks["a"], "taskInfo": {"name": "again"}, "dependentTasks": ["b"]}

    assert ran(bench, "run-1", made) == "aba"
    assert ran(bench, "run-2", made) == ""


def kept(root: Path, *, count: int = 1, size: int = 1) -> tuple[Cache, list[str]]:
    """Return a cache, and the keys of the results that were kept in one of its directories, one after another."""
    cache = Cache.beside(str(root / "run"))
    keys = [f"aa{number:062}" for number in range(count)]
    for number, key in enumerate(keys):
        cache.keep(key, {"parameters": {"x": "x" * size}, "artifacts": {}}, "run/step")
        file = next(cache.directory.glob(f"*/{key}.json"))
        used = file.stat().st_mtime - count + number
        os.utime(file, (used, used))
    return cache, keys


def test_bounded_number(tmp_path: Path) -> None:
    """Of too many results the longest unused are forgotten."""
    cache, keys = kept(tmp_path, count=70)

    assert [key for key in keys if cache.find(key)] == keys[-64:]


def test_bounded_size(tmp_path: Path) -> None:
    """Of results that are too large together the longest unused are forgotten, never the one just kept."""
    cache, keys = kept(tmp_path, count=4, size=3 * 2**20)
    assert [key for key in keys if cache.find(key)] == keys[-1:]

    cache, keys = kept(tmp_path / "other", size=9 * 2**20)
    assert cache.find(keys[0])


def test_unused_for_long(tmp_path: Path) -> None:
    """What nobody took for a month goes when something is kept beside it, as do the remains of killed workers."""
    cache, (old, taken, new) = kept(tmp_path, count=3)
    remains = cache.directory / "aa" / "x.1.tmp"
    remains.touch()
    long_ago = time.time() - 31 * 86400
    for name in (old, taken, "x.1"):
        file = next(cache.directory.glob(f"*/{name}.*"))
        os.utime(file, (long_ago, long_ago))
    assert cache.find(taken)
    cache.keep(f"{new}-2", {"parameters": {}, "artifacts": {}}, "run/step")

    assert [bool(cache.find(key)) for key in (old, taken, f"{new}-2")] == [False, True, True]
    assert not remains.exists()


def test_cleared(tmp_path: Path) -> None:
    """Clearing forgets all results and says how many; there may be none."""
    cache, keys = kept(tmp_path, count=3)

    assert (cache.clear(), cache.clear()) == (3, 0)
    assert cache.find(keys[0]) is None
