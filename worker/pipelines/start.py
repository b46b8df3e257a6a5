"""Checks that a template can be started the way it says: by drift, by a schedule, or by hand; pure."""

from collections.abc import Iterator, Mapping

from worker.errors import Rejected
from worker.pipelines.parameters import Parameter, given
from worker.pipelines.shape import Schedule, TemplateShape
from worker.steps.values import Fault


def start_faults(shape: TemplateShape, parameters: Mapping[str, Parameter]) -> Iterator[Fault]:
    """Yield what keeps the template's own trigger from starting it."""
    if shape.trigger == "schedule" and shape.schedule is None:
        yield ("trigger",), 'a schedule is missing; add `schedule: {cron: "0 3 * * 1", parameters: {beeId: …}}`'
    if shape.schedule is not None:
        yield from _schedule_faults(shape, shape.schedule, parameters)
    if shape.trigger == "drift":
        for name, parameter in parameters.items():
            if parameter.required:
                yield ("parameters", name), "nobody gives it when drift triggers; give it a default"


def _schedule_faults(shape: TemplateShape, schedule: Schedule, parameters: Mapping[str, Parameter]) -> Iterator[Fault]:
    if shape.trigger != "schedule":
        yield ("schedule",), f"does nothing, for the trigger is {shape.trigger!r}; write `trigger: schedule`"
    if not isinstance(schedule.parameters.get("beeId"), str):
        yield ("schedule", "parameters", "beeId"), "is missing; say which bee the runs are for"
    try:
        given(parameters, schedule.parameters)
    except Rejected as error:
        yield ("schedule", *error.field.split(".")), f"{error.reason}; {error.mend}"
