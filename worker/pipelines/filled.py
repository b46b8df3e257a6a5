"""Checks the steps' settings as they will be once a trigger's parameters are filled in; pure."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.pipelines.template import Step, Template
from worker.steps.placeholders import names_in, resolve


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
        # A step that runs for each item has settings that are only known then.
        if not getattr(step, "foreach", None):
            _check(step, values)


def _check(step: Step, values: Mapping[str, Any]) -> None:
    try:
        step.type.config.model_validate(resolve(step.config, values))
    except ValidationError as error:
        fault = error.errors()[0]
        path = [str(part) for part in fault["loc"]]
        names = names_in(_at(step.config, fault["loc"]))
        said = str(fault["msg"]).removeprefix("Value error, ")
        place = f"`{'.'.join(path)}` of the step {step.id!r}"
        if names:
            reason = f"{values.get(names[0])!r} does not fit {place}: {said}"
            raise Rejected(reason, field=f"parameters.{names[0]}", mend="give another value") from error
        raise Rejected(f"{place}: {said}", field="pipeline", mend="correct the template") from error


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """Return the deepest part of a value that a path leads to."""
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            break
    return value
