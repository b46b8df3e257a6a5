"""Counting reads."""

from datetime import UTC, datetime, timedelta

from worker.features.port import ANYONE, Reader, Usage
from worker.features.usage import Counts, Tally, summed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 1, 13, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MODEL = Reader("model:spam-guard", "serving")


def test_a_read_of_two_features_for_three_entities_counts_three_values_of_each() -> None:
    """Values are counted per feature and reader, and the newest read is remembered."""
    counts = Counts()
    counts.add(["b", "a"], 3, MODEL, LATER)
    counts.add(["a"], 1, MODEL, NOON)
    counts.add(["a"], 1, ANYONE, NOON)
    assert counts.usages() == [Usage("a", MODEL, 4, LATER), Usage("a", ANYONE, 1, NOON), Usage("b", MODEL, 3, LATER)]


def test_what_was_taken_is_not_counted_again() -> None:
    """After taking, counting begins anew."""
    counts = Counts()
    counts.add(["a"], 1, ANYONE, NOON)
    assert len(counts.take()) == 1
    assert counts.take() == []
    assert counts.usages() == []


def test_tallies_are_of_whole_minutes() -> None:
    """Reads of one minute are one tally, those of the next another, whatever set of features they were part of."""
    counts = Counts()
    counts.add(["a", "b"], 1, ANYONE, NOON)
    counts.add(["a"], 2, ANYONE, NOON + 59 * SECOND)
    counts.add(["a", "b"], 4, ANYONE, NOON + 60 * SECOND)
    minute = timedelta(minutes=1)
    assert counts.take() == [
        Tally("a", ANYONE, NOON, 3, NOON + 59 * SECOND),
        Tally("a", ANYONE, NOON + minute, 4, NOON + minute),
        Tally("b", ANYONE, NOON, 1, NOON),
        Tally("b", ANYONE, NOON + minute, 4, NOON + minute),
    ]


def test_what_could_not_be_kept_is_counted_on() -> None:
    """Tallies that come back are there with the next ones."""
    counts = Counts()
    counts.add(["a"], 1, ANYONE, NOON)
    counts.put_back(counts.take())
    counts.add(["a"], 2, ANYONE, NOON + SECOND)
    assert counts.take() == [Tally("a", ANYONE, NOON, 3, NOON + SECOND)]


def test_a_feature_that_was_asked_for_twice_is_read_once() -> None:
    """A name given twice in one read is one value."""
    counts = Counts()
    counts.add(["a", "a"], 1, ANYONE, NOON)
    assert counts.usages() == [Usage("a", ANYONE, 1, NOON)]


def test_the_last_minute_there_is_can_be_counted() -> None:
    """A read as of the end of all times is counted, too."""
    counts = Counts()
    counts.add(["a"], 1, ANYONE, datetime.max.replace(tzinfo=UTC))
    counts.add(["a"], 1, ANYONE, datetime.max.replace(tzinfo=UTC))
    assert sum(tally.reads for tally in counts.take()) == 2


def test_usages_add_up_by_feature_and_reader() -> None:
    """Sums of several processes are one, with the last of their times."""
    one, other = Usage("a", MODEL, 1, LATER), Usage("a", MODEL, 2, NOON)
    assert summed([one, Usage("a", ANYONE, 5, NOON), other]) == [
        Usage("a", MODEL, 3, LATER),
        Usage("a", ANYONE, 5, NOON),
    ]
