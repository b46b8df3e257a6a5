"""Every operator and function, by hand: ordinary values, null, zero and the edges of the numbers."""

import math
from collections.abc import Mapping

import pytest

from tests.worker.features.computed.listed import evaluation
from tests.worker.features.computed.reference import Entry
from worker.features.computed.check import check
from worker.features.port import Definition, Value

KINDS = {"x": "number", "y": "number", "s": "string", "t": "string", "p": "boolean", "q": "boolean", "v": "vector"}
KNOWN = {name: Definition(name, "user", kind) for name, kind in KINDS.items()}
BIG, TINY = 1.7e308, 5e-324


def result(text: str, kind: str = "number", **values: Value) -> Value:
    """Return what a computation comes to where some features have a value (None: a null) and others have none."""
    definition = Definition("wanted", "user", kind, source="computed", computation=text)
    check(definition, KNOWN)
    entries = [Entry(1, name, 0, 0, value) for name, value in values.items()]
    definitions: Mapping[str, Definition] = {**KNOWN, "wanted": definition}
    (found,) = evaluation(definitions, entries, [(1, 5)]).compute("wanted").cells.listed()
    return found


@pytest.mark.parametrize(
    ("text", "x", "y", "expected"),
    [
        ("x + y", 1.5, 2.0, 3.5),
        ("x - y", 1.5, 2.0, -0.5),
        ("x * y", 1.5, -2.0, -3.0),
        ("x / y", 1.0, 3.0, 1 / 3),
        ("x % y", 7.0, 3.0, 1.0),
        ("x % y", -7.0, 3.0, 2.0),
        ("x % y", 7.0, -3.0, -2.0),
        ("x % y", 7.5, 2.0, 1.5),
        ("-x + y", 1.0, 3.0, 2.0),
        ("x + y", None, 2.0, None),
        ("x - y", 2.0, None, None),
        ("x * y", 0.0, None, None),
        ("-x + y", None, 1.0, None),
        ("x / y", 1.0, 0.0, None),
        ("x / y", 0.0, 0.0, None),
        ("x / -y", 1.0, 0.0, None),
        ("x % y", 1.0, 0.0, None),
        ("x + y", BIG, BIG, None),
        ("x - y", -BIG, BIG, None),
        ("x * y", BIG, 10.0, None),
        ("x / y", BIG, 0.1, None),
        ("x / y", 1.0, TINY, None),
        ("x * y", TINY, 0.1, 0.0),
        ("x + y - y", BIG, BIG, None),
        ("-x * y", 0.0, 1.0, 0.0),
        ("abs(x)", -2.5, 0.0, 2.5),
        ("abs(x)", None, 0.0, None),
        ("ceil(x)", 1.2, 0.0, 2.0),
        ("ceil(x)", -1.2, 0.0, -1.0),
        ("ceil(x)", -0.5, 0.0, 0.0),
        ("floor(x)", 1.8, 0.0, 1.0),
        ("floor(x)", -1.2, 0.0, -2.0),
        ("round(x)", 2.5, 0.0, 2.0),
        ("round(x)", 3.5, 0.0, 4.0),
        ("round(x)", -2.6, 0.0, -3.0),
        ("round(x)", 0.49999999999999994, 0.0, 0.0),
        ("floor(x)", BIG, 0.0, BIG),
        ("sqrt(x)", 2.0, 0.0, math.sqrt(2.0)),
        ("sqrt(x)", 0.0, 0.0, 0.0),
        ("sqrt(x)", -1.0, 0.0, None),
        ("log(x)", math.e, 0.0, 1.0),
        ("log(x)", 0.0, 0.0, None),
        ("log(x)", -1.0, 0.0, None),
        ("log(x)", None, 0.0, None),
        ("exp(x)", 1.0, 0.0, math.e),
        ("exp(x)", 710.0, 0.0, None),
        ("exp(x)", -1000.0, 0.0, 0.0),
        ("min(x, y)", 1.0, 2.0, 1.0),
        ("max(x, y)", 1.0, 2.0, 2.0),
        ("min(x, y, 0, 5)", 1.0, 2.0, 0.0),
        ("max(x, 7, y)", 1.0, 2.0, 7.0),
        ("min(x, y)", 1.0, None, None),
        ("max(y, x)", 1.0, None, None),
        ("clip(x, 0, 1)", 1.5, 0.0, 1.0),
        ("clip(x, 0, 1)", -1.5, 0.0, 0.0),
        ("clip(x, 0, 1)", 0.5, 0.0, 0.5),
        ("clip(x, 0, 1)", None, 0.0, None),
        ("clip(x, y, 1)", 0.5, None, None),
        ("clip(x, 3, 1)", 2.0, 0.0, 1.0),
        ("coalesce(x, y)", None, 2.0, 2.0),
        ("coalesce(x, y)", 1.0, 2.0, 1.0),
        ("coalesce(x, y)", None, None, None),
        ("coalesce(x / y, -1)", 1.0, 0.0, -1.0),
        ("coalesce(null, x, y, 3)", None, None, 3.0),
        ("if(x > y, x, y)", 1.0, 2.0, 2.0),
        ("if(x > y, x, -1)", 1.0, None, -1.0),
        ("if(x is null, null, 4)", None, 1.0, None),
        ("if(x < y, 1, x / 0)", 1.0, 2.0, 1.0),
        ("if(null and x > 0, 1, 2)", 1.0, 2.0, 2.0),
        ("null + x", 1.0, 1.0, None),
        ("1e308 * 10 + x", 1.0, 1.0, None),
    ],
)
def test_numbers(text: str, x: float | None, y: float | None, expected: float | None) -> None:
    """Arithmetic and functions; null goes through, and what is no finite number is null."""
    found = result(text, x=x, y=y)
    assert found == expected
    assert found is None or math.copysign(1, float(str(found))) == math.copysign(1, expected or 0.0)


@pytest.mark.parametrize(
    ("text", "x", "y", "expected"),
    [
        ("x < y", 1.0, 2.0, True),
        ("x < y", 2.0, 2.0, False),
        ("x <= y", 2.0, 2.0, True),
        ("x > y", 2.0, 2.0, False),
        ("x >= y", 2.0, 2.0, True),
        ("x == y", 2.0, 2.0, True),
        ("x = y", 2.0, 1.0, False),
        ("x != y", 2.0, 1.0, True),
        ("x <> y", 2.0, 2.0, False),
        ("x == 0", -0.0, 0.0, True),
        ("x < y", None, 2.0, None),
        ("x == y", 2.0, None, None),
        ("x != y", None, None, None),
        ("x is null", None, 0.0, True),
        ("x is null", 1.0, 0.0, False),
        ("x is not null", None, 0.0, False),
        ("x / y is null", 1.0, 0.0, True),
        ("null is null and x is not null", 1.0, 0.0, True),
    ],
)
def test_comparisons(text: str, x: float | None, y: float | None, expected: bool | None) -> None:  # noqa: FBT001
    """With a null there is no answer, except to the question for null."""
    assert result(text, "boolean", x=x, y=y) is expected


@pytest.mark.parametrize(
    ("p", "q", "both", "either"),
    [
        (True, True, True, True),
        (True, False, False, True),
        (False, False, False, False),
        (True, None, None, True),
        (False, None, False, None),
        (None, None, None, None),
    ],
)
def test_logic_of_three_values(p: Value, q: Value, both: Value, either: Value) -> None:
    """False decides `and`, true decides `or`, whichever side is null; `not null` is null."""
    for left, right in ((p, q), (q, p)):
        assert result("p and q", "boolean", p=left, q=right) is both
        assert result("p or q", "boolean", p=left, q=right) is either
    assert result("not p", "boolean", p=p) is (None if p is None else not p)
    assert result("p == q", "boolean", p=p, q=q) is (None if None in (p, q) else p == q)


@pytest.mark.parametrize(
    ("text", "s", "expected"),
    [
        ("if(s == 'it''s', 'a', 'b')", "it's", "a"),
        ("if(s != 'x', s, t)", "y", "y"),
        ("if(s = 'x', 'a', 'b')", None, "b"),
        ("coalesce(s, 'none')", None, "none"),
        ("coalesce(s, t)", None, None),
        ("if(s == '', 'empty', 'full')", "", "empty"),
        ("if(s is null, null, s)", "é💡", "é💡"),
    ],
)
def test_texts(text: str, s: str | None, expected: str | None) -> None:
    """Texts are compared and chosen, never made."""
    assert result(text, "string", s=s) == expected


def test_vectors_pass_through() -> None:
    """A vector can be chosen and asked for."""
    assert result("coalesce(v, last(v))", "vector", v=[1.0, 2.0]) == [1.0, 2.0]
    assert result("if(x > 0, v, null)", "vector", v=[1.0], x=1.0) == [1.0]
    assert result("if(x > 0, v, null)", "vector", v=[1.0], x=0.0) is None
    assert result("v is null", "boolean") is True


@pytest.mark.parametrize(
    ("function", "nothing"),
    [
        *((function, None) for function in ("sum", "mean", "min", "max", "std", "last", "first")),
        *((function, 0.0) for function in ("count", "distinct")),
    ],
)
def test_aggregates_of_nothing(function: str, nothing: float | None) -> None:
    """The sum of nothing is null, the count of nothing is 0; a stored null is nothing."""
    assert result(f"{function}(x)") == nothing
    assert result(f"{function}(x)", x=None) == nothing


def test_a_column_of_zeroes_has_one_sign() -> None:
    """A result of -0.0 is answered as 0.0, as a stored value would be."""
    assert str(result("x * -1", x=0.0)) == "0.0"
    assert str(result("ceil(x)", x=-0.5)) == "0.0"
