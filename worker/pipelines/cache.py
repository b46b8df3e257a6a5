"""Compiled specs as files beside their templates, found again by the template's content hash."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from worker.errors import Rejected
from worker.pipelines.compile import content_hash
from worker.pipelines.template import Template

_FOLDER = Path("pipelines") / "compiled"


def load_compiled(
    template: Template,
    directories: Iterable[Path],
    *,
    image: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """Return the template's compiled spec.

    Args:
        template: as it is now.
        directories: the configuration's layers; the last one that has a fresh spec is taken.
        image: the container image to run the steps in, instead of the one it was compiled with.
        environment: variables of the steps' containers; nothing secret, for specs are kept and shown.

    Raises:
        Rejected: it was not compiled, or the template (or a step type's inputs and outputs) changed since.
    """
    wanted = content_hash(template)
    found = False
    for directory in reversed(list(directories)):
        entry = _read(directory / _FOLDER / f"{template.name}.json")
        found = found or entry is not None
        if entry is not None and entry.get("hash") == wanted:
            return _with(entry["spec"], image, environment or {})
    state = "stale" if found else "missing"
    raise Rejected(
        f"the compiled spec of {template.name!r} is {state}",
        field="pipeline",
        mend=f"run `colony pipelines compile {template.name}`",
    )


def write_compiled(template: Template, spec: Mapping[str, Any], directory: Path) -> Path:
    """Write a compiled spec into a configuration layer, atomically, and return its path; same spec, same bytes."""
    path = directory / _FOLDER / f"{template.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    entry = {"template": template.name, "hash": content_hash(template), "spec": spec}
    fresh = path.with_suffix(f".{os.getpid()}.tmp")
    fresh.write_text(json.dumps(entry, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    fresh.replace(path)
    return path


def _read(path: Path) -> dict[str, Any] | None:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise Rejected(f"cannot be read: {error}", field=str(path), mend="compile the template again") from error
    return entry if isinstance(entry, dict) and isinstance(entry.get("spec"), dict) else {}


def _with(spec: Mapping[str, Any], image: str | None, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return a spec whose containers are of an image and have these variables."""
    changes: dict[str, Any] = {} if image is None else {"image": image}
    if environment:
        changes["env"] = [{"name": name, "value": value} for name, value in sorted(environment.items())]
    executors = {
        label: {**executor, "container": {**executor["container"], **changes}}
        for label, executor in spec["deploymentSpec"]["executors"].items()
    }
    return {**spec, "deploymentSpec": {**spec["deploymentSpec"], "executors": executors}}
