"""What this engine does not do: refused where the pipeline is submitted, with its path, and never left out."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import Refused
from tests.conformance.parts import joined, read, text


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


def a_value_in_a_written_list() -> None:
    made = text(value="x")
    with dsl.ParallelFor(items=[f"{made.output}!"]) as item:
        text(value=item)


def an_image_without_command() -> None:
    bare()


def a_program_that_is_not_here() -> None:
    foreign()


def an_artifact_that_nobody_gives(given: dsl.Input[dsl.Dataset]) -> None:
    read(given=given)


def a_value_in_a_uri(folder: str = "gs://bucket") -> None:
    dsl.importer(artifact_uri=f"{folder}/x", artifact_class=dsl.Dataset)


def a_placeholder_as_default(name: str = dsl.PIPELINE_JOB_NAME_PLACEHOLDER) -> None:
    text(value=name)


def a_value_in_the_environment(n: str = "3") -> None:
    text(value="x").set_env_variable("N", f"{n}")


def what_an_attempt_knows_in_a_list() -> None:
    joined(values=[dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER])


def a_text_that_ends_another(s: str = "x") -> None:
    with dsl.If(s == "x' == 'x"):
        text(value="x")


def an_infinite_number(f: float = 1.0) -> None:
    with dsl.If(f < float("inf")):
        text(value="x")


CASES = [
    Refused("accelerator", an_accelerator, "executors.exec-text.container.resources.accelerator"),
    Refused("number as text", a_number_as_text, "condition-1.triggerPolicy.condition"),
    Refused("bad escape", a_bad_escape, "condition-1.triggerPolicy.condition"),
    Refused("value in a written list", a_value_in_a_written_list, "parameterIterator.items.raw"),
    Refused("image without command", an_image_without_command, "executors.exec-bare.container.command"),
    Refused("no such program", a_program_that_is_not_here, "executors.exec-foreign.container.command.0"),
    Refused("artifact not given", an_artifact_that_nobody_gives, "parameters.given"),
    Refused("value in a URI", a_value_in_a_uri, "exec-importer.importer.artifactUri.constant"),
    Refused("placeholder as default", a_placeholder_as_default, "inputDefinitions.parameters.name.defaultValue"),
    Refused("value in the environment", a_value_in_the_environment, "exec-text.container.env.0.value"),
    Refused("attempt in a list", what_an_attempt_knows_in_a_list, "tasks.joined.inputs.parameters.values"),
    Refused("text that ends another", a_text_that_ends_another, "condition-1.triggerPolicy.condition"),
    Refused("infinite number", an_infinite_number, "condition-1.triggerPolicy.condition"),
]
