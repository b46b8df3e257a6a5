"""Pipeline templates: YAML in, a validated template with every input wired out; all faults are told at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.pipelines.check import Checker, Fault, Path
from worker.pipelines.flow import Flow, Flows, Foreach, When
from worker.pipelines.parameters import Parameter, declared, defaults
from worker.pipelines.shape import Resources, Retry, Schedule, StepShape, TemplateShape
from worker.pipelines.start import start_faults
from worker.pipelines.types import load_type
from worker.steps.step import StepType
from worker.steps.types import STEPS

#: How a word is written.
_WRITE = {
    "id": "begin with a small letter, go on with small letters, digits, `-` and `_`",
    "name": "begin with a small letter, go on with small letters, digits and `-`",
    "version": "begin with a letter or a digit, go on with those, `.`, `-` and `_`",
    "cpu": "write cores as 2, or thousandths of one as 500m",
    "memory": "write it as 4G or 512Mi",
    "retry": "write it as {attempts: 3, backoff: 1m}",
    "resources": 'write it as {cpu: "2", memory: 4G}',
    "schedule": 'write it as {cron: "0 3 * * 1", zone: Europe/Berlin}',
    "config": "write it as {SETTING: VALUE}",
    "inputs": "write it as {INPUT: STEP.OUTPUT}",
    "parameters": "write it as {NAME: DEFAULT}",
}
_OF_A_FORM = frozenset({"string_pattern_mismatch", "model_type", "dict_type"})
_MENDS = {
    "string_type": "write a text, in quotes if it looks like a number",
    "list_type": "write it as [A, B], or each item on a line that begins with a hyphen",
    "too_short": "add one",
}


@dataclass(frozen=True)
class Step:
    """One step, wired.

    Attributes:
        inputs: declared input -> (id of the step that gives it, its output).
        when: the condition that it runs under; a step that needs one which is skipped is skipped, too.
        foreach: what it runs for each of.
        timeout: after which an attempt is ended, as failed.
    """

    id: str
    type: StepType
    config: Mapping[str, Any]
    after: tuple[str, ...]
    retry: Retry
    resources: Resources
    inputs: Mapping[str, tuple[str, str]]
    when: When | None = None
    foreach: Foreach | None = None
    timeout: timedelta | None = None

    @property
    def needs(self) -> tuple[str, ...]:
        """The ids of the steps that it waits for."""
        values = Flow(self.when, self.foreach).needs
        return tuple(dict.fromkeys([*(giver for giver, _ in self.inputs.values()), *values, *self.after]))


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
    try:
        shape = TemplateShape.model_validate(dict(content))
    except ValidationError as error:
        raise _rejected([(tuple(one["loc"]), _said(one)) for one in error.errors()], at) from error
    parameters, faults = declared(shape.parameters)
    faults += start_faults(shape, parameters)
    checker = Checker(defaults(parameters))
    loaded: dict[int, StepType] = {}
    for number, step in enumerate(shape.steps):
        try:
            loaded[number] = load_type(step.type, types)
        except Rejected as error:
            faults.append((("steps", number, "type"), f"{error.reason}; {error.mend}"))
    flows = Flows(shape.steps, loaded, parameters)
    flow = [flows.of(number) for number in range(len(shape.steps))]
    wiring, order, found = checker.check(shape.steps, loaded, flow)
    faults += [*flows.faults, *found]
    if faults:
        raise _rejected(faults, at)
    steps = [_step(shape.steps[number], loaded[number], wiring[number], flow[number]) for number in order]
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


def _step(shape: StepShape, type_: StepType, inputs: Mapping[str, tuple[str, str]], flow: Flow) -> Step:
    return Step(
        shape.id,
        type_,
        shape.config,
        tuple(shape.after),
        shape.retry,
        shape.resources,
        inputs,
        flow.when,
        flow.foreach,
        shape.timeout,
    )


def _said(fault: Any) -> str:
    if fault["type"] == "extra_forbidden":
        return "is not known here; take it out, or correct its spelling"
    if fault["type"] == "missing":
        return "is missing; add it"
    said = str(fault["msg"]).removeprefix("Value error, ")
    kind, word = fault["type"], str(fault["loc"][-1])
    mend = _WRITE.get(word) if kind in _OF_A_FORM else _MENDS.get(kind)
    return f"{said}; {mend}" if mend else said


def _rejected(faults: list[Fault], at: Callable[[Path], str]) -> Rejected:
    return Rejected("\n".join(f"{at(path)}: {text}" for path, text in faults), field="template")
