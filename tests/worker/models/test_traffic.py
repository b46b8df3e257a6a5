"""The sticky split: what other languages compute, how it grows, and that every entity has one version."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.models.traffic import Traffic, all_to, place


@pytest.mark.parametrize(
    ("salt", "entity", "expected"),
    [("r1", "msg-1", 58), ("r1", "msg-2", 18), ("r1", "grüße", 2), ("", "", 90)],
)
def test_places_that_other_languages_check_themselves_against(salt: str, entity: str, expected: int) -> None:
    """An entity's place is the documented one."""
    assert place(salt, entity) == expected


@given(st.text(max_size=20), st.text(max_size=20), st.integers(0, 100), st.integers(0, 100))
def test_a_growing_share_only_moves_entities_to_the_challenger(salt: str, entity: str, one: int, other: int) -> None:
    """Who is served by the challenger stays with it when its share grows."""
    smaller, larger = sorted((one, other))
    before = Traffic((("2", smaller), ("1", 100 - smaller)), salt).version_for(entity)
    after = Traffic((("2", larger), ("1", 100 - larger)), salt).version_for(entity)
    assert before == "1" or after == "2"


def test_shares_are_met() -> None:
    """Of many entities each version serves its share, and salts divide them independently."""
    entities = [f"entity-{number}" for number in range(20_000)]
    traffic = Traffic((("3", 10), ("2", 25), ("1", 65)), "a")
    counts = Counter(map(traffic.version_for, entities))
    assert {version: round(count / 200) for version, count in counts.items()} == {"3": 10, "2": 25, "1": 65}

    other = Traffic((("3", 10), ("1", 90)), "b")
    both = sum(traffic.version_for(entity) == other.version_for(entity) == "3" for entity in entities)
    assert 100 < both < 300


@pytest.mark.parametrize("split", [(), (("1", 99),), (("1", 101), ("2", -1)), (("1", 50), ("1", 50))])
def test_what_does_not_add_up_is_refused(split: tuple[tuple[str, int], ...]) -> None:
    """A split whose shares are not 100 in sum, negative or of one version twice is no split."""
    with pytest.raises(ValueError, match="sum to 100"):
        Traffic(split)


def test_one_version_serves_everybody() -> None:
    """A single version has all the traffic."""
    assert all_to("7").shares == {"7": 100}
    assert all_to("7").version_for("anybody") == "7"
