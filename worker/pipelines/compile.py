"""What a template compiles to, as far as it is ours: each step's container component, and the content hash."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from worker.bee import duration_text
from worker.pipelines.template import Step, Template

#: Part of every content hash: raise it when the compiled form changes, so that what is cached counts as stale.
COMPILER_VERSION = 1
DEFAULT_IMAGE = "colony-mlops:latest"


def component(step: Step, image: str) -> dict[str, Any]:
    """Return a step's component definition: its own type's artifacts, the constant `config`, and the run's `run`."""
    return {
        "name": step.id,
        "inputs": [
            {"name": "config", "type": "JsonObject"},
            {"name": "run", "type": "JsonObject"},
            *({"name": name, "type": _kind(kind)} for name, kind in step.type.inputs.items()),
        ],
        "outputs": [{"name": name, "type": _kind(kind)} for name, kind in step.type.outputs.items()],
        "implementation": {
            "container": {
                "image": image,
                "command": ["python", "-m", "worker.steps", step.type.name],
                "args": ["--step", step.id, "--executor-input", "{{$}}"],
            }
        },
    }


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
        "config": step.config,
        "after": list(step.after),
        "attempts": step.retry.attempts,
        "backoff": duration_text(step.retry.backoff),
        "resources": step.resources.model_dump(),
        "inputs": {name: list(source) for name, source in step.inputs.items()},
    }


def _kind(title: str) -> str:
    """Return the short form (`Dataset`) of a registered title (`system.Dataset`), as component definitions have it."""
    return title.removeprefix("system.")
