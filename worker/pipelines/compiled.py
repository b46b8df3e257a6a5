"""What the KFP SDK cannot be told of a template, written into the spec that it compiled; pure.

A condition stands at its step's own task, which the format allows for every task: so a step that needs what a skipped
one gives needs no group around both, and is skipped with it. (The SDK only writes conditions at groups.)
"""

import json
from collections.abc import Mapping
from typing import Any

from worker.pipelines.cel import cel
from worker.pipelines.compile import when_inputs
from worker.pipelines.flow import Foreach, When
from worker.pipelines.template import Step, Template
from worker.steps.placeholders import ITEM

Json = dict[str, Any]
_TYPES = {
    "string": "STRING",
    "integer": "NUMBER_INTEGER",
    "number": "NUMBER_DOUBLE",
    "boolean": "BOOLEAN",
    "object": "STRUCT",
    "list": "LIST",
}


def complete(spec: Json, template: Template, keys: Mapping[str, str]) -> None:
    """Complete a compiled spec in place.

    Args:
        spec: JSON values, as the SDK compiled them.
        template: whose spec it is.
        keys: step's id -> its task's key.
    """
    tasks = spec["root"]["dag"]["tasks"]
    outer = {}
    for step in template.steps:
        key, inner = keys[step.id], tasks
        if step.foreach:
            key = _loop_of(keys[step.id], spec)
            inner = spec["components"][tasks[key]["componentRef"]["name"]]["dag"]["tasks"]
            _complete_loop(step, step.foreach, tasks[key], inner[keys[step.id]], spec)
        outer[step.id] = key
        if step.when:
            _complete_condition(step, step.when, inner[keys[step.id]])
    for step in template.steps:
        task = tasks[outer[step.id]]
        waits = {*task.get("dependentTasks", ()), *(outer[name] for name in step.after)}
        if waits:
            task["dependentTasks"] = sorted(waits)


def _loop_of(key: str, spec: Json) -> str:
    """Return the key of the loop around a task."""
    for name, task in spec["root"]["dag"]["tasks"].items():
        component = spec["components"][task["componentRef"]["name"]]
        if "parameterIterator" in task and key in component["dag"]["tasks"]:
            return str(name)
    raise AssertionError(f"{key} is in no loop")


def _complete_loop(step: Step, foreach: Foreach, loop: Json, task: Json, spec: Json) -> None:
    """Give the loop its step's name and its items their type, and the step its item."""
    type_ = {"parameterType": _TYPES[foreach.item.word]}
    channel = loop["parameterIterator"]["itemInput"]
    loop["taskInfo"]["name"] = step.id
    spec["components"][loop["componentRef"]["name"]]["inputDefinitions"]["parameters"][channel] = type_
    component = spec["components"][task["componentRef"]["name"]]
    declared = component["inputDefinitions"]["parameters"]
    given = task["inputs"]["parameters"]
    declared[ITEM] = type_
    given[ITEM] = {"componentInputParameter": channel}
    for name, source in when_inputs(step).values():
        if source.of == "item":
            declared[name] = {"parameterType": _TYPES[source.type.word]}
            given[name] = {"componentInputParameter": channel}
            if source.name:
                given[name]["parameterExpressionSelector"] = f"parseJson(string_value)[{json.dumps(source.name)}]"
    if foreach.source is None:
        loop["parameterIterator"]["items"] = {"raw": json.dumps(foreach.items, ensure_ascii=False, sort_keys=True)}


def _complete_condition(step: Step, when: When, task: Json) -> None:
    inputs = {text: (name, source.type.word) for text, (name, source) in when_inputs(step).items()}
    task["triggerPolicy"] = {"condition": cel(when.condition, inputs)}
