"""Lightweight Python components: the KFP SDK's executor with the function's source, run as what it is, without a shell.

Their command first installs packages with pip. On Vertex that changes the step's own container; here it would change
this worker's environment. So nothing is installed: what is asked for has to be there, which is checked at submit.
"""

import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata

from worker.engine.container import Container
from worker.errors import Rejected

EXECUTOR = "kfp.dsl.executor_main"
FILE = "component.py"
#: Lets `import kfp` load what a component needs, and not the compiler.
RUNTIME = {"_KFP_RUNTIME": "true"}
_STARTS = re.compile(r"python3? -m kfp\.(?:dsl|components)\.executor_main\s+--component_module_path\s")
_INSTALLS = re.compile(r"python3? -m pip install [^&]*")
_QUOTED = re.compile(r"'([^']+)'")


@dataclass(frozen=True)
class Component:
    """A lightweight component's command, taken apart.

    Attributes:
        source: number of the command's word that is the function's source.
        requirements: what it asks pip for.
    """

    source: int
    requirements: tuple[str, ...]


def read(container: Container) -> Component | None:
    """Return the component if this is the command of one, in the form in which the SDK writes it."""
    words = container.command
    start = 3 if words[:2] == ("sh", "-c") and len(words) > 3 and "pip install" in words[2] else 0
    rest = words[start:]
    if len(rest) != 4 or rest[0] != "sh" or rest[1] != "-ec" or not _STARTS.search(rest[2]):
        return None
    asked = tuple(_asked(words[2])) if start else ()
    return Component(start + 3, asked)


def check(component: Component, field: str) -> None:
    """Check that kfp and the packages that it asks for are here. Raises Rejected."""
    if importlib.util.find_spec("kfp") is None:
        mend = "install the extra: pip install 'colony-mlops[compile]'"
        raise Rejected("a lightweight Python component needs kfp", field=f"{field}.command", mend=mend)
    for requirement in component.requirements:
        fault = _missing(requirement)
        if fault:
            mend = f"install it beside the worker: pip install '{requirement}'"
            raise Rejected(f"the component needs {requirement}: {fault}", field=f"{field}.command.2", mend=mend)


def module_line(argv: Sequence[str], words: int, file: str) -> list[str]:
    """Return the executor's module and its arguments.

    Args:
        argv: the whole command line, filled in.
        words: how many of its words are the command's, before the arguments.
        file: where the function's source is.
    """
    return [EXECUTOR, "--component_module_path", file, *argv[words:]]


def _asked(script: str) -> Iterator[str]:
    """Give the packages of a script's `pip install` commands, kfp itself and pins for other Pythons left out."""
    for command in _INSTALLS.findall(script):
        for word in _QUOTED.findall(command):
            if not word.startswith("-") and not re.match(r"kfp\b(?!-)", word):
                yield word


def _missing(requirement: str) -> str | None:
    """Return why a requirement is not met, None if it is."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        wanted = Requirement(requirement)
    except InvalidRequirement:
        return "only names with versions can be checked"
    if wanted.url:
        return "only names with versions can be checked"
    if wanted.marker and not wanted.marker.evaluate():
        return None
    try:
        found = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        return "it is not installed here, and this engine installs nothing"
    if not wanted.specifier.contains(found, prereleases=True):
        return f"{found} is installed here, and this engine installs nothing"
    return None
