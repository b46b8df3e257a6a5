"""Pipeline templates: YAML in, a validated template with every input wired out; all faults are told at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.pipelines.check import Checker, Fault, Path
from worker.pipelines.parameters import Parameter, declared, defaults
from worker.pipelines.shape import Resources, Retry, Schedule, StepShape, TemplateShape
from worker.pipelines.start import start_faults
from worker.pipelines.types import load_type
from worker.steps.step import StepType
from worker.steps.types import STEPS


@dataclass(frozen=True)
class Step:
    """One step, wired.

    Attributes:
        inputs: declared input -> (id of the step that gives it, its output).
    """

    id: str
    type: StepType
    config: Mapping[str, Any]
    after: tuple[str, ...]
    retry: Retry
    resources: Resources
    inputs: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Template:
    """A pipeline that can be compiled.

    Attributes:
        parameters: name -> default, None where there is none.
        steps: in an order in which each comes after all that it needs.
        declared: the parameters with their types, as a trigger is checked against them.
        schedule: when it is triggered by itself; None for another `trigger`.
    """

    name: str
    version: str
    description: str
    trigger: str
    parameters: Mapping[str, Any]
    steps: tuple[Step, ...] = field(default=())
    declared: Mapping[str, Parameter] = field(default_factory=dict)
    schedule: Schedule | None = None

    @property
    def loop(self) -> bool:
        """Whether its runs may change the bee's champion; at most one such run per bee is in flight."""
        return any(step.type.deploys for step in self.steps)


def parse_template(
    content: Mapping[str, Any],
    *,
    at: Callable[[Path], str] = lambda path: ".".join(map(str, path)),
    types: Mapping[str, str] = STEPS,
) -> Template:
    """Return the template of a YAML file's content.

    Args:
        content: the file's mapping.
        at: says where in the file a path stands, for people.
        types: the step types: template word → module.

    Raises:
        Rejected: with every fault, each with its place: unknown type, wrong config, missing input, cycle, …
    """
    faults: list[Fault] = _known_gaps(content)
    try:
        shape = TemplateShape.model_validate(dict(content))
    except ValidationError as error:
        known = {path for path, _ in faults}
        faults += [(tuple(one["loc"]), _said(one)) for one in error.errors() if tuple(one["loc"]) not in known]
        raise _rejected(faults, at) from error
    parameters, found = declared(shape.parameters)
    faults += [*found, *start_faults(shape, parameters)]
    checker = Checker(defaults(parameters))
    loaded: dict[int, StepType] = {}
    for number, step in enumerate(shape.steps):
        try:
            loaded[number] = load_type(step.type, types)
        except Rejected as error:
            faults.append((("steps", number, "type"), f"{error.reason}; {error.mend}"))
    wiring, order, found = checker.check(shape.steps, loaded)
    faults += found
    if faults:
        raise _rejected(faults, at)
    steps = [_step(shape.steps[number], loaded[number], wiring[number]) for number in order]
    return Template(
        shape.name,
        shape.version,
        shape.description.strip(),
        shape.trigger,
        defaults(parameters),
        tuple(steps),
        parameters,
        shape.schedule,
    )


def _step(shape: StepShape, type_: StepType, inputs: Mapping[str, tuple[str, str]]) -> Step:
    return Step(shape.id, type_, shape.config, tuple(shape.after), shape.retry, shape.resources, inputs)


def _known_gaps(content: Mapping[str, Any]) -> list[Fault]:
    """Return a clear word on the parts of the format that templates do not have yet."""
    steps = content.get("steps")
    return [
        (("steps", number, word), f"`{word}` is not known to this version's compiler; take it out")
        for number, step in enumerate(steps if isinstance(steps, list) else [])
        for word in ("when", "foreach")
        if isinstance(step, dict) and word in step
    ]


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "is not known here; take it out, or correct its spelling"
    return str(fault["msg"]).removeprefix("Value error, ")


def _rejected(faults: list[Fault], at: Callable[[Path], str]) -> Rejected:
    return Rejected("\n".join(f"{at(path)}: {text}" for path, text in faults), field="template")
