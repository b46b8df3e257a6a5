"""The type of every part of a computation; a fault is told with its place."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches

from worker.bee import duration_text
from worker.errors import Rejected
from worker.features.computed.functions import AGGREGATES, BOOLEAN, NULL, NUMBER, NUMERIC, SCALAR, STRING, VECTOR
from worker.features.computed.nodes import Aggregate, Binary, Call, Feature, IsNull, Literal, Node, Unary
from worker.features.computed.place import fault
from worker.features.port import Definition

_LOGICAL = ("and", "or")
_EQUALITY = ("==", "!=")
_ORDER = ("<", "<=", ">", ">=")


class Typing:
    """Finds types in one computation.

    Args:
        text: the computation, to show a fault in.
        definition: whose computation it is.
        definitions: every feature that there is.
    """

    def __init__(self, text: str, definition: Definition, definitions: Mapping[str, Definition]) -> None:
        self._text = text
        self._definition = definition
        self._definitions = definitions

    def of(self, node: Node) -> str:
        """Return number, string, boolean, vector, or null for what is always null. Raises Rejected."""
        match node:
            case Literal():
                return _literal(node)
            case Feature():
                return self._feature(node).type
            case Aggregate():
                return self._aggregate(node)
            case Unary():
                wanted = BOOLEAN if node.operator == "not" else NUMBER
                self._expect(node.operand, wanted, f"`{node.operator}`")
                return wanted
            case Binary():
                return self._binary(node)
            case IsNull():
                self.of(node.operand)
                return BOOLEAN
            case Call():
                return self._call(node)

    def _fault(self, at: int, what: str, mend: str = "") -> Rejected:
        return fault(self._text, at, what, mend)

    def _feature(self, node: Feature) -> Definition:
        found, entity = self._definitions.get(node.name), self._definition.entity
        own = sorted(name for name, item in self._definitions.items() if item.entity == entity)
        if found is None:
            near = get_close_matches(node.name, own, n=3)
            listed = ", ".join([name for name in own if name != self._definition.name][:12]) or "none yet"
            mend = f"did you mean {' or '.join(near)}?" if near else f"features of {entity} are: {listed}"
            raise self._fault(node.at, f"the feature {node.name[:140]!r} is not defined", mend)
        if found.entity != entity:
            what = f"{node.name!r} is a feature of {found.entity!r}, and this one is of {entity!r}"
            mend = f"compute it for {found.entity!r}; a bee's `entities` bring features of both into one row"
            raise self._fault(node.at, what, mend)
        return found

    def _aggregate(self, node: Aggregate) -> str:
        feature = self._feature(node.feature)
        if feature.source == "computed":
            what = f"{feature.name!r} is computed and has no history of its own"
            raise self._fault(node.feature.at, what, f"take the {node.function} of what it is computed from")
        kinds = AGGREGATES[node.function]
        if feature.type not in kinds:
            what = f"{feature.name!r} is a {feature.type}, and `{node.function}` takes a {' or '.join(kinds)}"
            raise self._fault(node.feature.at, what)
        window = None if node.window_us is None else timedelta(microseconds=node.window_us)
        if window is not None and feature.ttl is not None and window > feature.ttl:
            what = f"{feature.name!r} expires after {duration_text(feature.ttl)}, before this window ends"
            raise self._fault(node.at, what, "shorten the window, or lengthen the feature's ttl")
        return feature.type if node.function in {"last", "first"} else NUMBER

    def _binary(self, node: Binary) -> str:
        shown = f"`{node.operator}`"
        if node.operator in _LOGICAL:
            return self._both(node, BOOLEAN, shown, BOOLEAN)
        if node.operator in _EQUALITY:
            return self._equality(node)
        return self._both(node, NUMBER, shown, BOOLEAN if node.operator in _ORDER else NUMBER)

    def _both(self, node: Binary, wanted: str, shown: str, result: str) -> str:
        self._expect(node.left, wanted, shown)
        self._expect(node.right, wanted, shown)
        return result

    def _equality(self, node: Binary) -> str:
        left, right = self.of(node.left), self.of(node.right)
        if NULL in {left, right}:
            what, mend = "nothing equals null, not even null", "write `is null` or `is not null`"
            raise self._fault(node.at, what, mend)
        if left != right:
            raise self._fault(node.at, f"a {left} never equals a {right}")
        if left == VECTOR:
            raise self._fault(node.at, "vectors are not compared")
        return BOOLEAN

    def _call(self, node: Call) -> str:
        function = SCALAR.get(node.function)
        if function is None:
            raise self._unknown_function(node)
        count = len(node.arguments)
        if count < function.least or (function.most is not None and count > function.most):
            more = "" if function.most == function.least else " or more"
            what = f"`{node.function}` takes {function.least}{more} values, not {count}"
            raise self._fault(node.at, what.replace("takes 1 values", "takes 1 value"))
        if node.function in NUMERIC:
            for argument in node.arguments:
                self._expect(argument, NUMBER, f"`{node.function}`")
            return NUMBER
        if node.function == "if":
            self._expect(node.arguments[0], BOOLEAN, "the condition of `if`")
            return self._same(node.arguments[1:], "`if`")
        return self._same(node.arguments, "`coalesce`")

    def _unknown_function(self, node: Call) -> Rejected:
        known = sorted({*SCALAR, *AGGREGATES})
        near = get_close_matches(node.function, known, n=2)
        mend = f"did you mean {' or '.join(near)}?" if near else f"functions are: {', '.join(known)}"
        return self._fault(node.at, f"there is no function {node.function[:140]!r}", mend)

    def _expect(self, node: Node, wanted: str, where: str) -> None:
        found = self.of(node)
        if found not in {wanted, NULL}:
            raise self._fault(node.at, f"this is a {found}, and {where} takes a {wanted}")

    def _same(self, nodes: Sequence[Node], where: str) -> str:
        """Return the one type that all have; null goes with any."""
        kind = NULL
        for node in nodes:
            found = self.of(node)
            if NULL not in {kind, found} and found != kind:
                raise self._fault(node.at, f"this is a {found}, and the other value of {where} is a {kind}")
            kind = found if kind == NULL else kind
        return kind


def _literal(node: Literal) -> str:
    if node.value is None:
        return NULL
    if isinstance(node.value, bool):
        return BOOLEAN
    return STRING if isinstance(node.value, str) else NUMBER
