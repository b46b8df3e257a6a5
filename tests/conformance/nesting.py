"""Pipelines in pipelines: inputs, defaults, outputs; the same component used more than once."""
# ruff: noqa: D103 (the name in the table below says what a pipeline is)

from typing import NamedTuple, Optional

from kfp import dsl

from tests.conformance.case import FAILED, Case, ran, skipped
from tests.conformance.parts import data, fails, joined, maybe, number, read, text


class Both(NamedTuple):
    """What the inner pipeline gives."""

    word: str
    made: dsl.Dataset


@dsl.pipeline(name="inner")
def inner(word: str = "default", other: Optional[str] = None) -> Both:  # noqa: UP045 (the SDK reads this spelling)
    said = text(value=word)
    maybe(value=other)
    return Both(said.output, data(value=said.output).outputs["made"])


@dsl.pipeline(name="middle")
def middle(n: int) -> str:
    first = inner(word=f"n{n}")
    return read(given=first.outputs["made"]).output


@dsl.pipeline(name="broken")
def broken() -> str:
    fails(why="inside")
    return text(value="beside").output


def outputs() -> str:
    made = inner(word="w")
    read(given=made.outputs["made"])
    return text(value=made.outputs["word"]).output


def defaults() -> str:
    return inner().outputs["word"]


def optional_given() -> str:
    return inner(other="o").outputs["word"]


def twice() -> str:
    a, b = inner(word="a"), inner(word="b")
    return text(value=f"{a.outputs['word']}{b.outputs['word']}").output


def deep() -> str:
    return middle(n=7).output


def in_a_loop() -> str:
    with dsl.ParallelFor(items=[1, 2]) as item:
        made = middle(n=item)
    return joined(values=dsl.Collected(made.output)).output


def in_a_condition(n: int = 1) -> None:
    with dsl.If(n == 1):
        inner(word="w")
    with dsl.Else():
        middle(n=n)


def that_fails() -> None:
    text(value=broken().output)


def same_component_twice() -> int:
    a = number(value=1)
    b = number(value=2).after(a)
    c = number(value=b.output)
    return c.output


def by_after_only() -> None:
    a = text(value="a")
    b = text(value="b").after(a)
    text(value="c").after(a, b)


INNER = ("text", "maybe", "data")
CASES = [
    Case(
        "outputs",
        outputs,
        ran(*(f"inner/{step}" for step in INNER), "read", "text"),
        gives={"Output": "w", "read.out": "w"},
    ),
    Case(
        "defaults",
        defaults,
        ran(*(f"inner/{step}" for step in INNER)),
        gives={"Output": "default", "inner/maybe.out": "default"},
    ),
    Case("optional given", optional_given, ran(*(f"inner/{step}" for step in INNER)), gives={"inner/maybe.out": "o"}),
    Case(
        "twice",
        twice,
        ran(*(f"{name}/{step}" for name in ("inner", "inner-2") for step in INNER), "text"),
        gives={"Output": "ab"},
    ),
    Case("deep", deep, ran(*(f"middle/inner/{step}" for step in INNER), "middle/read"), gives={"Output": "n7"}),
    Case(
        "in a loop",
        in_a_loop,
        ran(
            *(f"for-loop-2/{n}/middle/inner/{step}" for n in range(2) for step in INNER),
            *(f"for-loop-2/{n}/middle/read" for n in range(2)),
            "joined",
        ),
        gives={"Output": "n1+n2"},
    ),
    Case(
        "in a condition",
        in_a_condition,
        {
            **ran(*(f"condition-branches-1/condition-2/inner/{step}" for step in INNER)),
            **skipped("condition-branches-1/condition-3"),
        },
    ),
    Case(
        "fails",
        that_fails,
        {"broken/fails": FAILED, **ran("broken/text"), **skipped("text")},
        state=FAILED,
        error="inside",
    ),
    Case("same component", same_component_twice, ran("number", "number-2", "number-3"), gives={"Output": 2}),
    Case("after", by_after_only, ran("text", "text-2", "text-3")),
]
