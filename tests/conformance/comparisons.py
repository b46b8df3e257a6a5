"""What conditions compare: texts with signs of the language in them, values with each other, nothing at all."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import Optional

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import text


def between_values(a: str = "x", b: str = "y", yes: bool = True, no: bool = False) -> None:  # noqa: FBT001, FBT002
    with dsl.If(a < b):
        text(value="order of texts")
    with dsl.If(a == b):
        text(value="never")
    with dsl.If(yes > no):
        text(value="order of booleans")


def on_texts(s: str = "") -> None:
    with dsl.If(s == "a && b || !(c)"):
        text(value="operators")
    with dsl.If(s == "été 漢 😀"):
        text(value="beyond ASCII")
    with dsl.If(s == "(it's) 'quoted'"):
        text(value="quotes in brackets")
    with dsl.If(s == "C:\\\\new"):
        text(value="backslash")
    with dsl.If(s == 3):
        text(value="a number's text")


def on_nothing(s: Optional[str] = None) -> None:  # noqa: UP045 (the SDK reads this spelling)
    with dsl.If(s == "x"):
        text(value="x")
    text(value="beside")


def on_exponents(f: float = 3e21) -> None:
    with dsl.If(f > 1e21):
        text(value="large")
    with dsl.If(f < -1e-21):
        text(value="never")


def three_deep(n: int = 1) -> None:
    with dsl.If(n == 1):
        with dsl.If(n != 2), dsl.If(n <= 1):
            text(value="deep")
        with dsl.Else():
            text(value="never")


TEXTS = {1: "a && b || !(c)", 2: "été 漢 😀", 3: "(it's) 'quoted'", 4: "C:\\new", 5: "3"}
CASES = [
    *(
        Case(
            f"text {number}",
            on_texts,
            {
                **ran(f"condition-{number}/text{'' if number == 1 else f'-{number}'}"),
                **skipped(*(f"condition-{other}" for other in TEXTS if other != number)),
            },
            parameters={"s": s},
        )
        for number, s in TEXTS.items()
    ),
    Case(
        "between values",
        between_values,
        {**ran("condition-1/text", "condition-3/text-3"), **skipped("condition-2")},
    ),
    # CEL, the conditions' language, has no value for an input that was not given: "no such key"
    Case("on nothing", on_nothing, {"condition-1": FAILED, **ran("text-2")}, state=FAILED, error="is not given"),
    Case("exponents", on_exponents, {**ran("condition-1/text"), **skipped("condition-2")}),
    Case(
        "three deep",
        three_deep,
        {
            **ran("condition-1/condition-branches-2/condition-4/condition-3/text"),
            **skipped("condition-1/condition-branches-2/condition-5"),
        },
    ),
]
