"""Profiles: small, close to what they are made of, and safe to read."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.bee import DriftSpec
from worker.errors import Rejected
from worker.monitor.column import Side, Summary
from worker.monitor.drift import compare_column
from worker.monitor.period import Period
from worker.monitor.profile import MAX_PROFILE, Profile, decoded, encoded
from worker.monitor.sketch import count_distinct, profile_of, quantile, side_of, summary_of

START = datetime(2024, 1, 1, tzinfo=UTC)
WEEK = Period(START, START + timedelta(days=7))


def _numbers(values: object, type_: str = "number") -> Profile:
    held = np.sort(np.asarray(values, dtype=np.float64))
    return profile_of("age", type_, WEEK, Side(Summary(len(held), held), len(held), len(held), START))


def test_a_million_numbers_fit_into_eight_kilobytes() -> None:
    """Quantiles are off by less than 2 ranks in 100, distinct values by less than 7 in 100 (three errors)."""
    values = np.random.default_rng(1).lognormal(size=1_000_000)
    profile = decoded(encoded(_numbers(values)))
    assert len(encoded(profile)) < 12_000
    assert profile.known == 1_000_000
    ranked = np.sort(values)
    for share in (0.01, 0.1, 0.5, 0.9, 0.99):
        assert np.searchsorted(ranked, quantile(profile, share)) / 1e6 == pytest.approx(share, abs=0.02)
    assert count_distinct(profile) == pytest.approx(1_000_000, rel=0.07)


@pytest.mark.parametrize("seed", range(4))
def test_a_profile_stands_for_its_rows(seed: int) -> None:
    """Drift from a profile is what it is from the rows, to 0.02 of PSI, whether it is quiet or not."""
    draw = np.random.default_rng(seed)
    before, quiet, moved = (np.sort(draw.lognormal(shift, size=20_000)) for shift in (0, 0, 0.5))
    kept = summary_of(_numbers(before))
    assert kept is not None
    for now in (quiet, moved):
        exact = compare_column("age", Summary(20_000, before), Summary(20_000, now), DriftSpec())
        ours = compare_column("age", kept, Summary(20_000, now), DriftSpec())
        assert ours.psi == pytest.approx(exact.psi, abs=0.02)
        assert ours.statistic == pytest.approx(exact.statistic, abs=0.02)


def test_few_different_numbers_are_kept_exactly() -> None:
    """With at most a hundred different values the summary comes back as it was."""
    values = np.sort(np.random.default_rng(2).integers(0, 90, 5000) / 7)
    kept = summary_of(_numbers(values))
    assert kept is not None
    assert kept.numbers is not None
    assert np.array_equal(kept.numbers, values)


def test_categories_are_kept_while_they_are_few() -> None:
    """Up to a hundred come back exactly; of more the top is kept, and the rows have to be read again."""
    few = Summary(60, categories={"red": 40, "blue": 18})
    profile = profile_of("colour", "string", WEEK, Side(few, 58, 60))
    kept = side_of(decoded(encoded(profile)))
    assert kept is not None
    assert (kept.values.categories, kept.values.rows, kept.entities, kept.seen) == (few.categories, 60, 58, 60)
    many = Summary(5150, categories={f"c{n}": 2 + n for n in range(100)} | {f"d{n}": 1 for n in range(1000)})
    profile = profile_of("colour", "string", WEEK, Side(many, 1, 1))
    assert side_of(profile) is None
    assert (profile.sorts, list(profile.top)[:1], len(profile.top)) == (1100, ["c99"], 100)
    assert count_distinct(profile) == pytest.approx(1100, rel=0.07)


def test_an_empty_period_has_a_profile() -> None:
    """No values: nothing is missing of it, and nothing can be told."""
    profile = decoded(encoded(_numbers([])))
    kept = side_of(profile)
    assert kept is not None
    assert (kept.count, quantile(profile, 0.5), count_distinct(profile)) == (0, None, 0)


KEPT = encoded(_numbers(np.random.default_rng(3).normal(size=3000)))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(KEPT) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 60)
)
def test_damaged_bytes_are_refused_never_trusted(changes: list[tuple[int, int]], cut: int) -> None:
    """Whatever is changed or cut off: it is read as it was, or Rejected; no other error, and no sketch of nonsense."""
    damaged = bytearray(KEPT)
    for place, byte in changes:
        damaged[place] = byte
    try:
        profile = decoded(bytes(damaged[: len(damaged) - cut]))
        found = quantile(profile, 0.5), count_distinct(profile)
    except Rejected:
        return
    assert found[0] is None or abs(found[0]) < 0.2
    assert found[1] == 0 or 2600 < found[1] < 3400


def test_what_is_too_long_is_refused() -> None:
    """Neither profile nor sketch is read beyond its bound."""
    with pytest.raises(Rejected, match="more than any profile"):
        decoded(bytes(MAX_PROFILE + 1))
    profile = Profile("age", "number", "p", START, START, 1, 1, 1, 1, digest=bytes(20_000))
    with pytest.raises(Rejected, match="20,000 bytes"):
        quantile(profile, 0.5)
