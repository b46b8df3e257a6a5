"""ParallelFor over lists, structs and artifacts, nested and empty; Collected in order."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import List  # noqa: UP035 (the SDK reads this spelling)

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import copied, data, fails, joined, many, number, pair, read, read_all, shown, struct, text


def static_list() -> str:
    with dsl.ParallelFor(items=["a", "b", "c"]) as item:
        made = text(value=item)
    return joined(values=dsl.Collected(made.output)).output


def dynamic_list() -> str:
    found = many(value='["p", "q"]')
    with dsl.ParallelFor(items=found.output, parallelism=1) as item:
        made = text(value=item)
    return joined(values=dsl.Collected(made.output)).output


def parameter_list(items: List[int] = [1, 2]) -> list:  # noqa: UP006, B006
    with dsl.ParallelFor(items=items) as item:
        made = number(value=item)
    return dsl.Collected(made.output)


def empty(items: List[str] = []) -> str:  # noqa: UP006, B006
    with dsl.ParallelFor(items=items) as item:
        made, kept = text(value=item), data(value=item)
    text(value=joined(values=dsl.Collected(made.output)).output)
    return read_all(given=dsl.Collected(kept.outputs["made"])).output


def structs() -> list:
    with dsl.ParallelFor(items=[{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]) as item:
        made = pair(first=item.a, second=item.b)
    return dsl.Collected(made.output)


def whole_structs(items: List[dict] = [{"a": 1}, {"a": [2.5, "x"]}]) -> list:  # noqa: UP006, B006
    with dsl.ParallelFor(items=items) as item:
        made = shown(values=item)
    return dsl.Collected(made.output)


def nested() -> list:
    with dsl.ParallelFor(items=["a", "b"]) as outer, dsl.ParallelFor(items=["1", "2"]) as inner:
        made = pair(first=outer, second=inner)
    return dsl.Collected(made.output)


def nested_artifacts() -> str:
    with dsl.ParallelFor(items=["a", "b"]) as outer, dsl.ParallelFor(items=["1", "2"]) as inner:
        made = data(value=pair(first=outer, second=inner).output)
    return read_all(given=dsl.Collected(made.outputs["made"])).output


def list_in_a_struct() -> None:
    with (
        dsl.ParallelFor(items=[{"part": ["x", "y"]}, {"part": []}]) as outer,
        dsl.ParallelFor(items=outer.part) as item,
    ):
        many(value=f'["{item}"]')


def artifacts() -> str:
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = data(value=item)
    return read_all(given=dsl.Collected(made.outputs["made"])).output


@dsl.pipeline(name="letters")
def letters() -> List[dsl.Dataset]:  # noqa: UP006
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = data(value=item)
    return dsl.Collected(made.outputs["made"])


def over_artifacts() -> str:
    with dsl.ParallelFor(items=letters().output) as one:
        more = copied(given=one, more="!")
    return read_all(given=dsl.Collected(more.outputs["made"])).output


def artifact_list_as_output() -> List[dsl.Dataset]:  # noqa: UP006
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = data(value=item)
    return dsl.Collected(made.outputs["made"])


def failure_inside() -> str:
    with dsl.ParallelFor(items=["a", "b"]) as item:
        made = text(value=item)
        with dsl.If(made.output == "b"):
            fails(why="b is bad")
    return joined(values=dsl.Collected(made.output)).output


def collected_under_a_condition() -> str:
    with dsl.ParallelFor(items=["a", "b", "c"]) as item, dsl.If(item != "b"):
        made = text(value=item)
    return joined(values=dsl.Collected(made.output)).output


def struct_of_a_step() -> None:
    found = struct(value='{"names": ["x"]}')
    shown(values=found.output)


def outer_artifact_inside() -> None:
    made = data(value="outer")
    with dsl.ParallelFor(items=[1, 2]) as _:
        read(given=made.outputs["made"])


def two_collected() -> str:
    with dsl.ParallelFor(items=["3", "1", "2"]) as item:
        a = text(value=item)
        b = text(value=f"<{a.output}>")
    first, second = joined(values=dsl.Collected(a.output)), joined(values=dsl.Collected(b.output))
    return text(value=f"{first.output} {second.output}").output


CASES = [
    Case(
        "static list",
        static_list,
        ran(*(f"for-loop-2/{n}/text" for n in range(3)), "joined"),
        gives={"Output": "a+b+c"},
    ),
    Case(
        "dynamic list, one at a time",
        dynamic_list,
        ran("many", "for-loop-1/0/text", "for-loop-1/1/text", "joined"),
        gives={"Output": "p+q"},
    ),
    Case(
        "list of the run",
        parameter_list,
        ran(*(f"for-loop-1/{n}/number" for n in range(3))),
        gives={"Output": [7, 8, 9]},
        parameters={"items": [7, 8, 9]},
    ),
    Case(
        "empty",
        empty,
        ran("joined", "read-all", "text-2"),
        gives={"joined.out": "", "Output": ""},
    ),
    Case(
        "structs",
        structs,
        ran("for-loop-2/0/pair", "for-loop-2/1/pair"),
        gives={"Output": ["1x", "2y"]},
    ),
    Case(
        "whole structs",
        whole_structs,
        ran("for-loop-1/0/shown", "for-loop-1/1/shown"),
        gives={"Output": ['{"a": 1}', '{"a": [2.5, "x"]}']},
    ),
    Case(
        "nested",
        nested,
        ran(*(f"for-loop-2/{n}/for-loop-4/{m}/pair" for n in range(2) for m in range(2))),
        gives={"Output": [["a1", "a2"], ["b1", "b2"]]},
    ),
    Case(
        "nested artifacts are flat",
        nested_artifacts,
        ran(
            *(f"for-loop-2/{n}/for-loop-4/{m}/{step}" for n in range(2) for m in range(2) for step in ("pair", "data")),
            "read-all",
        ),
        gives={"Output": "a1+a2+b1+b2"},
    ),
    Case(
        "list in a struct",
        list_in_a_struct,
        ran("for-loop-2/0/for-loop-3/0/many", "for-loop-2/0/for-loop-3/1/many"),
        gives={"for-loop-2/0/for-loop-3/1/many.out": ["y"]},
    ),
    Case(
        "artifacts",
        artifacts,
        ran("for-loop-2/0/data", "for-loop-2/1/data", "read-all"),
        gives={"Output": "a+b"},
    ),
    Case(
        "over artifacts",
        over_artifacts,
        ran(
            *(f"letters/for-loop-2/{n}/data" for n in range(2)),
            *(f"for-loop-1/{n}/copied" for n in range(2)),
            "read-all",
        ),
        gives={"Output": "a!+b!"},
    ),
    Case(
        "list of artifacts as output",
        artifact_list_as_output,
        ran("for-loop-2/0/data", "for-loop-2/1/data"),
        gives={"Output": ["a", "b"]},
    ),
    Case(
        "failure inside",
        failure_inside,
        {
            **ran("for-loop-2/0/text", "for-loop-2/1/text"),
            **skipped("for-loop-2/0/condition-3", "joined"),
            "for-loop-2/1/condition-3/fails": FAILED,
        },
        state=FAILED,
        error="b is bad",
    ),
    Case(
        "collected under a condition",
        collected_under_a_condition,
        {
            **ran("for-loop-2/0/condition-3/text", "for-loop-2/2/condition-3/text", "joined"),
            **skipped("for-loop-2/1/condition-3"),
        },
        gives={"Output": "a+c"},
    ),
    Case("struct of a step", struct_of_a_step, ran("struct", "shown"), gives={"shown.out": '{"names": ["x"]}'}),
    Case(
        "outer artifact inside",
        outer_artifact_inside,
        ran("data", "for-loop-2/0/read", "for-loop-2/1/read"),
        gives={"for-loop-2/1/read.out": "outer"},
    ),
    Case(
        "two collected",
        two_collected,
        ran(
            *(f"for-loop-2/{n}/{step}" for n in range(3) for step in ("text", "text-2")), "joined", "joined-2", "text-3"
        ),
        gives={"Output": "3+1+2 <3>+<1>+<2>"},
    ),
]
