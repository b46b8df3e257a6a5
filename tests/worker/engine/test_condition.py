from typing import Any

import pytest

from worker.engine.condition import parse
from worker.errors import Rejected

TYPES: Any = {"s": "STRING", "n": "NUMBER_INTEGER", "d": "NUMBER_DOUBLE", "b": "BOOLEAN", "l": "LIST"}
VALUES = {"s": "ok", "n": 4, "d": 0.5, "b": False, "l": []}
S, N, D, B = (f"inputs.parameter_values['{name}']" for name in "sndb")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{S} == 'ok'", True),
        (f"{S} != 'ok'", False),
        (f"'' == {S}", False),
        (f"int({N}) > 3", True),
        (f"int({N}) <= 3", False),
        (f"{D} == 0.5 && {N} < 1e3", True),
        (f"double({N}) == 4.0", True),
        (f"{N} == -4", False),
        (f"{B} == true", False),
        (f"!({S} == 'ok') && int({N}) > 3", False),
        (f"!({S} == 'no') && !(int({N}) > 4)", True),
        (f"{S} == 'no' || {S} == \"ok\"", True),
        (f"{S} == 'no' && {S} == 'no' || {N} == 4", True),
        (f"{S} == 'no' && ({S} == 'no' || {N} == 4)", False),
        (f"!{B}", True),
        (B, False),
        (f"{B} < true", True),
        (f"{B} >= true", False),
        (f"{S} == 'a && b || !('", False),
    ],
)
def test_conditions(text: str, expected: bool) -> None:  # noqa: FBT001
    """Comparisons and their combinations hold or do not as they read, `&&` binding more than `||`."""
    condition = parse(text, TYPES, "path")

    assert condition.holds(VALUES) is expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"{S} == 'a\\qb'",
        f"'int({N})' == '4'",
        f"{S} == 'a' + 'b'",
        f"{S} == 'a' ? 'b' : 'c'",
        f"{S} == 'a' in 'b'",
        f"{S} == '\\UFFFFFFFF'",
        f"{N} == '4'",
        f"{S} > 3",
        f"{S} && {B}",
        S,
        f"size({S}) > 1",
        f"{S}.startsWith('o')",
        f"{N} + 1 == 5",
        f"{N} in [4]",
        f"int({S}) == 4",
        "inputs.parameter_values['unknown'] == 'x'",
        "inputs.parameter_values['l'] == 'x'",
        f"({N} == 4",
        f"{N} == 4)",
        f"{N} == 4 == true",
        f"{N} == 4 {B}",
        f"__import__('os').system('true') == {N}",
        "true ? true : false",
        f"{N} == 4abc",
    ],
)
def test_unknown_forms(text: str) -> None:
    """A form that is not known never reads as false: it is refused where the pipeline is read."""
    with pytest.raises(Rejected) as caught:
        parse(text, TYPES, "the.path")

    assert caught.value.field == "the.path"


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("it's", "it's"),
        ("'quoted'", "'quoted'"),
        ('say "hi"', 'say "hi"'),
        (r"it\'s", "it's"),
        (r"a\\b\n\x41\u00e9\101", "a\\b\nAéA"),
        ("", ""),
        ("the bees' hive", "the bees' hive"),
    ],
)
def test_texts(written: str, value: str) -> None:
    """A text with quotes is read as the compiler wrote it, its escapes as CEL has them."""
    condition = parse(f"{S} == '{written}' && {N} == 4", TYPES, "path")

    assert condition.holds({**VALUES, "s": value})
    assert not condition.holds({**VALUES, "s": f"{value}!"})


def test_reads() -> None:
    """A condition says which parameters it reads."""
    assert parse(f"{S} == 'a' || {N} == 1", TYPES, "p").reads == {"s", "n"}
