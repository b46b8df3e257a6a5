"""What loops go over: items of every type, lists in lists, structs without a key; and how deep loops collect."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import List  # noqa: UP035 (the SDK reads this spelling)

from kfp import dsl

from tests.conformance.case import FAILED, SKIPPED, SUCCEEDED, Case, ran, skipped
from tests.conformance.parts import fraction, joined, many, number, pair, shown, text, truth


def three_deep() -> str:
    with dsl.ParallelFor(items=["a", "b"]) as one, dsl.ParallelFor(items=["1", "2"]) as two:
        both = pair(first=one, second=two)
        with dsl.ParallelFor(items=["x"]) as three:
            made = pair(first=both.output, second=three)
    return joined(values=dsl.Collected(made.output)).output


def collected_inside() -> list:
    with dsl.ParallelFor(items=["a", "b"]) as outer:
        with dsl.ParallelFor(items=["1", "2"]) as inner:
            made = pair(first=outer, second=inner)
        all_ = joined(values=dsl.Collected(made.output))
    return dsl.Collected(all_.output)


def lists_in_a_list(items: List[list] = [["a"], [], ["b", "c"]]) -> None:  # noqa: UP006, B006
    with dsl.ParallelFor(items=items) as part, dsl.ParallelFor(items=part) as item:
        text(value=item)


def of_any_type(items: list) -> list:
    with dsl.ParallelFor(items=items) as item:
        made = text(value=item)
    return dsl.Collected(made.output)


def without_the_key(items: List[dict] = [{"a": "1"}, {"b": "2"}]) -> None:  # noqa: UP006, B006
    with dsl.ParallelFor(items=items) as item:
        text(value=item.a)


def collected_structs() -> str:
    with dsl.ParallelFor(items=[{"a": 1}, {"a": 2.5}]) as item:
        made = shown(values=item)
    with dsl.ParallelFor(items=["x"]) as _:
        again = joined(values=dsl.Collected(made.output))
    return joined(values=dsl.Collected(again.output)).output


def no_list(given: str = "no list") -> None:
    found = many(value=given)
    with dsl.ParallelFor(items=found.output) as item:
        text(value=item)


def numbers_stay() -> None:
    with dsl.ParallelFor(items=[1, 2]) as item:
        number(value=item)
    with dsl.ParallelFor(items=[1.5, 2.0]) as item:
        fraction(value=item)
    with dsl.ParallelFor(items=[True]) as item:
        truth(value=item)


def lists_in_structs(items: List[dict]) -> None:  # noqa: UP006
    with dsl.ParallelFor(items=items) as item:
        with dsl.If(item.letter == "a"), dsl.ParallelFor(items=item.more) as one:
            text(value=one)
        with dsl.If(item.letter != "a"):
            pair(first=item.letter, second=f"<{item.letter}>")


def branches_by_struct(items: List[dict]) -> None:  # noqa: UP006
    with dsl.ParallelFor(items=items) as item:
        with dsl.If(item.letter == "a"):
            text(value=item.letter)
        with dsl.Elif(item.n == "2"):
            text(value="two")
        with dsl.Else():
            text(value="more")


def branches_by_written_struct() -> None:
    with dsl.ParallelFor(items=[{"letter": "a"}, {"letter": "b"}]) as item:
        with dsl.If(item.letter == "a"):
            text(value="is a")
        with dsl.Else():
            text(value="is not")


def lists_in_written_structs() -> None:
    with (
        dsl.ParallelFor(items=[{"letter": "a", "more": ["x"]}, {"letter": "b", "more": []}]) as item,
        dsl.If(item.letter == "a"),
        dsl.ParallelFor(items=item.more) as one,
    ):
        text(value=one)


def outer_items_in_an_inner_text(items: List[str]) -> None:  # noqa: UP006
    with dsl.ParallelFor(items=items) as outer, dsl.ParallelFor(items=["x", "y"]) as inner:
        text(value=f"{outer}{inner}")
        with dsl.ParallelFor(items=["!"]) as last:
            text(value=f"{outer}{inner}{last}")


ITEMS = [{"letter": "a", "n": "1", "more": ["x", "y"]}, {"letter": "b", "n": "2"}, {"letter": "c", "n": "3"}]
CASES = [
    Case(
        "lists in structs",
        lists_in_structs,
        {
            **ran("for-loop-1/0/condition-2/for-loop-3/0/text", "for-loop-1/0/condition-2/for-loop-3/1/text"),
            **ran("for-loop-1/1/condition-4/pair", "for-loop-1/2/condition-4/pair"),
            **skipped("for-loop-1/0/condition-4", "for-loop-1/1/condition-2", "for-loop-1/2/condition-2"),
        },
        parameters={"items": ITEMS},
        gives={"for-loop-1/1/condition-4/pair.out": "b<b>"},
    ),
    Case(
        "branches by struct",
        branches_by_struct,
        {
            f"for-loop-1/{n}/condition-branches-2/condition-{k}{f'/text{step}' if n + 3 == k else ''}": (
                SUCCEEDED if n + 3 == k else SKIPPED
            )
            for n in range(3)
            for k, step in ((3, ""), (4, "-2"), (5, "-3"))
        },
        parameters={"items": ITEMS},
    ),
    # The next three the compiler wires wrongly (github.com/kubeflow/pipelines/issues/13273): Vertex AI answers 400,
    # "Component input parameter … is not defined" (issues/6628); here they run as they are meant.
    Case(
        "branches by written struct",
        branches_by_written_struct,
        {
            **ran(
                "for-loop-2/0/condition-branches-3/condition-4/text",
                "for-loop-2/1/condition-branches-3/condition-5/text-2",
            ),
            **skipped(
                "for-loop-2/0/condition-branches-3/condition-5",
                "for-loop-2/1/condition-branches-3/condition-4",
            ),
        },
    ),
    Case(
        "outer items in an inner text",
        outer_items_in_an_inner_text,
        ran(
            *(f"for-loop-1/{n}/for-loop-3/{m}/text" for n in range(2) for m in range(2)),
            *(f"for-loop-1/{n}/for-loop-3/{m}/for-loop-5/0/text-2" for n in range(2) for m in range(2)),
        ),
        parameters={"items": ["a", "b"]},
        gives={"for-loop-1/1/for-loop-3/0/text.out": "bx", "for-loop-1/1/for-loop-3/0/for-loop-5/0/text-2.out": "bx!"},
    ),
    Case(
        "lists in written structs",
        lists_in_written_structs,
        {**ran("for-loop-2/0/condition-3/for-loop-4/0/text"), **skipped("for-loop-2/1/condition-3")},
    ),
    Case(
        "three deep",
        three_deep,
        ran(
            *(f"for-loop-2/{n}/for-loop-4/{m}/pair" for n in range(2) for m in range(2)),
            *(f"for-loop-2/{n}/for-loop-4/{m}/for-loop-6/0/pair-2" for n in range(2) for m in range(2)),
            "joined",
        ),
        gives={"Output": "[['a1x'], ['a2x']]+[['b1x'], ['b2x']]"},
    ),
    Case(
        "collected inside",
        collected_inside,
        ran(
            *(f"for-loop-2/{n}/for-loop-4/{m}/pair" for n in range(2) for m in range(2)),
            *(f"for-loop-2/{n}/joined" for n in range(2)),
        ),
        gives={"Output": ["a1+a2", "b1+b2"]},
    ),
    Case(
        "lists in a list",
        lists_in_a_list,
        ran("for-loop-1/0/for-loop-2/0/text", "for-loop-1/2/for-loop-2/0/text", "for-loop-1/2/for-loop-2/1/text"),
    ),
    Case(
        "of any type",
        of_any_type,
        ran(*(f"for-loop-1/{n}/text" for n in range(6))),
        parameters={"items": ["a", 1, 2.5, True, None, {"k": [1]}]},
        gives={"Output": ["a", "1", "2.5", "true", "null", '{"k": [1]}']},
    ),
    Case(
        "without the key",
        without_the_key,
        {**ran("for-loop-1/0/text"), "for-loop-1/1/text": FAILED},
        state=FAILED,
        error="the item has no 'a'",
    ),
    Case(
        "collected structs",
        collected_structs,
        ran("for-loop-2/0/shown", "for-loop-2/1/shown", "for-loop-4/0/joined", "joined-2"),
        gives={"Output": '{"a": 1}+{"a": 2.5}'},
    ),
    Case("no list", no_list, {"many": FAILED, **skipped("for-loop-1")}, state=FAILED, error="not of type LIST"),
    Case(
        "numbers stay what they are",
        numbers_stay,
        ran(
            *(
                f"for-loop-{k}/{n}/{s}"
                for k, s, m in ((2, "number", 2), (4, "fraction", 2), (6, "truth", 1))
                for n in range(m)
            )
        ),
        gives={"for-loop-4/1/fraction.out": 2.0, "for-loop-6/0/truth.out": True},
    ),
]
