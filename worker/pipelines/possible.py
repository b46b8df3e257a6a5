"""Whether a step can ever run: whether the conditions of all that it needs can hold at the same time; pure."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise, product
from typing import Any

from worker.pipelines.condition import Comparison, Joined, Literal, Node, Not, Reference, holds
from worker.pipelines.flow import Flow

#: With more combinations than these nothing is said: a step is not called impossible without having looked.
_MOST = 20_000


def impossible(
    order: Sequence[int], ids: Sequence[str], needs: Mapping[int, Iterable[int]], flows: Sequence[Flow]
) -> dict[int, str]:
    """Return step -> why it can never run.

    Args:
        order: of the steps, each after all that it needs.
        ids: the steps' ids.
        needs: step -> the steps that it waits for; it is skipped with them.
        flows: the steps' conditions.
    """
    held: dict[int, dict[int, Node]] = {}
    found: dict[int, str] = {}
    for number in order:
        inherited = {giver: node for other in needs[number] for giver, node in held[other].items()}
        flow = flows[number]
        own = {number: flow.when.condition} if flow.when else {}
        conditions = inherited | own
        # The condition of a step with `foreach` is asked for each item: the step itself is never skipped by it.
        held[number] = inherited if flow.foreach else conditions
        blamed = any(other in found for other in needs[number])
        if (own or len(inherited) > 1) and not blamed and not _can_hold(list(conditions.values())):
            parts = [f"{ids[giver]!r} runs when {flows[giver].when}" for giver in inherited]
            parts += [f"it runs when {flow.when}"] if own else []
            found[number] = f"can never run: {', and '.join(parts)}; change one of them"
    return found


def _can_hold(conditions: Sequence[Node]) -> bool:
    groups = _together(conditions)
    candidates = {name: _values(group, literals) for group, literals in groups for name in group}
    total = 1
    for values in candidates.values():
        total *= len(values)
    if total > _MOST:
        return True
    names = list(candidates)
    return any(
        all(holds(condition, dict(zip(names, values, strict=True))) for condition in conditions)
        for values in product(*candidates.values())
    )


def _together(conditions: Sequence[Node]) -> list[tuple[set[str], set[Any]]]:
    """Return the references in groups of those that are compared with each other, each with the literals of it."""
    groups: list[tuple[set[str], set[Any]]] = []
    for condition in conditions:
        for names, literals in _atoms(condition):
            met = [group for group in groups if group[0] & names]
            groups = [group for group in groups if group not in met]
            groups.append((names.union(*(one for one, _ in met)), literals.union(*(one for _, one in met))))
    return groups


def _atoms(node: Node) -> Iterable[tuple[set[str], set[Any]]]:
    match node:
        case Reference(text):
            yield {text}, {True}
        case Comparison(left, _, right):
            sides = (left, right)
            yield (
                {one.text for one in sides if isinstance(one, Reference)},
                {one.value for one in sides if isinstance(one, Literal)},
            )
        case Not(term):
            yield from _atoms(term)
        case Joined(_, terms):
            for term in terms:
                yield from _atoms(term)
        case _:
            return


def _values(names: set[str], literals: set[Any]) -> list[Any]:
    """Return values that tell all comparisons apart: the literals, and as many between and beside them as names."""
    if any(isinstance(one, bool) for one in literals):
        return [True, False]
    texts = sorted(one for one in literals if isinstance(one, str))
    if texts:
        return [*texts, *("\0" * (n + 1) for n in range(len(names)))]
    if literals:
        numbers = sorted(float(one) for one in literals)
        steps = [(n + 1) / (len(names) + 1) for n in range(len(names))]
        between = [low + (high - low) * step for low, high in pairwise(numbers) for step in steps]
        beside = [edge for n in range(len(names)) for edge in (numbers[0] - n - 1, numbers[-1] + n + 1)]
        return [*numbers, *between, *beside]
    # Only compared with each other: as many different values as there are, which may be numbers or texts or booleans.
    return list(range(len(names)))
