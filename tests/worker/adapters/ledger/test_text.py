import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.adapters.ledger.database import Database, dumps
from worker.adapters.ledger.words import Words

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(categories=None))
VALUES = st.recursive(
    LEAVES | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)


@given(VALUES)
def test_json(value: Any) -> None:
    """Any JSON value, half surrogates included, is stored as UTF-8 text without NUL and comes back as it was."""
    text = dumps(value)
    assert "\x00" not in text
    assert json.loads(text.encode().decode()) == value


@given(TEXT)
def test_words(text: str) -> None:
    """Any text can be stored; one that is well-formed is stored as it is."""
    stored = Words().process_bind_param(text, None)
    assert stored is not None
    assert "\x00" not in stored
    assert stored.encode().decode() == stored
    if "\x00" not in text and text.isascii():
        assert stored == text


def test_clock() -> None:
    """SQLite's clock is the machine's: whole microseconds since 1970."""
    database = Database("sqlite://")
    before = datetime.now(tz=UTC).timestamp()
    with database.begin(write=False) as connection:
        now = database.now_us(connection) / 1e6
    assert before - 0.1 <= now <= datetime.now(tz=UTC).timestamp() + 0.1
    database.close()
