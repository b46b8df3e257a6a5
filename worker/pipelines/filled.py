"""Checks the steps' settings as they will be once a trigger's parameters are filled in; pure."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.pipelines.template import Step, Template
from worker.steps.placeholders import ITEM, has_item, names_in, resolve
from worker.steps.values import dotted, shown, texts


def check_filled(template: Template, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that a step's settings would refuse when it runs.

    Args:
        template: whose steps these are.
        parameters: what the trigger gives; the rest are the defaults.

    Raises:
        Rejected: the error names the parameter, or the setting that none is responsible for.
    """
    values = {**template.parameters, **parameters}
    for step in template.steps:
        for item in _items(step, values):
            _check(step, values, item)


def _items(step: Step, values: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield what a step's settings are filled from besides the parameters: nothing, or each item that is known yet."""
    loop = step.foreach
    if loop is None:
        yield {}
    elif loop.source is None:
        yield from ({ITEM: item} for item in loop.items)
    elif loop.source.of == "parameter":
        yield from ({ITEM: item} for item in values[loop.source.name])


def _check(step: Step, values: Mapping[str, Any], item: Mapping[str, Any]) -> None:
    try:
        config = step.type.config.model_validate(resolve(step.config, values, **item))
        if step.type.check:
            step.type.check(config)
    except ValidationError as error:
        fault = error.errors()[0]
        said = str(fault["msg"]).removeprefix("Value error, ")
        raise _refused(step, values, item, fault["loc"], said) from error
    except Rejected as error:
        path = tuple(int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", error.field))
        if error.field == ITEM or error.field.startswith(f"{ITEM}."):
            path = next((place for place, text in texts(step.config) if f"${{{error.field}}}" in text), path)
        raise _refused(step, values, item, path, error.reason, error.mend) from error


def _refused(
    step: Step,
    values: Mapping[str, Any],
    item: Mapping[str, Any],
    path: tuple[str | int, ...],
    said: str,
    mend: str = "give another value",
) -> Rejected:
    """Return what is told of a setting that does not fit: the parameter, and the place in it, that it is from."""
    place = f"`{dotted(path)}` of the step {step.id!r}"
    value, rest = _at(step.config, path)
    names = names_in(value)
    if ITEM in item and has_item(value):
        of = f"parameters.{step.foreach.source.name}" if step.foreach and step.foreach.source else "pipeline"
        return Rejected(f"the item {shown(item[ITEM])} does not fit {place}: {said}", field=of, mend=mend)
    if not names:
        return Rejected(f"{place}: {said}", field="pipeline", mend="correct the template")
    whole = value == f"${{parameters.{names[0]}}}"
    field = f"parameters.{dotted((names[0], *rest) if whole else (names[0],))}"
    if whole and rest:
        return Rejected(said, field=field, mend=mend)
    return Rejected(f"{shown(values.get(names[0]))} does not fit {place}: {said}", field=field, mend=mend)


def _at(value: Any, path: tuple[str | int, ...]) -> tuple[Any, tuple[str | int, ...]]:
    """Return the deepest part of a value that a path leads to, and the rest of the path."""
    for place, part in enumerate(path):
        parts = value if isinstance(value, dict) else dict(enumerate(value)) if isinstance(value, list) else {}
        if part not in parts:
            return value, path[place:]
        value = parts[part]
    return value, ()
