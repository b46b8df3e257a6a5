"""How a container's command runs on this machine: our own steps in a preloaded process, others as programs."""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from worker.adapters.engine import local_lightweight
from worker.adapters.engine.local_accelerators import check as check_accelerator
from worker.engine.container import Container, Resources
from worker.engine.graph import Graph
from worker.engine.placeholder import filled as filled_in
from worker.errors import Rejected

STEPS_MODULE = "worker.steps"
PRELOAD = "worker.steps.preload"
_PYTHON = frozenset({"python", "python3"})
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([EPTGMK]i?)?")
_POWERS = "KMGTPE"


def check(graph: Graph) -> None:
    """Check that every command of a pipeline can run here. Raises Rejected with the command's path in the spec."""
    for path, container in graph.containers():
        lightweight = local_lightweight.read(container)
        if lightweight:
            local_lightweight.check(lightweight, path)
        program = container.command[0]
        if program not in _PYTHON and ("{{$" in program or shutil.which(program) is None):
            raise Rejected(f"there is no program {program!r} on this machine", field=f"{path}.command.0")
        if not any("{{$" in text for text in container.resources.texts().values()):
            check_resources(container.resources, f"{path}.resources")


def is_own_step(argv: Sequence[str]) -> bool:
    """Whether a command line is one of this project's own steps, which a preloaded process can run."""
    return len(argv) > 2 and argv[0] in _PYTHON and list(argv[1:3]) == ["-m", STEPS_MODULE]


def program(argv: Sequence[str]) -> list[str]:
    """Return the command line with `python` as the interpreter that runs this worker."""
    return [sys.executable, *argv[1:]] if argv[0] in _PYTHON else list(argv)


def environment(base: Mapping[str, str], container: Container) -> dict[str, str]:
    """Return a step's environment: the worker's and its settings', then the container's own."""
    return {**base, **{variable.name: variable.value for variable in container.env}}


def placed(container: Container, aside: Mapping[str, Any], field: str) -> Container:
    """Return the container with its resources as the task's own inputs give them. Raises Rejected if they would not do.

    Args:
        container: as in the spec, where its resources may be placeholders.
        aside: the task's inputs beside its component's (`Bound.aside`).
        field: the task, for errors.
    """
    resources = container.resources
    if not any("{{$" in text for text in resources.texts().values()):
        return container
    texts = resources.model_dump(by_alias=True, exclude_unset=True)
    filled = Resources.model_validate(filled_in(texts, lambda one: aside[one.name]))
    check_resources(filled, field)
    return container.model_copy(update={"resources": filled})


def check_resources(resources: Resources, field: str) -> None:
    """Check that this machine has what a container needs. Raises Rejected."""
    memory_bytes(resources, field)
    check_accelerator(resources.accelerator, f"{field}.accelerator")


def memory_bytes(resources: Resources, field: str) -> int | None:
    """Return a container's memory limit in bytes, None for none. Raises Rejected for text that is no size."""
    text = resources.resource_memory_limit
    if text is None:
        given = resources.memory_limit
        return int(given * 10**9) if given else None
    match = _SIZE.fullmatch(text)
    if not match:
        raise Rejected(f"{text!r} is no size such as 2G or 512Mi", field=f"{field}.resourceMemoryLimit")
    unit = match[2] or ""
    base = 1024 if unit.endswith("i") else 1000
    return int(float(match[1]) * (base ** (_POWERS.index(unit[0]) + 1) if unit else 1))
