"""A pipeline with a retry, two conditions, a loop and an exit task, whose steps cost next to nothing: shell scripts."""

from typing import Any

from tests.worker.engine.recipe import Recipe, outer, output

#: Leave a line in the file `$1` that names the attempt by the file of its output `$2`, and give `$2` the value `$3`.
#: Is there a file `$1.kill` with a moment (begin or end), an attempt and a process, kill that process then, once.
_SCRIPT = """
at() {{
    if [ -f "$1.kill" ]; then
        read -r moment attempt process < "$1.kill"
        if [ "$moment $attempt" = "$3 $2" ]; then rm "$1.kill"; kill -9 "$process"; fi
    fi
}}
echo "$2" >> "$1"
trap 'at "$1" "$2" end' EXIT
at "$1" "$2" begin
{script}
printf %s "{key}$3" > "$2"
"""


def every_construct(trace: str) -> Recipe:
    """Return the pipeline; each attempt of a step appends a line to the file `trace`."""
    recipe = Recipe()
    main = recipe.group("main")
    retry = {"maxRetryCount": 2, "backoffDuration": "0s"}
    _shell(recipe, trace, "flaky", 'case "$2" in */flaky/1/*) echo no; exit 3;; esac', into=main, retry=retry)
    _shell(recipe, trace, "judge", "", into=main, after=["flaky"])
    for name, sign in (("yes", "=="), ("no", "!=")):
        trigger = {"condition": f"inputs.parameter_values['v'] {sign} 'judge'"}
        given = {"takes": {"v": "STRING"}, "wired": {"v": output("judge.x")}}
        branch = recipe.group(f"if-{name}", into=main, triggerPolicy=trigger, **given)
        _shell(recipe, trace, name, "", into=branch)
    iterator = {"itemInput": "n", "items": {"raw": "[1, 2]"}}
    loop = recipe.group("loop", into=main, takes={"n": "NUMBER_INTEGER"}, parameterIterator=iterator, after=["flaky"])
    given = {"takes": {"n": "NUMBER_INTEGER"}, "wired": {"n": outer("n")}}
    _shell(recipe, trace, "work", "", into=loop, argument="{{$.inputs.parameters['n']}}", **given)
    recipe.collect("loop", "all", "work.x")
    given = {"takes": {"l": "LIST"}, "wired": {"l": output("loop.all")}}
    _shell(recipe, trace, "gather", "", into=main, argument="{{$.inputs.parameters['l']}}", **given)
    _shell(recipe, trace, "exit", "", after=["main"])
    recipe.tasks["exit"]["triggerPolicy"] = {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"}
    return recipe


def _shell(recipe: Recipe, trace: str, key: str, script: str, *, argument: str = "", **more: Any) -> None:
    """Add a step that gives `x`: its own name, and the argument."""
    recipe.step(key, gives={"x": "STRING"}, **more)
    container = recipe.document["deploymentSpec"]["executors"][f"exec-{key}"]["container"]
    container["command"] = ["sh", "-c", _SCRIPT.format(script=script, key=key), "sh"]
    container["args"] = [trace, "{{$.outputs.parameters['x'].output_file}}", argument]
