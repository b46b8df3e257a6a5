"""A computation as a tree; every node knows where in the text it stands."""

from dataclasses import dataclass

#: Longer than any calendar; so far back, a sum of times stays within 64 bits.
MAX_WINDOW_US = 2**61


@dataclass(frozen=True)
class Literal:
    """A number, text, boolean or null as written."""

    at: int
    value: float | str | bool | None


@dataclass(frozen=True)
class Feature:
    """A feature's newest value."""

    at: int
    name: str


@dataclass(frozen=True)
class Aggregate:
    """One number (or value) out of a feature's history; `window_us` is None for all that its ttl lets count."""

    at: int
    function: str
    feature: Feature
    window_us: int | None


@dataclass(frozen=True)
class Unary:
    """`-` or `not`."""

    at: int
    operator: str
    operand: "Node"


@dataclass(frozen=True)
class Binary:
    """Arithmetic, a comparison, `and` or `or`."""

    at: int
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True)
class IsNull:
    """`is null`, or `is not null` if negated."""

    at: int
    operand: "Node"
    negated: bool


@dataclass(frozen=True)
class Call:
    """A function of values."""

    at: int
    function: str
    arguments: tuple["Node", ...]


Node = Literal | Feature | Aggregate | Unary | Binary | IsNull | Call


def children(node: Node) -> tuple[Node, ...]:
    """Return the parts of a node, from left to right."""
    match node:
        case Unary(operand=operand) | IsNull(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(arguments=arguments):
            return arguments
        case Aggregate(feature=feature):
            return (feature,)
        case _:
            return ()
