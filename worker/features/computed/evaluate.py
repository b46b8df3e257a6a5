"""The one evaluator of computations: for training, in batch and online, many rows or one, in the same code."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import numpy as np

from worker.features.computed import cells
from worker.features.computed.cells import Cells
from worker.features.computed.inputs import closure, in_order
from worker.features.computed.nodes import (
    MAX_WINDOW_US,
    Aggregate,
    Binary,
    Call,
    Feature,
    IsNull,
    Literal,
    Node,
    Unary,
)
from worker.features.computed.parse import parse
from worker.features.computed.windows import NEVER, Spine, aggregate
from worker.features.join import Bools, Ints, Log
from worker.features.port import Definition, Value

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Newest:
    """An ingested feature's newest value per row, its event time (NEVER if there is none), and what known-at took."""

    cells: Cells
    event: Ints
    without_known_at: int


class Source(Protocol):
    """Where the evaluator finds the stored values of its rows."""

    def newest(self, definition: Definition) -> Newest:
        """Return a feature's value per row, by the rule of a point-in-time read: ttl and known-at applied."""
        ...

    def log(self, definition: Definition, reach_us: int | None) -> Log:
        """Return at least what the rows' entities have of a feature from t - reach (None: ever) to t, for each t."""
        ...


@dataclass(frozen=True)
class Loss:
    """What known-at took from one input: how many rows had something to read, and how many keep something."""

    feature: str
    without: int
    kept: int


@dataclass(frozen=True)
class Computed:
    """A computed feature per row.

    Attributes:
        cells: the values; null also where the feature's own ttl is over.
        event: the newest event time of what was read, NEVER where nothing was there.
        expired: where only the feature's own ttl took the value.
    """

    cells: Cells
    event: Ints
    expired: Bools


class Evaluation:
    """Computes any number of features for the same rows; what several of them read is read once.

    Args:
        definitions: every feature that the computations need, in the versions that count.
        source: the stored values.
        spine: the rows.
        respect_known_at: whether what was not known by a row's time is left out.
    """

    def __init__(
        self, definitions: Mapping[str, Definition], source: Source, spine: Spine, *, respect_known_at: bool = True
    ) -> None:
        self._definitions = definitions
        self._source = source
        self._spine = spine
        self._respect_known_at = respect_known_at
        self._computed: dict[str, Computed] = {}
        self._newest: dict[str, Newest] = {}
        self._aggregates: dict[tuple[str, str, int | None], tuple[Cells, Ints]] = {}
        self._losses: dict[tuple[str, int | None], Loss] = {}

    def losses_of(self, name: str) -> list[Loss]:
        """Return what known-at took from each input of a feature that was computed."""
        needed = set(closure([name], self._definitions))
        return [loss for loss in self._losses.values() if loss.feature in needed]

    def compute(self, name: str) -> Computed:
        """Return a computed feature. Raises Rejected if a window spans too many values."""
        for item in in_order(self._definitions[needed] for needed in closure([name], self._definitions)):
            # Those below come first: the depth of the walk is that of one computation.
            if item.source == "computed" and item.name not in self._computed:
                self._computed[item.name] = self._evaluate(item)
        return self._computed[name]

    def _evaluate(self, definition: Definition) -> Computed:
        events: list[Ints] = []
        found = self._cells(parse(definition.computation or ""), events)
        event = np.maximum.reduce(events)
        expired = np.zeros(len(event), np.bool_)
        if definition.ttl is not None:
            expired = (event != NEVER) & (self._spine.times - event > _us(definition.ttl)) & ~found.null()
            found = cells.call("if", [Cells("boolean", expired.astype(np.float64)), self._constant(None), found])
        return Computed(found, event, expired)

    def _constant(self, value: Value) -> Cells:
        return cells.constant(value, len(self._spine.codes))

    def _cells(self, node: Node, events: list[Ints]) -> Cells:
        """Return a node's value per row, and add the event times of what it reads."""
        match node:
            case Literal():
                return self._constant(node.value)
            case Feature():
                return self._feature(node.name, events)
            case Aggregate():
                return self._aggregate(node, events)
            case Unary():
                operand = self._cells(node.operand, events)
                return cells.negation(operand) if node.operator == "not" else cells.negative(operand)
            case Binary():
                return cells.binary(node.operator, self._cells(node.left, events), self._cells(node.right, events))
            case IsNull():
                return cells.is_null(self._cells(node.operand, events), negated=node.negated)
            case Call():
                return cells.call(node.function, [self._cells(argument, events) for argument in node.arguments])

    def _feature(self, name: str, events: list[Ints]) -> Cells:
        if name in self._computed:
            events.append(self._computed[name].event)
            return self._computed[name].cells
        if name not in self._newest:
            found = self._newest[name] = self._source.newest(self._definitions[name])
            self._losses[name, 0] = Loss(name, found.without_known_at, int(np.count_nonzero(found.event != NEVER)))
        events.append(self._newest[name].event)
        return self._newest[name].cells

    def _aggregate(self, node: Aggregate, events: list[Ints]) -> Cells:
        definition = self._definitions[node.feature.name]
        reach_us = reach(definition, node.window_us)
        key = (node.function, definition.name, reach_us)
        if key not in self._aggregates:
            log = self._source.log(definition, reach_us)
            found = aggregate(
                node.function,
                definition,
                log,
                self._spine,
                reach_us=reach_us,
                respect_known_at=self._respect_known_at,
            )
            self._aggregates[key] = (found.cells, found.event)
            kept = int(np.count_nonzero(found.event != NEVER))
            self._losses[definition.name, reach_us] = Loss(definition.name, found.without_known_at, kept)
        values, event = self._aggregates[key]
        events.append(event)
        return values


def reach(definition: Definition, window_us: int | None) -> int | None:
    """Return how far back from t values count, that time included.

    A window reaches from t - w to t without its beginning, (t - w, t], so that windows of a day share no value; a ttl
    reaches from t - ttl to t with it, as everywhere. The shorter of both counts.
    """
    limits = [] if window_us is None else [window_us - 1]
    if definition.ttl is not None:
        limits.append(_us(definition.ttl))
    return min(limits, default=None)


def _us(duration: timedelta) -> int:
    return min(duration // _MICROSECOND, MAX_WINDOW_US)
