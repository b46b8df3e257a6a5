"""A second, naive interpreter of computations: one row at a time, one entry at a time, exact fractions, no arrays."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Any

from worker.features.computed.nodes import Aggregate, Binary, Call, Feature, IsNull, Literal, Node, Unary
from worker.features.computed.parse import parse
from worker.features.port import Definition, Value


@dataclass(frozen=True)
class Entry:
    """One stored value; entries are in the order in which they were written."""

    entity: int
    feature: str
    event: int
    known: int
    value: Value


class Reference:
    """Answers for one entity at one time."""

    def __init__(
        self, definitions: Mapping[str, Definition], entries: Iterable[Entry], entity: int, time: int, *, respect: bool
    ) -> None:
        self.definitions = definitions
        self.time = time
        self.entries = [
            entry
            for entry in entries
            if entry.entity == entity and entry.event <= time and (entry.known <= time or not respect)
        ]

    def answer(self, name: str) -> tuple[Value, int | None]:
        """Return a feature as it is answered: there is one zero."""
        value, event = self.feature(name)
        return (value + 0.0 if isinstance(value, float) else value), event

    def feature(self, name: str) -> tuple[Value, int | None]:
        """Return a feature's value and the newest event time behind it, None for none."""
        definition = self.definitions[name]
        if definition.source == "computed":
            tree = parse(definition.computation or "")
            event = max((time for time in self.events(tree) if time is not None), default=None)
            value = self.value(tree)
            over = definition.ttl is not None and event is not None and self.time - event > us(definition.ttl)
            return (None if over else value), event
        kept = self.standing(name, None)
        return (kept[-1][1], kept[-1][0]) if kept else (None, None)

    def standing(self, name: str, window: int | None) -> list[tuple[int, Value]]:
        """Return (event time, value) of all that counts, by time: for each event time the newest known."""
        ttl = self.definitions[name].ttl
        newest: dict[int, tuple[int, int, Value]] = {}
        for order, entry in enumerate(self.entries):
            age = self.time - entry.event
            if entry.feature != name or (ttl is not None and age > us(ttl)) or (window is not None and age >= window):
                continue
            if entry.event not in newest or newest[entry.event][:2] <= (entry.known, order):
                newest[entry.event] = (entry.known, order, entry.value)
        return sorted((event, held[2]) for event, held in newest.items())  # no two have the same event time

    def events(self, node: Node) -> list[int | None]:
        """Return the newest event time behind every input of a tree."""
        match node:
            case Feature():
                return [self.feature(node.name)[1]]
            case Aggregate():
                kept = self.standing(node.feature.name, node.window_us)
                return [kept[-1][0] if kept else None]
            case Unary(operand=operand) | IsNull(operand=operand):
                return self.events(operand)
            case Binary():
                return self.events(node.left) + self.events(node.right)
            case Call():
                return [event for argument in node.arguments for event in self.events(argument)]
            case _:
                return []

    def value(self, node: Node) -> Any:
        """Return what a tree comes to; numbers as floats."""
        match node:
            case Literal():
                return node.value
            case Feature():
                return self.feature(node.name)[0]
            case Aggregate():
                kept = [value for _, value in self.standing(node.feature.name, node.window_us) if value is not None]
                return AGGREGATES[node.function](kept)
            case IsNull():
                return (self.value(node.operand) is None) != node.negated
            case Unary():
                operand = self.value(node.operand)
                if operand is None:
                    return None
                return (not operand) if node.operator == "not" else -operand
            case Binary():
                return binary(node.operator, self.value(node.left), self.value(node.right))
            case Call():
                return call(node.function, [self.value(argument) for argument in node.arguments])


def us(duration: timedelta) -> int:
    """Return whole microseconds."""
    return duration // timedelta(microseconds=1)


def finite(compute: Callable[[], float]) -> float | None:
    """Return a number, None where there is none or it is not finite."""
    try:
        number = float(compute())
    except (ArithmeticError, ValueError):
        return None
    return number if math.isfinite(number) else None


def binary(operator: str, left: Any, right: Any) -> Any:
    """Return what an operator makes of two values."""
    if operator == "and":
        return False if left is False or right is False else (None if left is None or right is None else True)
    if operator == "or":
        return True if left is True or right is True else (None if left is None or right is None else False)
    if left is None or right is None:
        return None
    return {
        "+": lambda: finite(lambda: left + right),
        "-": lambda: finite(lambda: left - right),
        "*": lambda: finite(lambda: left * right),
        "/": lambda: finite(lambda: left / right),
        "%": lambda: finite(lambda: left % right),
        "==": lambda: left == right,
        "!=": lambda: left != right,
        "<": lambda: left < right,
        "<=": lambda: left <= right,
        ">": lambda: left > right,
        ">=": lambda: left >= right,
    }[operator]()


def call(function: str, values: Sequence[Any]) -> Any:
    """Return what a function makes of values."""
    if function == "if":
        return values[1] if values[0] is True else values[2]
    if function == "coalesce":
        return next((value for value in values if value is not None), None)
    if None in values:
        return None
    first = values[0]
    return finite(
        {
            "abs": lambda: abs(first),
            "ceil": lambda: math.ceil(first),
            "clip": lambda: min(max(first, values[1]), values[2]),
            "exp": lambda: math.exp(first),
            "floor": lambda: math.floor(first),
            "log": lambda: math.log(first),
            "max": lambda: max(values),
            "min": lambda: min(values),
            "round": lambda: round(first),
            "sqrt": lambda: math.sqrt(first),
        }[function]
    )


def total(values: Sequence[float]) -> float | None:
    """Return the sum, exact until it is rounded."""
    return float(sum(map(Fraction, values))) if values else None


def deviation(values: Sequence[float]) -> float | None:
    """Return the sample's standard deviation by its documented steps."""
    if len(values) < 2:
        return None
    mean = (total(values) or 0.0) / len(values)
    distances = [value - mean for value in values]
    squares, rest = total([distance**2 for distance in distances]) or 0.0, total(distances) or 0.0
    variance = max(0.0, squares - rest**2 / len(values)) / (len(values) - 1)
    return math.sqrt(variance) if len(set(values)) > 1 else 0.0


AGGREGATES: Mapping[str, Callable[[Sequence[Any]], Any]] = {
    "sum": total,
    "count": lambda values: float(len(values)),
    "mean": lambda values: (total(values) or 0.0) / len(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "std": deviation,
    "last": lambda values: values[-1] if values else None,
    "first": lambda values: values[0] if values else None,
    "distinct": lambda values: float(len(set(values))),
}
