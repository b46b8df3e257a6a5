"""The language of `when`: comparisons of references with each other and with literals, joined by and, or, not; pure.

    ${parameters.deploy}                                        a boolean by itself
    ${steps.evaluate.outputs.better} and ${parameters.share} >= 0.5
    not (${item.region} == "EU" or ${item.region} == 'CH')

Texts and booleans are compared with == and !=, numbers also with < <= > >=. Only values of the same kind are compared.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from worker.errors import Rejected

_TOKEN = re.compile(
    r"\s*(?:\$\{(?P<reference>[^{}]*)\}"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<word>and|or|not|true|false)\b"
    r"|(?P<sign>==|!=|<=|>=|<|>|\(|\)))",
    re.DOTALL,
)
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}
_MEND = "write it as ${parameters.deploy} == true and ${steps.evaluate.outputs.better}"
#: How people write it who know another language.
_OTHERS = {"&&": "and", "||": "or", "!": "not", "=": "==", "True": "true", "False": "false", "AND": "and", "OR": "or"}
_DEEPEST = 50


@dataclass(frozen=True)
class Reference:
    """`${…}`, by what stands between the braces."""

    text: str


@dataclass(frozen=True)
class Literal:
    """A text, number or boolean."""

    value: str | float | bool


@dataclass(frozen=True)
class Comparison:
    """Two operands with a sign between them."""

    left: Reference | Literal
    sign: str
    right: Reference | Literal


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    term: "Node"


@dataclass(frozen=True)
class Joined:
    """Conditions of which all (`and`) or any (`or`) must hold."""

    word: str
    terms: tuple["Node", ...]


Node = Reference | Literal | Comparison | Not | Joined


def parse_condition(text: str) -> Node:
    """Return a condition's tree. Raises Rejected with what cannot be read, and how to write it."""
    parser = _Parser(text)
    node = parser.joined("or", 0)
    if parser.at < len(parser.tokens):
        parser.fail(parser.tokens[parser.at][0].strip())
    if not any(references(node)):
        raise Rejected(f"{text!r} is always the same", mend="take it out, or refer to something")
    return node


def references(node: Node) -> Iterator[str]:
    """Yield what a condition refers to, in order."""
    match node:
        case Reference(text):
            yield text
        case Comparison(left, _, right):
            yield from (*references(left), *references(right))
        case Not(term):
            yield from references(term)
        case Joined(_, terms):
            for term in terms:
                yield from references(term)
        case _:
            return


def check_kinds(node: Node, kind_of: Callable[[str], str]) -> None:
    """Check that a condition compares like with like.

    Args:
        node: the condition.
        kind_of: the kind of what is referred to: text, number or boolean.

    Raises:
        Rejected: values of different kinds, an order of texts, or a condition that is no boolean.
    """
    match node:
        case Comparison(left, sign, right):
            kinds = [_kind(side, kind_of) for side in (left, right)]
            if kinds[0] != kinds[1]:
                said = f"compares {_said(left)}, a {kinds[0]}, with {_said(right)}, a {kinds[1]}"
                raise Rejected(said, mend=f"compare it with a {kinds[0]}")
            if kinds[0] != "number" and sign not in ("==", "!="):
                raise Rejected(f"{sign} is for numbers, but {_said(left)} is a {kinds[0]}", mend="use == or !=")
        case Not(term):
            check_kinds(term, kind_of)
        case Joined(_, terms):
            for term in terms:
                check_kinds(term, kind_of)
        case _:
            kind = _kind(node, kind_of)
            if kind != "boolean":
                raise Rejected(f"{_said(node)} is a {kind}, no condition", mend=f"compare it: {_said(node)} == …")


def holds(node: Node, values: Mapping[str, Any]) -> bool:
    """Return whether a condition holds for the values of its references."""
    match node:
        case Comparison(left, sign, right):
            return COMPARE[sign](_value(left, values), _value(right, values))
        case Not(term):
            return not holds(term, values)
        case Joined(word, terms):
            found = [holds(term, values) for term in terms]
            return all(found) if word == "and" else any(found)
        case _:
            return bool(_value(node, values))


def kind(value: object) -> str:
    """Return the kind of a literal's value."""
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _kind(node: Reference | Literal, kind_of: Callable[[str], str]) -> str:
    return kind_of(node.text) if isinstance(node, Reference) else kind(node.value)


def _value(node: Reference | Literal, values: Mapping[str, Any]) -> Any:
    return values[node.text] if isinstance(node, Reference) else node.value


def _said(node: Reference | Literal) -> str:
    return f"${{{node.text}}}" if isinstance(node, Reference) else json.dumps(node.value, ensure_ascii=False)


class _Parser:
    """Recursive descent, weakest binding first: or, and, not, comparison."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.tokens: list[re.Match[str]] = []
        place = 0
        while text[place:].strip():
            token = _TOKEN.match(text, place)
            if not token:
                self.fail(text[place:].strip())
            self.tokens.append(token)
            place = token.end()

    def fail(self, rest: str) -> NoReturn:
        known = next((sign for sign in sorted(_OTHERS, key=len, reverse=True) if rest.startswith(sign)), None)
        mend = f"write `{_OTHERS[known]}` instead of `{known}`" if known else _MEND
        raise Rejected(f"cannot be read from {rest[:40]!r} on" if rest else "ends too early", mend=mend)

    def take(self, group: str, *words: str) -> str | None:
        if self.at < len(self.tokens) and self.tokens[self.at][group] in words:
            self.at += 1
            return self.tokens[self.at - 1][group]
        return None

    def joined(self, word: str, depth: int) -> Node:
        if depth > _DEEPEST:
            self.fail(self.text)
        part = self.negation if word == "and" else lambda deep: self.joined("and", deep)
        terms = [part(depth)]
        while self.take("word", word):
            terms.append(part(depth))
        return terms[0] if len(terms) == 1 else Joined(word, tuple(terms))

    def negation(self, depth: int) -> Node:
        if depth > _DEEPEST:
            self.fail(self.text)
        if self.take("word", "not"):
            return Not(self.negation(depth + 1))
        if self.take("sign", "("):
            inner = self.joined("or", depth + 1)
            if not self.take("sign", ")"):
                self.fail(self.rest())
            return inner
        left = self.operand()
        sign = self.take("sign", *COMPARE)
        return Comparison(left, sign, self.operand()) if sign else left

    def operand(self) -> Reference | Literal:
        if self.at >= len(self.tokens):
            self.fail("")
        token = self.tokens[self.at]
        self.at += 1
        if token["reference"] is not None:
            return Reference(token["reference"].strip())
        if token["number"]:
            number = token["number"]
            return Literal(int(number) if number.lstrip("-").isdigit() else float(number))
        if token["text"]:
            return Literal(re.sub(r"\\(.)", r"\1", token["text"][1:-1], flags=re.DOTALL))
        if token["word"] in ("true", "false"):
            return Literal(token["word"] == "true")
        self.at -= 1
        return self.fail(self.rest())

    def rest(self) -> str:
        return self.text[self.tokens[self.at].start() :].strip() if self.at < len(self.tokens) else ""
