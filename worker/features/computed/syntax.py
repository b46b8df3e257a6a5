"""The part of parsing that lark does, and from its tree to ours; imported where a computation is read first."""

import math
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedToken

from worker.bee import parse_duration
from worker.errors import Rejected
from worker.features.computed.functions import AGGREGATES, BOTH
from worker.features.computed.grammar import GRAMMAR, TOKENS, VALUES
from worker.features.computed.nodes import MAX_WINDOW_US, Aggregate, Binary, Call, Feature, IsNull, Literal, Node, Unary
from worker.features.computed.place import FIELD, fault

MAX_DEPTH = 100

_OPERATORS = {"=": "==", "<>": "!="}


def read(text: str) -> Node:
    """Return the tree of a computation. Raises Rejected with the place."""
    try:
        tree = _parser().parse(text)
    except UnexpectedCharacters as error:
        raise _strange_character(text, error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _unexpected(text, error) from None
    return _Builder(text).build(tree)


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="basic")


def _strange_character(text: str, at: int) -> Rejected:
    if text[at] in "'\"`":
        return fault(text, at, "this quote is never closed", "close it, and write a quote inside a text twice")
    return fault(text, at, f"{text[at]!r} means nothing here")


def _unexpected(text: str, error: UnexpectedToken) -> Rejected:
    token = error.token
    expected = set(error.expected)
    values = ["a value"] if expected >= VALUES else []
    names = values + sorted(TOKENS[name] for name in expected - (VALUES if values else set()) if name in TOKENS)
    hint = f"expected is one of {', '.join(names)}" if len(names) > 1 else f"expected is {''.join(names)}"
    if token.type == "$END":
        return fault(text, len(text.rstrip()), "the computation ends too early", hint)
    return fault(text, token.start_pos or 0, f"{str(token)[:40]!r} is not expected here", hint)


class _Builder:
    """Turns lark's tree into ours, each kind of branch by the method of its name."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._depth = 0
        self._makers: dict[str, Callable[[list[Any]], Node]] = {
            "number": self._number,
            "text": self._literal_text,
            "constant": self._constant,
            "feature": self._feature,
            "call": self._call,
            "window": self._window,
            "unary": self._unary,
            "binary": self._binary,
            "is_null": self._is_null,
            "is_not_null": self._is_null,
        }

    def build(self, tree: Any) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            mend = "split the computation into several computed features"
            raise Rejected(f"the computation is nested more than {MAX_DEPTH} deep", field=FIELD, mend=mend)
        node = self._makers[tree.data](tree.children)
        self._depth -= 1
        return node

    def _number(self, parts: list[Token]) -> Node:
        value = float(parts[0])
        if not math.isfinite(value):
            raise fault(self._text, _at(parts[0]), "this number is too large", "stay below 1.8e308")
        return Literal(_at(parts[0]), value)

    def _literal_text(self, parts: list[Token]) -> Node:
        quote = parts[0][0]
        return Literal(_at(parts[0]), parts[0][1:-1].replace(quote * 2, quote))

    def _constant(self, parts: list[Token]) -> Node:
        return Literal(_at(parts[0]), {"true": True, "false": False, "null": None}[str(parts[0])])

    def _feature(self, parts: list[Token]) -> Feature:
        return Feature(_at(parts[0]), str(parts[0]).strip("`"))

    def _call(self, parts: list[Any]) -> Node:
        name, arguments = parts[0], [part for part in parts[1:] if part is not None]
        if name in AGGREGATES and not (name in BOTH and len(arguments) > 1):
            return self._aggregate(name, arguments, None)
        return Call(_at(name), str(name), tuple(self.build(argument) for argument in arguments))

    def _window(self, parts: list[Any]) -> Node:
        name, argument, _, duration = parts
        if name not in AGGREGATES:
            mend = f"a window goes with {', '.join(AGGREGATES)}"
            raise fault(self._text, _at(name), f"{name[:40]!r} takes no window", mend)
        return self._aggregate(name, [argument], self._window_us(duration))

    def _window_us(self, duration: Token) -> int:
        try:
            window: timedelta = parse_duration(str(duration))
        except ValueError as error:
            raise fault(self._text, _at(duration), str(error)) from None
        if not window:
            raise fault(self._text, _at(duration), "a window of no length holds nothing", "write it as 30d or 12h")
        return min(window // timedelta(microseconds=1), MAX_WINDOW_US)

    def _aggregate(self, name: Token, arguments: list[Tree[Token]], window_us: int | None) -> Node:
        if len(arguments) != 1:
            what = f"{str(name)!r} takes one feature, not {len(arguments)}"
            raise fault(self._text, _at(name), what, f"write it as {name}(engagement) or {name}(engagement over 30d)")
        argument = self.build(arguments[0])
        if not isinstance(argument, Feature):
            kind = "of an aggregate" if isinstance(argument, Aggregate) else "of anything but a feature"
            mend = f"{name} goes over the stored values of one feature; compute with its result"
            raise fault(self._text, argument.at, f"there is no {name} {kind}", mend)
        return Aggregate(_at(name), str(name), argument, window_us)

    def _unary(self, parts: list[Any]) -> Node:
        return Unary(_at(parts[0]), str(parts[0]), self.build(parts[1]))

    def _binary(self, parts: list[Any]) -> Node:
        operator = str(parts[1])
        left, right = self.build(parts[0]), self.build(parts[2])
        return Binary(_at(parts[1]), _OPERATORS.get(operator, operator), left, right)

    def _is_null(self, parts: list[Any]) -> Node:
        return IsNull(_at(parts[1]), self.build(parts[0]), negated=len(parts) == 4)


def _at(token: Token) -> int:
    return token.start_pos or 0
