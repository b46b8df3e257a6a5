"""Which features a computation reads, directly and through others; pure."""

from collections.abc import Iterable, Mapping, Sequence

from worker.errors import Rejected
from worker.features.computed.nodes import Feature, Node, children
from worker.features.computed.parse import parse
from worker.features.computed.place import FIELD
from worker.features.port import Definition

#: How many computed features may stand on each other.
MAX_CHAIN = 16


def features_in(node: Node) -> list[Feature]:
    """Return every mention of a feature in a tree, from left to right."""
    if isinstance(node, Feature):
        return [node]
    return [found for child in children(node) for found in features_in(child)]


def inputs_of(expression: str) -> tuple[str, ...]:
    """Return the names of the features that a computation reads itself, once each. Raises Rejected."""
    return tuple(dict.fromkeys(feature.name for feature in features_in(parse(expression))))


def direct(definition: Definition) -> tuple[str, ...]:
    """Return the features that a definition reads itself; none if it is ingested."""
    return inputs_of(definition.computation) if definition.computation else ()


def users_of(name: str, definitions: Iterable[Definition]) -> list[str]:
    """Return the computed features that read a feature themselves, by name: what stands against deleting it."""
    return sorted(item.name for item in definitions if name in direct(item))


def closure(names: Iterable[str], definitions: Mapping[str, Definition]) -> list[str]:
    """Return these features and all that they are computed from, once each; what is not defined is left out."""
    found: dict[str, None] = {}
    waiting = list(names)[::-1]
    while waiting:
        name = waiting.pop()
        if name not in found and name in definitions:
            found[name] = None
            waiting.extend(direct(definitions[name])[::-1])
    return list(found)


def in_order(definitions: Iterable[Definition]) -> list[Definition]:
    """Return definitions so that each comes after those that it reads; else in the order given.

    One whose computation is not in the language reads nothing here; to define it is refused.

    Raises:
        Rejected: a cycle (with its path), or too many on each other.
    """
    given = {item.name: item for item in definitions}
    heights: dict[str, int] = {}
    for name in given:
        _height(name, given, heights, ())
    return [given[name] for name in heights]


def _height(name: str, given: Mapping[str, Definition], heights: dict[str, int], path: tuple[str, ...]) -> int:
    """Return how many computed features stand on each other up to this one, and note it after those below."""
    if name in heights or name not in given:
        return heights.get(name, 0)
    if name in path:
        raise cycle([*path[path.index(name) :], name])
    below = [_height(needed, given, heights, (*path, name)) for needed in _within(path, given[name])]
    heights[name] = 1 + max(below) if below else 0
    if heights[name] > MAX_CHAIN:
        raise _too_many(name)
    return heights[name]


def _within(path: Sequence[str], definition: Definition) -> tuple[str, ...]:
    if len(path) > MAX_CHAIN:
        raise _too_many(path[0])
    try:
        return direct(definition)
    except Rejected:
        return ()


def _too_many(name: str) -> Rejected:
    reason = f"{name!r} stands on more than {MAX_CHAIN} computed features that stand on each other"
    return Rejected(reason, field=FIELD, mend="compute it from features further down")


def cycle(path: Sequence[str]) -> Rejected:
    """Return the error for features that are computed from each other."""
    reason = f"features cannot be computed from each other: {' → '.join(path)}"
    return Rejected(reason, field=FIELD, mend=f"take {path[1]} out of the computation of {path[0]}")
