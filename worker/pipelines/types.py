"""Finds step types: a template's word → its `STEP`, ours or the user's, imported when first asked for.

The user's own are one Python file each: `steps/NAME.py` in a configuration directory (imported as
`colony_steps.NAME`), or a module that an installed package names as an entry point of the group `colony.steps`.
"""

import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from worker.errors import Rejected
from worker.steps.step import StepType
from worker.steps.types import STEPS

GROUP = "colony.steps"
PACKAGE = "colony_steps"
_MEND = "see `How to add` in the README"


class StepTypes(Mapping[str, str]):
    """Word → module, or the path of a Python file; installed packages are looked at only for a word not found else."""

    def __init__(self, directories: Iterable[Path], builtin: Mapping[str, str] = STEPS) -> None:
        """Look into `steps/` of the configuration's layers, the later ones first."""
        self._builtin = builtin
        self._directories = list(directories)

    @cached_property
    def _files(self) -> Mapping[str, str]:
        found = {
            path.stem: str(path)
            for directory in self._directories
            for path in sorted((directory / "steps").glob("*.py"))
            if not path.stem.startswith("_")
        }
        for name in sorted(set(found) & set(self._builtin)):
            mend = "give the file another name"
            raise Rejected(f"the step type {name!r} exists already", field=found[name], mend=mend)
        return found

    @cached_property
    def _installed(self) -> Mapping[str, str]:
        return {point.name: point.value.partition(":")[0] for point in entry_points(group=GROUP)}

    def __getitem__(self, name: str) -> str:
        """Return where the type is. Raises KeyError."""
        for table in (self._builtin, self._files):
            if name in table:
                return table[name]
        return self._installed[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the words, ours first."""
        return iter({**self._builtin, **self._files, **self._installed})

    def __len__(self) -> int:
        """Return how many there are."""
        return len(list(iter(self)))


def load_type(name: str, types: Mapping[str, str]) -> StepType:
    """Return a step type of a table word → module or file.

    Raises:
        Rejected: an unknown word, or a user's module that cannot be imported or declares no such type.
    """
    if name not in types:
        raise Rejected(f"there is no step type {name!r}", field="type", mend=f"use one of {', '.join(sorted(types))}")
    where = types[name]
    module = importlib.import_module(where) if where in STEPS.values() else _imported(name, where)
    step = getattr(module, "STEP", None)
    if not isinstance(step, StepType):
        raise Rejected(f"{where} declares no `STEP = StepType(…)`", field="type", mend=_MEND)
    if step.name != name:
        raise Rejected(f"{where} declares the step type {step.name!r}, not {name!r}", field="type", mend=_MEND)
    return step


def _imported(name: str, where: str) -> ModuleType:
    try:
        return _from_file(name, Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except Exception as error:  # whatever the user's module does when it is imported
        raise Rejected(f"{where} cannot be imported: {_said(error)}", field="type", mend="correct it") from error


def _said(error: Exception) -> str:
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: {error.msg}"
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    return f"line {frame.tb_lineno if frame else '?'}: {type(error).__name__}: {error}"


def _from_file(name: str, path: Path) -> ModuleType:
    """Import a file as `colony_steps.NAME`, once per path; its neighbours can be imported from that package, too."""
    package = sys.modules.setdefault(PACKAGE, ModuleType(PACKAGE))
    package.__path__ = [str(path.parent)]
    full = f"{PACKAGE}.{name}"
    known = sys.modules.get(full)
    if known is not None and known.__file__ == str(path):
        return known
    spec = importlib.util.spec_from_file_location(full, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[full]
        raise
    return module
