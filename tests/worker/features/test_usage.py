"""Counting reads."""

from datetime import UTC, datetime

from worker.features.port import ANYONE, Reader
from worker.features.usage import Counts, Usage

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)


def test_a_read_of_two_features_for_three_entities_counts_three_values_of_each() -> None:
    """Values are counted per feature and reader, and the newest read is remembered."""
    counts = Counts()
    model = Reader("model:spam-guard", "serving")
    counts.add(["b", "a"], 3, model, LATER)
    counts.add(["a"], 1, model, NOON)
    counts.add(["a"], 1, ANYONE, NOON)
    assert counts.take() == [
        Usage("a", model, 4, LATER),
        Usage("a", ANYONE, 1, NOON),
        Usage("b", model, 3, LATER),
    ]


def test_what_was_taken_is_not_counted_again() -> None:
    """After taking, counting begins anew."""
    counts = Counts()
    counts.add(["a"], 1, ANYONE, NOON)
    counts.take()
    assert counts.take() == []
