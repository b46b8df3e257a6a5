from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.pipelines.condition import Comparison, Joined, Literal, Node, Not, Reference, holds, parse_condition
from worker.pipelines.flow import Flow, Foreach, When
from worker.pipelines.possible import impossible
from worker.steps.values import ValueType


def _flow(text: str | None, *, foreach: bool = False) -> Flow:
    when = When(text, parse_condition(text), {}) if text else None
    return Flow(when, Foreach("x", ValueType("string")) if foreach else None)


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        (("${a}", "not ${a}"), True),
        (("${a} == 'x'", "${a} == 'y'"), True),
        (("${a} == 'x'", "${a} != 'y'"), False),
        (("${a} > 1", "${a} < 2"), False),
        (("${a} > 1", "${a} <= 1"), True),
        (("${a} > ${b}", "${b} > ${a}"), True),
        (("${a} > ${b}", "${b} > 3 and ${a} < 2"), True),
        (("${a} > ${b}", "${b} > 3 and ${a} < 4"), False),
        (("${a} or ${b}", "not ${b}"), False),
        (("${a} or ${b}", "not ${b} and not ${a}"), True),
        ((None, "${a}"), False),
    ],
)
def test_two_steps(texts: tuple[str | None, str], found: bool) -> None:  # noqa: FBT001 - a column of the table
    """A step whose condition and that of a step it needs exclude each other can never run."""
    flows = [_flow(text) for text in texts]

    assert (1 in impossible([0, 1], ["one", "two"], {0: [], 1: [0]}, flows)) is found


def test_what_follows_is_not_told_again() -> None:
    """Of a chain only the first step that can never run is told, and of needs both are named."""
    flows = [_flow("${a}"), _flow("not ${a}"), _flow(None), _flow(None)]
    found = impossible([0, 1, 2, 3], ["one", "two", "both", "after"], {0: [], 1: [], 2: [0, 1], 3: [2]}, flows)

    assert found == {2: "can never run: 'one' runs when ${a}, and 'two' runs when not ${a}; change one of them"}


def test_a_loop_is_never_skipped() -> None:
    """The condition of a step with `foreach` is asked for each item, so that it says nothing of what is after it."""
    flows = [_flow("${a}", foreach=True), _flow("not ${a}")]

    assert impossible([0, 1], ["each", "last"], {0: [], 1: [0]}, flows) == {}


def _numbers() -> st.SearchStrategy[Node]:
    side = st.sampled_from([Reference("a"), Reference("b"), Literal(0), Literal(1), Literal(2)])
    atom = st.builds(Comparison, side, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), side)
    return st.recursive(
        atom,
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(Joined, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=4,
    )


@given(_numbers())
def test_nothing_possible_is_refused(node: Node) -> None:
    """What is called impossible holds for no values on a grid, and what is not called so holds for some."""
    flow = Flow(When("x", node, {}))
    grid: list[Any] = [-1, 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 3, 4]
    possible = any(holds(node, {"a": a, "b": b}) for a, b in product(grid, grid))

    assert bool(impossible([0], ["one"], {0: []}, [flow])) is not possible
