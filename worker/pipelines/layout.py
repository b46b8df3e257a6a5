"""Where the steps of a graph stand when it is drawn: in layers, each step below all that it waits for; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_SWEEPS = 4


@dataclass(frozen=True)
class Layout:
    """A layered graph.

    Attributes:
        layers: from top to bottom, in each the nodes from left to right; a line that passes a layer by is a node, too.
        segments: (upper node, lower node) of neighbouring layers.
        passing: the nodes that are only lines.
    """

    layers: Sequence[Sequence[str]]
    segments: Sequence[tuple[str, str]]
    passing: frozenset[str]


def layered(needs: Mapping[str, Iterable[str]]) -> Layout:
    """Return the layout of an acyclic graph.

    Args:
        needs: each step -> the steps it waits for, in an order in which each comes after all that it needs.
    """
    waits = {id_: list(dict.fromkeys(given)) for id_, given in needs.items()}
    direct = _reduced(waits)
    depth: dict[str, int] = {}
    for id_, given in waits.items():
        depth[id_] = 1 + max((depth[other] for other in given), default=-1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for id_ in waits:
        layers[depth[id_]].append(id_)
    segments: list[tuple[str, str]] = []
    passing: set[str] = set()
    for lower, given in direct.items():
        for upper in given:
            chain = [upper, *(f"{upper}→{lower} {n}" for n in range(depth[upper] + 1, depth[lower])), lower]
            for place, node in enumerate(chain[1:-1], start=depth[upper] + 1):
                layers[place].append(node)
                passing.add(node)
            segments += pairwise(chain)
    return Layout(_ordered(layers, segments), segments, frozenset(passing))


def _reduced(waits: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Leave out each wait that follows from the others: what is needed by something that is needed."""
    before: dict[str, set[str]] = {}
    direct = {}
    for id_, given in waits.items():
        indirect = {far for near in given for far in before[near]}
        before[id_] = indirect | set(given)
        direct[id_] = [other for other in given if other not in indirect]
    return direct


def _ordered(layers: list[list[str]], segments: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Order each layer by where its neighbours stand, so that few lines cross."""
    above: dict[str, list[str]] = {}
    below: dict[str, list[str]] = {}
    for upper, lower in segments:
        below.setdefault(upper, []).append(lower)
        above.setdefault(lower, []).append(upper)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        order = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        for number in order:
            fixed = layers[number - 1 if down else number + 1]
            _sort(layers[number], fixed, above if down else below)
    return layers


def _sort(layer: list[str], fixed: Sequence[str], neighbours: Mapping[str, Sequence[str]]) -> None:
    share = {node: (place + 0.5) / len(fixed) for place, node in enumerate(fixed)}
    own = {node: (place + 0.5) / len(layer) for place, node in enumerate(layer)}

    def middle(node: str) -> float:
        near = [share[other] for other in neighbours.get(node, ()) if other in share]
        return sum(near) / len(near) if near else own[node]

    layer.sort(key=middle)
