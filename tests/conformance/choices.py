"""OneOf: the output of the branch that ran, parameters and artifacts."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import Case, ran, skipped
from tests.conformance.parts import copied, data, read, text


def parameter(n: int = 1) -> str:
    with dsl.If(n == 1):
        a = text(value="a")
    with dsl.Elif(n == 2):
        b = text(value="b")
    with dsl.Else():
        c = text(value="c")
    chosen = dsl.OneOf(a.output, b.output, c.output)
    text(value=chosen)
    return chosen


def artifact(n: int = 1) -> str:
    with dsl.If(n == 1):
        a = data(value="a")
    with dsl.Else():
        b = data(value="b")
    return read(given=dsl.OneOf(a.outputs["made"], b.outputs["made"])).outputs["out"]


def artifact_as_output(n: int = 2) -> dsl.Dataset:
    with dsl.If(n == 1):
        a = data(value="a")
    with dsl.Else():
        b = data(value="b")
    return dsl.OneOf(a.outputs["made"], b.outputs["made"])


def in_a_loop() -> None:
    with dsl.ParallelFor(items=["x", "y"]) as item:
        with dsl.If(item == "x"):
            a = data(value="from-x")
        with dsl.Else():
            b = data(value="from-y")
        copied(given=dsl.OneOf(a.outputs["made"], b.outputs["made"]), more="!")


@dsl.pipeline(name="inner")
def inner(n: int) -> str:
    with dsl.If(n == 1):
        a = text(value="one")
    with dsl.Else():
        b = text(value="more")
    return dsl.OneOf(a.output, b.output)


def of_a_nested_pipeline() -> str:
    return text(value=inner(n=2).output).output


B = "condition-branches-1"
CASES = [
    Case(
        f"parameter, branch {n}",
        parameter,
        {
            **ran(f"{B}/condition-{n + 1}/text{'' if n == 1 else f'-{n}'}", "text-4"),
            **skipped(*(f"{B}/condition-{k + 1}" for k in (1, 2, 3) if k != n)),
        },
        gives={"Output": letter, "text-4.out": letter},
        parameters={"n": n},
    )
    for n, letter in ((1, "a"), (2, "b"), (3, "c"))
] + [
    Case(
        "artifact, if",
        artifact,
        {**ran(f"{B}/condition-2/data", "read"), **skipped(f"{B}/condition-3")},
        gives={"Output": "a"},
    ),
    Case(
        "artifact, else",
        artifact,
        {**ran(f"{B}/condition-3/data-2", "read"), **skipped(f"{B}/condition-2")},
        gives={"Output": "b"},
        parameters={"n": 7},
    ),
    Case(
        "artifact of the pipeline",
        artifact_as_output,
        {**ran(f"{B}/condition-3/data-2"), **skipped(f"{B}/condition-2")},
        gives={"Output": ["b"]},
    ),
    Case(
        "in a loop",
        in_a_loop,
        {
            **ran("for-loop-2/0/condition-branches-3/condition-4/data", "for-loop-2/0/copied"),
            **ran("for-loop-2/1/condition-branches-3/condition-5/data-2", "for-loop-2/1/copied"),
            **skipped("for-loop-2/0/condition-branches-3/condition-5", "for-loop-2/1/condition-branches-3/condition-4"),
        },
    ),
    Case(
        "of a nested pipeline",
        of_a_nested_pipeline,
        {
            **ran("inner/condition-branches-1/condition-3/text-2", "text"),
            **skipped("inner/condition-branches-1/condition-2"),
        },
        gives={"Output": "more"},
    ),
]
