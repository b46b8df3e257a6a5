"""What a run and its tasks are given: artifacts from outside, facts of the run, needs of a container, the own paths.

The placeholders are documented in the reference of `kfp.dsl`; `custom_path` in that of `kfp.dsl.Artifact`; resources
by parameter under "Specify machine types for a pipeline step" of Vertex AI.
"""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import List, NamedTuple, Optional  # noqa: UP035 (the SDK reads these spellings)

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import data, number, read, read_all, text

_SHELL = 'printf "%s" "$1" > "$0"'


@dsl.container_component
def told(value: str, file: str, out: dsl.OutputPath(str)):  # noqa: ANN201
    """Write its own executor input to a file, and give the place of its executor output."""
    return dsl.ContainerSpec(
        image="none",
        command=["sh", "-c", 'printf "%s" "$2" > "$1"; printf "%s" "$3" > "$0"'],
        args=[out, file, value, dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER],
    )


@dsl.container_component
def is_there(out: dsl.OutputPath(str), given: Optional[dsl.Input[dsl.Dataset]] = None):  # noqa: ANN201, UP045
    choice = dsl.IfPresentPlaceholder(input_name="given", then="given", else_="not given")
    return dsl.ContainerSpec(image="none", command=["sh", "-c", _SHELL], args=[out, choice])


@dsl.container_component
def limited(out: dsl.OutputPath(str)):  # noqa: ANN201
    """Give how much memory it may have."""
    return dsl.ContainerSpec(image="none", command=["sh", "-c", 'ulimit -d > "$0"'], args=[out])


@dsl.component(base_image="none")
def elsewhere(word: str, made: dsl.Output[dsl.Dataset]) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile("w", delete=False) as file:
        file.write(word)
    made.custom_path = file.name


class Both(NamedTuple):
    """What the inner pipeline gives."""

    first: dsl.Dataset
    all: List[dsl.Dataset]  # noqa: UP006


@dsl.pipeline(name="passing")
def passing(one: dsl.Input[dsl.Dataset], other: Optional[dsl.Input[dsl.Dataset]] = None) -> Both:  # noqa: UP045
    is_there(given=other)
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = data(value=item)
    return Both(data(value=read(given=one).output).outputs["made"], dsl.Collected(made.outputs["made"]))


def an_artifact(given: dsl.Input[dsl.Dataset], more: Optional[dsl.Input[dsl.Dataset]] = None) -> str:  # noqa: UP045
    is_there(given=more)
    return read(given=given).output


def several_artifacts(given: dsl.Input[List[dsl.Dataset]]) -> str:  # noqa: UP006
    with dsl.ParallelFor(items=given) as one:
        read(given=one)
    return read_all(given=given).output


def through_a_pipeline(given: dsl.Input[dsl.Dataset]) -> None:
    inner = passing(one=given)
    read(given=inner.outputs["first"])
    read_all(given=inner.outputs["all"])
    passing(one=given, other=given)


@dsl.pipeline(name="named")
def named(name: str, created: str) -> None:
    with dsl.If(name == "given-facts-decide"):
        text(value="ours")
    with dsl.If(created == ""):
        text(value="no time")


def facts_decide() -> None:
    named(name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, created=dsl.PIPELINE_JOB_CREATE_TIME_UTC_PLACEHOLDER)
    text(value=dsl.PIPELINE_ROOT_PLACEHOLDER + "/x")


def its_executor_input(file: str) -> None:
    told(value=dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER, file=file)


def text_like_a_placeholder(given: str) -> str:
    return text(value=f"<{text(value=given).output}>").output


def memory_by_parameter(limit: str = "2G", cpu: str = "1") -> str:
    return limited().set_memory_limit(limit).set_cpu_limit(cpu).set_memory_request("100M").output


def memory_by_a_task() -> str:
    return limited().set_memory_limit(text(value="1Gi").output).output


def memory_by_an_item() -> None:
    with dsl.ParallelFor(items=["1G", "3G"]) as item:
        limited().set_memory_limit(item)


def no_size(limit: str = "much") -> None:
    text(value=limited().set_memory_limit(limit).output)


def image_by_parameter(image: str = "python:3.11") -> str:
    return text(value="here").set_container_image(image).output


def accelerator_by_parameter(kind: str = "NVIDIA_TESLA_T4", count: str = "99") -> None:
    number(value=1).set_accelerator_type(kind).set_accelerator_limit(count)


def no_accelerator() -> None:
    number(value=1).set_accelerator_type("NVIDIA_TESLA_T4").set_accelerator_limit(0)


def path_of_its_own() -> str:
    return read(given=elsewhere(word="found").outputs["made"]).output


KB = 1024
CASES = [
    Case(
        "artifact",
        an_artifact,
        ran("is-there", "read"),
        parameters={"given": "{tmp}/given"},
        gives={"Output": "what was there", "is-there.out": "not given"},
    ),
    Case(
        "optional artifact",
        an_artifact,
        ran("is-there", "read"),
        parameters={"given": "{tmp}/given", "more": "{tmp}/given"},
        gives={"is-there.out": "given"},
    ),
    Case(
        "list of artifacts",
        several_artifacts,
        ran("for-loop-1/0/read", "for-loop-1/1/read", "read-all"),
        parameters={"given": ["{tmp}/given", "{tmp}/given"]},
        gives={"Output": "what was there+what was there"},
    ),
    Case(
        "artifact through a pipeline",
        through_a_pipeline,
        ran(
            *(
                f"{name}/{step}"
                for name in ("passing", "passing-2")
                for step in ("is-there", "read", "data-2", "for-loop-2/0/data", "for-loop-2/1/data")
            ),
            "read",
            "read-all",
        ),
        parameters={"given": "{tmp}/given"},
        gives={
            "read.out": "what was there",
            "read-all.out": "a+b",
            "passing/is-there.out": "not given",
            "passing-2/is-there.out": "given",
        },
    ),
    Case(
        "facts decide",
        facts_decide,
        {**ran("named/condition-1/text", "text"), **skipped("named/condition-2")},
        gives={"text.out": "{tmp}/out/x"},
    ),
    Case(
        "its executor input",
        its_executor_input,
        ran("told"),
        parameters={"file": "{tmp}/told"},
        gives={"told.out": "{tmp}/out/steps/told/1/executor_output.json"},
        files={"told": '"outputFile"'},
    ),
    Case(
        "text like a placeholder",
        text_like_a_placeholder,
        ran("text", "text-2"),
        parameters={"given": "{{$}} {{$.pipeline_job_name}} {{$.inputs.parameters['value']}}"},
        gives={"Output": "<{{$}} {{$.pipeline_job_name}} {{$.inputs.parameters['value']}}>"},
    ),
    Case("memory by parameter", memory_by_parameter, ran("limited"), gives={"Output": f"{2 * 10**9 // KB}\n"}),
    Case("memory by a task", memory_by_a_task, ran("text", "limited"), gives={"Output": f"{2**30 // KB}\n"}),
    Case(
        "memory by an item",
        memory_by_an_item,
        ran("for-loop-2/0/limited", "for-loop-2/1/limited"),
        gives={"for-loop-2/1/limited.out": f"{3 * 10**9 // KB}\n"},
    ),
    Case("no size", no_size, {"limited": FAILED, **skipped("text")}, state=FAILED, error="'much' is no size"),
    Case("image by parameter", image_by_parameter, ran("text"), gives={"Output": "here"}),
    Case(
        "accelerator by parameter",
        accelerator_by_parameter,
        {"number": FAILED},
        state=FAILED,
        error="asks for 99 × NVIDIA_TESLA_T4",
    ),
    Case("no accelerator", no_accelerator, ran("number"), gives={"number.out": 1}),
    Case("path of its own", path_of_its_own, ran("elsewhere", "read"), gives={"Output": "found"}),
]
