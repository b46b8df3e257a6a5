import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.errors import Rejected
from worker.intake import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"NaN", "not JSON"),
        (b"[Infinity]", "not JSON"),
        (b"[-Infinity]", "not JSON"),
        (b"[1e999]", "too large"),
        (b"[-1e999]", "too large"),
        (b"[1e99999999999999999999]", "too large"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100_000, "nested deeper"),
        (b"[" * 40 + b"]" * 40, "nested deeper"),
        (b'["\xff"]', "not UTF-8"),
        (b'["\\ud800"]', "not JSON"),
        (b'["\\udc00\\ud800"]', "not JSON"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        ('{"a": 1}'.encode("utf-16"), "not JSON"),
        (b"", "not JSON"),
        (b"   ", "not JSON"),
        (b"{}x", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b"[01]", "not JSON"),
        (b"[" + b"9" * 5000 + b"]", "not JSON"),
        (b"[0." + b"1" * 900_000 + b"]", "digits"),
    ],
)
def test_refused(body: bytes, word: str) -> None:
    """What is not strict JSON of bounded size is refused with a reason and a mend, and the field that was read."""
    with pytest.raises(Rejected) as error:
        strict_json.loads(body, field="data")

    assert word in error.value.reason
    assert error.value.field == "data"
    assert error.value.mend


def test_ten_megabytes_are_refused_unread() -> None:
    """A body of 10 MB is refused by its size before anything else is found wrong with it."""
    with pytest.raises(Rejected, match="10,485,760 bytes, more than the limit of 1,048,576"):
        strict_json.loads(b"\xff" * 10_485_760)


@pytest.mark.parametrize("text", ["1e-999999999", "1e-99999999999999999999", "0e999999999", "0e99999999999999999999"])
def test_what_is_next_to_nothing_is_zero(text: str) -> None:
    """An exponent no computation can hold ends as 0, before anything computes with it."""
    (value,) = strict_json.loads(f"[{text}]".encode())

    assert value == 0
    assert value.as_tuple().exponent == 0


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15, places=15))
def test_decimals_are_taken_from_the_text(value: Decimal) -> None:
    """A number with a point is exactly what its text spells."""
    assert strict_json.loads(f"[{value:f}]".encode()) == [value]


def test_the_last_of_duplicate_keys_counts() -> None:
    """Of a key that stands twice the last one counts, as RFC 8259 leaves open."""
    assert strict_json.loads(b'{"a": 1, "a": 2}') == {"a": 2}


def test_large_integers_stay_exact() -> None:
    """An integer beyond 64 bits keeps every digit."""
    assert strict_json.loads(b"[123456789012345678901234567890]") == [123456789012345678901234567890]


@given(VALUES)
def test_agrees_with_the_standard_library(value: Any) -> None:
    """What the standard library writes is read back as it was."""
    assert strict_json.loads(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_rejected(body: bytes) -> None:
    """Whatever the bytes are, they are a value or a refusal."""
    with contextlib.suppress(Rejected):
        strict_json.loads(body)
