"""Lightweight Python components: the SDK's own executor runs the function."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import List, NamedTuple, Optional  # noqa: UP035 (the SDK reads these spellings)

from kfp import dsl

from tests.conformance.case import FAILED, Case, Refused, ran, skipped
from tests.conformance.parts import data, read, text


@dsl.component(base_image="none")
def add(a: int, b: float = 0.5) -> float:
    return a + b


@dsl.component(base_image="none", packages_to_install=["pyyaml>=6"])
def both(word: str, times: int) -> NamedTuple("Both", [("said", str), ("parts", list)]):
    from collections import namedtuple

    import yaml

    return namedtuple("Both", ["said", "parts"])(word * times, yaml.safe_load("[1, two]"))  # noqa: PYI024


@dsl.component(base_image="none")
def write(word: str, made: dsl.Output[dsl.Dataset]) -> None:
    made.metadata["length"] = len(word)
    with open(made.path, "w") as file:  # noqa: PTH123
        file.write(word)


@dsl.component(base_image="none")
def read_both(one: dsl.Input[dsl.Dataset], more: dsl.Input[List[dsl.Dataset]]) -> str:  # noqa: UP006
    texts = [open(artifact.path).read() for artifact in [one, *more]]  # noqa: PTH123, SIM115
    return "+".join([str(one.metadata["length"]), *texts])


@dsl.component(base_image="none")
def optional(given: Optional[str] = None) -> str:  # noqa: UP045
    return f"got {given}"


@dsl.component(base_image="none")
def broken() -> str:
    raise ValueError("as written")


@dsl.component(base_image="none")
def ending(status: dsl.PipelineTaskFinalStatus, file: str) -> None:
    with open(file, "w") as out:  # noqa: PTH123
        out.write(f"{status.state} {status.pipeline_task_name} {status.error_message}")


@dsl.component(base_image="none", packages_to_install=["no-such-package-anywhere==1.0"])
def unmet() -> None:
    pass


def numbers() -> float:
    add(a=1, b=2.0)
    return add(a=2).output


def tuples() -> str:
    made = both(word="ab", times=2)
    return text(value=made.outputs["said"]).output


def files() -> str:
    first = write(word="first")
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = write(word=item)
    return read_both(one=first.outputs["made"], more=dsl.Collected(made.outputs["made"])).output


def with_containers() -> str:
    made = write(word="x")
    read(given=made.outputs["made"])
    data(value="y")
    return optional().output


def failing() -> None:
    text(value=broken().output)


def exiting(file: str) -> None:
    with dsl.ExitHandler(exit_task=ending(file=file)):
        broken()


def needing() -> None:
    unmet()


CASES = [
    Case("numbers", numbers, ran("add", "add-2"), gives={"Output": 2.5}),
    Case("tuples", tuples, ran("both", "text"), gives={"Output": "abab", "both.parts": [1, "two"]}),
    Case(
        "files",
        files,
        ran("write", "for-loop-2/0/write-2", "for-loop-2/1/write-2", "read-both"),
        gives={"Output": "5+first+a+b"},
    ),
    Case("with containers", with_containers, ran("write", "read", "data", "optional"), gives={"Output": "got None"}),
    Case("failing", failing, {"broken": FAILED, **skipped("text")}, state=FAILED, error="ValueError: as written"),
    Case(
        "exiting",
        exiting,
        {"exit-handler-1/broken": FAILED, **ran("ending")},
        parameters={"file": "{tmp}/end"},
        state=FAILED,
        files={"end": "FAILED exit-handler-1 exit code 1: ValueError: as written"},
    ),
]
REFUSALS = [Refused("unmet requirement", needing, "executors.exec-unmet.container.command.2")]
