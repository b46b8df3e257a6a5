"""If, Elif and Else: over parameters and outputs of every type, in nested DAGs and loops."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from kfp import dsl

from tests.conformance.case import Case, ran, skipped
from tests.conformance.parts import fraction, number, text, truth


def on_parameter(n: int = 4) -> None:
    with dsl.If(n > 3):
        text(value="large")
    with dsl.Elif(n > 1):
        text(value="middle")
    with dsl.Else():
        text(value="small")


def on_outputs() -> None:
    a, b = number(value=3), fraction(value=2.5)
    with dsl.If(a.output >= b.output):
        text(value="yes")
    with dsl.If(a.output == 3):
        text(value="three")
    with dsl.If(b.output < 2):
        text(value="no")


def on_named_output_in_nested_dag() -> None:
    judged = text(value="better")
    with dsl.If(judged.outputs["out"] == "better"):
        again = text(value="deploy")
        with dsl.If(again.outputs["out"] == "deploy"):
            text(value="deployed")
        with dsl.Else():
            text(value="kept")


def on_booleans(flag: bool = False) -> None:  # noqa: FBT001, FBT002
    made = truth(value=True)
    with dsl.If(made.output == True):  # noqa: E712
        text(value="made")
    with dsl.If(flag == True):  # noqa: E712
        text(value="flag")
    with dsl.If(flag != True):  # noqa: E712
        text(value="no-flag")


def on_quotes(a: str = "it's", b: str = 'say "hi"', c: str = "") -> None:
    with dsl.If(a == "it's"):
        text(value="1")
    with dsl.If(b == 'say "hi"'):
        text(value="2")
    with dsl.If(c == ""):
        text(value="3")
    with dsl.If(a == "its"):
        text(value="4")


def on_code_like_text(a: str = "1 or True") -> None:
    with dsl.If(a == "__import__('os').system('touch /tmp/never')"):
        text(value="1")
    with dsl.If(a == "1 or True"):
        text(value="2")


def on_small_numbers(f: float = 1e-9, i: int = -2) -> None:
    with dsl.If(f < 1e-7):
        text(value="tiny")
    with dsl.If(i < -1):
        text(value="negative")
    with dsl.If(i >= 0.5):
        text(value="never")


def what_needs_a_skipped_one(n: int = 1) -> None:
    with dsl.If(n == 2):
        first = text(value="never")
        second = text(value=first.output)
        with dsl.If(second.output == "never"):
            text(value="nor this")
    text(value="apart")


def elif_takes_the_first(n: int = 5) -> None:
    with dsl.If(n < 0):
        text(value="a")
    with dsl.Elif(n < 10):
        text(value="b")
    with dsl.Elif(n < 100):
        text(value="c")
    with dsl.Else():
        text(value="d")


def in_a_loop() -> None:
    with dsl.ParallelFor(items=["x", "y"]) as item:
        made = text(value=item)
        with dsl.If(made.output == "y"):
            text(value="is-y")
        with dsl.Else():
            text(value="other")


def on_items(items: list = [1, 2]) -> None:  # noqa: B006
    with dsl.ParallelFor(items=items) as item, dsl.If(item == 2):
        text(value="two")


def on_fields_of_items() -> None:
    with dsl.ParallelFor(items=[{"letter": "a", "n": 1}, {"letter": "b", "n": 2}]) as item:
        made = text(value=item.letter)
        with dsl.If(item.n == 2):
            text(value=made.output)


def outer_value_inside_a_loop(n: int = 2) -> None:
    made = number(value=n)
    with dsl.ParallelFor(items=[1, 2, 3]) as item, dsl.If(item > made.output):
        number(value=item)


def nothing_but_skipped(n: int = 0) -> None:
    with dsl.If(n == 1):
        text(value="a")
    with dsl.If(n == 2):
        text(value="b")


B = "condition-branches-1"
CASES = [
    Case("if", on_parameter, {**ran(f"{B}/condition-2/text"), **skipped(f"{B}/condition-3", f"{B}/condition-4")}),
    Case(
        "elif",
        on_parameter,
        {**ran(f"{B}/condition-3/text-2"), **skipped(f"{B}/condition-2", f"{B}/condition-4")},
        parameters={"n": 2},
    ),
    Case(
        "else",
        on_parameter,
        {**ran(f"{B}/condition-4/text-3"), **skipped(f"{B}/condition-2", f"{B}/condition-3")},
        parameters={"n": 0},
    ),
    Case(
        "several outputs",
        on_outputs,
        {**ran("number", "fraction", "condition-1/text", "condition-2/text-2"), **skipped("condition-3")},
    ),
    Case(
        "named output, nested",
        on_named_output_in_nested_dag,
        {
            **ran("text", "condition-1/text-2", "condition-1/condition-branches-2/condition-3/text-3"),
            **skipped("condition-1/condition-branches-2/condition-4"),
        },
    ),
    Case("booleans", on_booleans, {**ran("truth", "condition-1/text", "condition-3/text-3"), **skipped("condition-2")}),
    Case(
        "quotes",
        on_quotes,
        {**ran("condition-1/text", "condition-2/text-2", "condition-3/text-3"), **skipped("condition-4")},
    ),
    Case("text like code", on_code_like_text, {**ran("condition-2/text-2"), **skipped("condition-1")}),
    Case(
        "numbers",
        on_small_numbers,
        {**ran("condition-1/text", "condition-2/text-2"), **skipped("condition-3")},
    ),
    Case(
        "what needs a skipped one",
        what_needs_a_skipped_one,
        {**ran("text-4"), **skipped("condition-1")},
    ),
    Case(
        "first elif",
        elif_takes_the_first,
        {
            **ran(f"{B}/condition-3/text-2"),
            **skipped(f"{B}/condition-2", f"{B}/condition-4", f"{B}/condition-5"),
        },
    ),
    Case(
        "in a loop",
        in_a_loop,
        {
            **ran("for-loop-2/0/text", "for-loop-2/1/text"),
            **ran("for-loop-2/0/condition-branches-3/condition-5/text-3"),
            **ran("for-loop-2/1/condition-branches-3/condition-4/text-2"),
            **skipped("for-loop-2/0/condition-branches-3/condition-4", "for-loop-2/1/condition-branches-3/condition-5"),
        },
    ),
    Case("on items", on_items, {**skipped("for-loop-1/0/condition-2"), **ran("for-loop-1/1/condition-2/text")}),
    Case(
        "on fields of items",
        on_fields_of_items,
        {
            **ran("for-loop-2/0/text", "for-loop-2/1/text", "for-loop-2/1/condition-3/text-2"),
            **skipped("for-loop-2/0/condition-3"),
        },
        gives={"for-loop-2/1/condition-3/text-2.out": "b"},
    ),
    Case(
        "outer value in a loop",
        outer_value_inside_a_loop,
        {
            **ran("number", "for-loop-2/2/condition-3/number-2"),
            **skipped("for-loop-2/0/condition-3", "for-loop-2/1/condition-3"),
        },
    ),
    Case("nothing runs", nothing_but_skipped, skipped("condition-1", "condition-2")),
]
