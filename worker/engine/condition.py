"""Trigger conditions: the comparisons a compiler writes, parsed and evaluated over a whitelist, never as code."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from worker.engine.values import ParameterType
from worker.errors import Rejected

Kind = Literal["text", "number", "boolean"]

#: What may come after a text.
_END = r"\s*(?:\)\s*)*(?:$|\|\||&&|==|!=|<|>)"
#: The compiler writes `== 'it's'` as it stands: a quote before a word, which no condition has there, is the text's own.
_INNER = rf"(?!{_END})(?=\s*['\"\w)])(?!\s+in\b)"
_TOKEN = re.compile(
    r"\s*(?:(?P<name>inputs\.parameter_values\['(?P<key>[^']+)'\])"
    r"|(?P<cast>int|double)\(|(?P<boolean>true|false)\b"
    r"|(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w'])"
    rf"|'(?P<text>(?:[^'\\]|\\.|'{_INNER})*)'(?={_END})"
    rf"|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"(?={_END})"
    r"|(?P<sign>\|\||&&|==|!=|<=|>=|<|>|!|\(|\)))",
    re.DOTALL,
)
#: Escapes that CEL, the language of conditions, knows in a text.
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_ESCAPED = {**dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True)), **{sign: sign for sign in "\\'\"`?"}}
_KINDS: dict[str, Kind] = {
    "STRING": "text",
    "NUMBER_INTEGER": "number",
    "NUMBER_DOUBLE": "number",
    "BOOLEAN": "boolean",
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@dataclass(frozen=True)
class Term:
    """A parsed part: its kind is known before anything runs.

    Attributes:
        value: of the values of the task's input parameters.
    """

    kind: Kind
    value: Callable[[Mapping[str, Any]], Any]


@dataclass(frozen=True)
class Condition:
    """A trigger condition, and the input parameters that it reads."""

    text: str
    term: Term
    reads: frozenset[str]

    def holds(self, parameters: Mapping[str, Any]) -> bool:
        """Return whether the condition holds for the task's input parameters."""
        return bool(self.term.value(parameters))


def parse(text: str, types: Mapping[str, ParameterType], field: str) -> Condition:
    """Return the condition over the task's input parameters, whose types are given.

    Raises:
        Rejected: a form that is not known, an unknown parameter, or a comparison of different kinds.
    """
    parser = _Parser(text, types, field)
    term = parser.either()
    if parser.position < len(parser.tokens) or term.kind != "boolean":
        raise parser.fault()
    return Condition(text, term, frozenset(parser.reads))


class _Parser:
    """Recursive descent, weakest binding first: `||`, `&&`, `!`, comparison, operand."""

    def __init__(self, text: str, types: Mapping[str, ParameterType], field: str) -> None:
        self.text, self.types, self.field = text, types, field
        self.reads: set[str] = set()
        self.position = 0
        self.tokens: list[re.Match[str]] = []
        at = 0
        while text[at:].strip():
            token = _TOKEN.match(text, at)
            if not token:
                raise self.fault()
            self.tokens.append(token)
            at = token.end()

    def fault(self, why: str = "the local engine does not know this form of condition") -> Rejected:
        return Rejected(f"{why}: {self.text}", field=self.field)

    def take(self, *signs: str) -> str | None:
        if self.position < len(self.tokens) and self.tokens[self.position]["sign"] in signs:
            self.position += 1
            return self.tokens[self.position - 1]["sign"]
        return None

    def either(self) -> Term:
        term = self.both()
        while self.take("||"):
            term = self.joined(term, self.both(), any)
        return term

    def both(self) -> Term:
        term = self.negation()
        while self.take("&&"):
            term = self.joined(term, self.negation(), all)
        return term

    def joined(self, left: Term, right: Term, join: Callable[[Any], bool]) -> Term:
        if left.kind != "boolean" or right.kind != "boolean":
            raise self.fault()
        return Term("boolean", lambda values: join(term.value(values) for term in (left, right)))

    def negation(self) -> Term:
        if not self.take("!"):
            return self.comparison()
        inner = self.negation()
        if inner.kind != "boolean":
            raise self.fault()
        return Term("boolean", lambda values: not inner.value(values))

    def comparison(self) -> Term:
        left = self.operand()
        sign = self.take(*_COMPARE)
        if not sign:
            return left
        right = self.operand()
        if left.kind != right.kind:
            raise self.fault("compares values of different kinds")
        return Term("boolean", lambda values: _COMPARE[sign](left.value(values), right.value(values)))

    def operand(self) -> Term:
        if self.take("("):
            return self.closed(self.either())
        if self.position >= len(self.tokens):
            raise self.fault()
        token = self.tokens[self.position]
        self.position += 1
        if token["cast"]:
            return self.number(token["cast"], self.closed(self.operand()))
        return self.parameter(token["key"]) if token["name"] else self.literal(token)

    def closed(self, term: Term) -> Term:
        if not self.take(")"):
            raise self.fault()
        return term

    def number(self, cast: str, inner: Term) -> Term:
        if inner.kind != "number":
            raise self.fault("makes a number of something else")
        convert = int if cast == "int" else float
        return Term("number", lambda values: convert(inner.value(values)))

    def parameter(self, key: str) -> Term:
        declared = self.types.get(key)
        if declared not in _KINDS:
            raise self.fault(f"reads {key!r}, which is no text, number or boolean among the task's inputs")
        self.reads.add(key)
        return Term(_KINDS[declared], lambda values: values[key])

    def literal(self, token: re.Match[str]) -> Term:
        if token["boolean"]:
            truth = token["boolean"] == "true"
            return Term("boolean", lambda _: truth)
        if token["number"]:
            digits = token["number"]
            number = int(digits) if digits.lstrip("-").isdigit() else float(digits)
            return Term("number", lambda _: number)
        text = token["text"] if token["text"] is not None else token["quoted"]
        if text is None:
            raise self.fault()
        if "inputs.parameter_values[" in text:
            raise self.fault("compares a number or boolean with a text")
        if "'" in text.replace("\\'", "") and self.text[: token.start("text")].rstrip("' ").endswith("("):
            raise self.fault()
        plain = self.unescaped(text)
        return Term("text", lambda _: plain)

    def unescaped(self, text: str) -> str:
        def character(match: re.Match[str]) -> str:
            hexadecimal, octal, sign = match[1] or match[2] or match[3], match[4], match[5]
            if sign is not None and sign not in _ESCAPED:
                raise self.fault(f"does not know the escape \\{sign}")
            if sign is not None:
                return _ESCAPED[sign]
            number = int(hexadecimal, 16) if hexadecimal else int(octal, 8)
            if number > sys.maxunicode:
                raise self.fault("names a character that does not exist")
            return chr(number)

        return _ESCAPE.sub(character, text)
