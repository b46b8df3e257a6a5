"""`extends`: a template written as its difference from another one; pure.

The extending file's own fields replace those of its base, `parameters` are merged by name, and `steps` by id: a step
with the id of one of the base overrides it (`config` is merged, null takes a setting away, `remove: true` the step),
another one is added at the end, or behind the step that `insertAfter` names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from worker.errors import Rejected

Path = tuple[str | int, ...]
At = Callable[[Path], str]
_INSERT, _REMOVE = "insertAfter", "remove"


class TemplateFile(Protocol):
    """A template's YAML as it stands in its file."""

    @property
    def content(self) -> Mapping[str, Any]:
        """The mapping of names to values."""
        ...

    def at(self, path: Path) -> str:
        """Return where the deepest part of `path` stands that the file has, for people."""
        ...


@dataclass(frozen=True)
class _Layer:
    """Where a part was written, and with what."""

    file: TemplateFile
    content: Any
    path: Path = ()

    def depth(self, path: Path) -> int:
        """Return how many parts of `path` this layer has."""
        value = self.content
        for number, part in enumerate(path):
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return number
        return len(path)


@dataclass(frozen=True)
class _Step:
    content: Mapping[str, Any]
    layers: tuple[_Layer, ...]


@dataclass(frozen=True)
class Extended:
    """A template's whole content, and where each part of it was written."""

    content: Mapping[str, Any]
    layers: tuple[_Layer, ...]
    steps: tuple[_Step, ...] = field(default=())

    def at(self, path: Path) -> str:
        """Return the place of a path: in the file that wrote the deepest part of it, the newest first."""
        layers, rest = self.layers, path
        if len(path) > 1 and path[0] == "steps" and isinstance(path[1], int) and path[1] < len(self.steps):
            layers, rest = self.steps[path[1]].layers, path[2:]
        best = max(reversed(layers), key=lambda layer: layer.depth(rest))
        place, _, _ = best.file.at((*best.path, *rest)).partition(": ")
        return f"{place}: {'.'.join(map(str, path)) or 'file'}"


def whole(name: str, files: Mapping[str, TemplateFile]) -> Extended:
    """Return a template with all that it extends.

    Raises:
        Rejected: a base that is not there, a circle of them, or steps that do not fit the base, with their places.
    """
    return _whole(name, files, ())


def _whole(name: str, files: Mapping[str, TemplateFile], via: tuple[str, ...]) -> Extended:
    file = files[name]
    own = _Layer(file, file.content)
    base_name = file.content.get("extends")
    if base_name is None:
        return Extended(file.content, (own,), tuple(_own_steps(own)))
    if base_name in (*via, name):
        circle = " → ".join([*via, name, base_name])
        raise _fault(file, ("extends",), f"templates extend each other: {circle}; take this one out")
    if not isinstance(base_name, str) or base_name not in files:
        known = ", ".join(sorted(set(files) - {name}))
        raise _fault(file, ("extends",), f"there is no template {base_name!r}; use one of {known}")
    base = _whole(base_name, files, (*via, name))
    steps = _merged_steps(base, own)
    content = {**base.content, **{key: value for key, value in file.content.items() if key != "extends"}}
    inherited, own_parameters = base.content.get("parameters"), file.content.get("parameters")
    if isinstance(inherited, dict) and isinstance(own_parameters, dict):
        content["parameters"] = {**inherited, **own_parameters}
    if "trigger" in file.content and "schedule" not in file.content:
        content.pop("schedule", None)
    content["steps"] = [dict(step.content) for step in steps]
    return Extended(content, (*base.layers, own), tuple(steps))


def _own_steps(layer: _Layer) -> list[_Step]:
    steps = layer.content.get("steps")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return []
    return [_Step(step, (_Layer(layer.file, step, ("steps", number)),)) for number, step in enumerate(steps)]


def _merged_steps(base: Extended, own: _Layer) -> list[_Step]:
    steps = list(base.steps)
    changes = own.content.get("steps", [])
    if not isinstance(changes, list):
        raise _fault(own.file, ("steps",), "is not a list of steps")
    for number, change in enumerate(changes):
        at: Path = ("steps", number)
        if not isinstance(change, dict) or not isinstance(change.get("id"), str):
            raise _fault(own.file, at, "a step needs an `id`: one of the base, or a new one")
        layer = _Layer(own.file, change, at)
        place = _place(steps, change["id"])
        if place is None:
            steps.insert(_insertion(steps, change, layer), _added(change, layer))
        elif change.get(_REMOVE):
            del steps[place]
        else:
            step = steps.pop(place)
            inserted = _insertion(steps, change, layer) if _INSERT in change else place
            steps.insert(inserted, _changed(step, change, layer))
    return steps


def _place(steps: list[_Step], id_: Any) -> int | None:
    return next((place for place, step in enumerate(steps) if step.content.get("id") == id_), None)


def _insertion(steps: list[_Step], change: Mapping[str, Any], layer: _Layer) -> int:
    if change.get(_REMOVE):
        raise _fault(layer.file, layer.path, f"there is no step {change['id']!r} to remove; the base has {_ids(steps)}")
    if _INSERT not in change:
        return len(steps)
    place = _place(steps, change[_INSERT])
    if place is None:
        known = _ids(steps)
        reason = f"there is no step {change[_INSERT]!r}; the base has {known}"
        raise _fault(layer.file, (*layer.path, _INSERT), reason)
    return place + 1


def _ids(steps: list[_Step]) -> str:
    return ", ".join(str(step.content.get("id")) for step in steps)


def _added(change: Mapping[str, Any], layer: _Layer) -> _Step:
    return _Step({key: value for key, value in change.items() if key not in (_INSERT, _REMOVE)}, (layer,))


def _changed(step: _Step, change: Mapping[str, Any], layer: _Layer) -> _Step:
    content = {**step.content, **_added(change, layer).content}
    if change.get("type", step.content.get("type")) == step.content.get("type") and "config" in change:
        content["config"] = _merged(step.content.get("config") or {}, change["config"])
    return replace(step, content=content, layers=(*step.layers, layer))


def _merged(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    kept = {key: value for key, value in base.items() if change.get(key, value) is not None}
    return kept | {key: _merged(base.get(key), value) for key, value in change.items() if value is not None}


def _fault(file: TemplateFile, path: Path, text: str) -> Rejected:
    return Rejected(f"{file.at(path)}: {text}", field="template")
