"""What this engine does not do: refused where the pipeline is submitted, with its path, and never left out."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import Refused
from tests.conformance.parts import data, number, text


@dsl.container_component
def bare() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="someone/elses:1", args=["--flag"])


@dsl.container_component
def foreign() -> dsl.ContainerSpec:
    return dsl.ContainerSpec(image="none", command=["/no/such/program"])


def an_accelerator() -> None:
    text(value="x").set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(1)


def a_number_as_text(n: int = 3) -> None:
    with dsl.If(n == "3"):
        text(value="x")


def a_bad_escape(s: str = "x") -> None:
    with dsl.If(s == "\\q"):
        text(value="x")


def an_outer_item_in_an_inner_text() -> None:
    with dsl.ParallelFor(items=["a"]) as outer, dsl.ParallelFor(items=["b"]) as _:
        text(value=f"{outer}!")


def a_value_in_a_written_list() -> None:
    made = text(value="x")
    with dsl.ParallelFor(items=[f"{made.output}!"]) as item:
        text(value=item)


def a_created_time() -> None:
    text(value=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER)


def an_image_without_command() -> None:
    bare()


def a_program_that_is_not_here() -> None:
    foreign()


def artifacts_from_outside(given: dsl.Input[dsl.Dataset]) -> None:
    del given
    data(value="x")


def a_memory_limit_by_parameter(limit: str = "1G") -> None:
    number(value=1).set_memory_limit(limit)


CASES = [
    Refused("accelerator", an_accelerator, "executors.exec-text.container.resources.accelerator"),
    Refused("number as text", a_number_as_text, "condition-1.triggerPolicy.condition"),
    Refused("bad escape", a_bad_escape, "condition-1.triggerPolicy.condition"),
    Refused("outer item in an inner text", an_outer_item_in_an_inner_text, "inputs.parameters"),
    Refused("value in a written list", a_value_in_a_written_list, "parameterIterator.items.raw"),
    Refused("created time", a_created_time, "tasks.text.inputs.parameters.value"),
    Refused("image without command", an_image_without_command, "executors.exec-bare.container.command"),
    Refused("no such program", a_program_that_is_not_here, "executors.exec-foreign.container.command.0"),
    Refused("artifacts from outside", artifacts_from_outside, "root.inputDefinitions.artifacts"),
    Refused("memory limit by parameter", a_memory_limit_by_parameter, "tasks.number.inputs.parameters.memory_limit"),
]
