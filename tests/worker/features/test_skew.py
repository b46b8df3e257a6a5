"""What another version of a definition means to a model."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from worker.features.port import Definition
from worker.features.skew import Guard, Skew, refused, skews

FIRST = Definition("score", "content", "number", version=1)


def compared(second: Definition) -> list[Skew]:
    """Compare a model that was trained with the first version with a store in which the second holds."""

    def versions(_: str) -> Sequence[Definition]:
        return [FIRST, second]

    return skews({"score": 1}, {"score": second}, versions)


def test_the_same_version_is_no_skew() -> None:
    """The history is not even asked for."""
    assert skews({"score": 1}, {"score": FIRST}, lambda _: pytest.fail("asked")) == []


@pytest.mark.parametrize(
    "change",
    [
        {"ttl": timedelta(days=1)},
        {"unit": "percent"},
        {"type": "string"},
        {"entity": "user"},
        {"source": "computed", "computation": "a + b"},
    ],
)
def test_another_meaning_is_refused_unless_only_warnings_are_wanted(change: dict[str, object]) -> None:
    """With another ttl, unit, type, entity or computation the same value may say something else."""
    found = compared(replace(FIRST, version=2, **change))
    assert found == [Skew("score", 1, 2, other_meaning=True)]
    assert "score was version 1 and is 2, with another meaning" in str(found[0])
    assert [refused(found, guard) for guard in Guard] == [found, found, []]


@pytest.mark.parametrize(
    "change", [{"description": "x"}, {"owner": "x"}, {"tags": ("x",)}, {"group": "x"}, {"minimum": 0.0}]
)
def test_other_words_are_refused_only_by_the_strict_guard(change: dict[str, object]) -> None:
    """A description, an owner or a range does not change what a value says."""
    found = compared(replace(FIRST, version=2, **change))
    assert found == [Skew("score", 1, 2, other_meaning=False)]
    assert [refused(found, guard) for guard in Guard] == [[], found, []]


def test_a_feature_that_is_gone_or_was_made_anew_has_another_meaning() -> None:
    """Deleted since, or deleted and defined again: the version that the model knew is nowhere."""
    (gone,) = skews({"score": 1}, {}, lambda _: pytest.fail("asked"))
    assert str(gone) == "score was version 1 and is not defined any more"
    second = replace(FIRST, version=2)
    assert skews({"score": 1}, {"score": second}, lambda _: [second]) == [Skew("score", 1, 2, other_meaning=True)]
    assert gone.other_meaning
