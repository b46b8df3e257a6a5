"""What a template compiles to, as far as it is ours: each step's container component, and the content hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from worker.bee import duration_text
from worker.pipelines.flow import RUN, Source
from worker.pipelines.template import Step, Template
from worker.steps.kinds import item_kind
from worker.steps.placeholders import ITEM
from worker.steps.values import ValueType, parse_type

#: Part of every content hash: raise it when the compiled form changes, so that what is cached counts as stale.
COMPILER_VERSION = 2
DEFAULT_IMAGE = "colony-mlops:latest"
#: A value's type -> the word that component definitions have for it.
_WORDS = {
    "string": "String",
    "integer": "Integer",
    "number": "Float",
    "boolean": "Boolean",
    "list": "JsonArray",
    "object": "JsonObject",
}
_PYTHON = {"string": str, "integer": int, "number": float, "boolean": bool, "list": list, "object": dict}


def component(step: Step, image: str) -> dict[str, Any]:
    """Return a step's component definition: its own type's artifacts and values, `config`, `run`, and its condition's.

    Of a list's input the kind of one is declared; what the step's own items give is wired later (`compiled`).
    """
    conditional = {name: source.type for name, source in when_inputs(step).values() if source.of != ITEM}
    values = {name: parse_type(word, ())[0] for name, word in step.type.values.items()}
    return {
        "name": step.id,
        "inputs": [
            {"name": "config", "type": "JsonObject"},
            {"name": RUN, "type": "JsonObject"},
            *({"name": name, "type": _WORDS[type_.word]} for name, type_ in conditional.items()),
            *({"name": name, "type": _kind(item_kind(kind) or kind)} for name, kind in step.type.inputs.items()),
        ],
        "outputs": [
            *({"name": name, "type": _kind(kind)} for name, kind in step.type.outputs.items()),
            *({"name": name, "type": _WORDS[type_.word]} for name, type_ in values.items()),
        ],
        "implementation": {
            "container": {
                "image": image,
                "command": ["python", "-m", "worker.steps", step.type.name],
                "args": ["--step", step.id, *_limits(step), "--executor-input", "{{$}}"],
            }
        },
    }


def _limits(step: Step) -> list[str]:
    """Return what the step's own process watches over: time, which no spec has, and in a loop the attempts."""
    args = [] if step.timeout is None else ["--timeout", f"{step.timeout.total_seconds():g}"]
    if step.foreach:
        args += ["--task", "{{$.pipeline_task_uuid}}", "--attempts", str(step.retry.attempts)]
        args += ["--backoff", f"{step.retry.backoff.total_seconds():g}"]
    return args


def when_inputs(step: Step) -> dict[str, tuple[str, Source]]:
    """Return what a step's condition refers to -> the input parameter that has it, and what it stands for."""
    sources = step.when.sources if step.when else {}
    return {text: (f"when_{number}", source) for number, (text, source) in enumerate(sources.items())}


def root_parameters(template: Template) -> dict[str, type]:
    """Return the compiled pipeline's parameters with their types: `run`, and what `when` and `foreach` refer to."""
    found: dict[str, ValueType] = {}
    for step in template.steps:
        sources = [source for _, source in when_inputs(step).values()]
        sources += [step.foreach.source] if step.foreach and step.foreach.source else []
        found |= {source.name: source.type for source in sources if source.of == "parameter"}
    return {RUN: dict, **{name: _PYTHON[found[name].word] for name in sorted(found)}}


def content_hash(template: Template) -> str:
    """Return the SHA-256 of everything that the compiled spec follows from, but the image."""
    content = {
        "compiler": COMPILER_VERSION,
        "name": template.name,
        "version": template.version,
        "description": template.description,
        "trigger": template.trigger,
        "parameters": {name: asdict(one) for name, one in template.declared.items()},
        "schedule": template.schedule.model_dump() if template.schedule else None,
        "steps": [_content(step) for step in template.steps],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, allow_nan=False).encode()).hexdigest()


def _content(step: Step) -> Mapping[str, Any]:
    return {
        "id": step.id,
        "type": step.type.name,
        "takes": dict(step.type.inputs),
        "gives": dict(step.type.outputs),
        "values": dict(step.type.values),
        "when": str(step.when) if step.when else None,
        "foreach": _loop(step),
        "timeout": step.timeout.total_seconds() if step.timeout else None,
        "config": step.config,
        "after": list(step.after),
        "attempts": step.retry.attempts,
        "backoff": duration_text(step.retry.backoff),
        "resources": step.resources.model_dump(),
        "inputs": {name: list(source) for name, source in step.inputs.items()},
    }


def _loop(step: Step) -> Mapping[str, Any] | None:
    if step.foreach is None:
        return None
    loop = step.foreach
    return {"of": loop.text, "items": list(loop.items), "item": asdict(loop.item), "parallelism": loop.parallelism}


def _kind(title: str) -> str:
    """Return the short form (`Dataset`) of a registered title (`system.Dataset`), as component definitions have it."""
    return title.removeprefix("system.")
