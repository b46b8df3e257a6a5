"""Many comparisons."""

import math

import numpy as np
import pytest

from worker.evidence.interval import Interval
from worker.evidence.many import always_valid_p, compared
from worker.evidence.running import Running, difference

_Slices = dict[str, tuple[Running, Running]]


def _slices(generator: np.random.Generator, count: int, rows: int = 200) -> _Slices:
    begun = Running.of((0.0, 1.0), binary=True)
    return {
        str(place): (
            begun.add((generator.random(rows) < 0.4).astype(float)),
            begun.add((generator.random(rows) < 0.4).astype(float)),
        )
        for place in range(count)
    }


def test_a_p_value_is_the_level_whose_interval_touches_zero() -> None:
    """At that level the interval excludes zero, just; at a little less it does not."""
    generator = np.random.default_rng(1)
    ours, theirs = (
        Running.of((0.0, 1.0), binary=True).add((generator.random(800) < rate).astype(float)) for rate in (0.5, 0.42)
    )
    found = always_valid_p(lambda level: difference(ours, theirs, level))
    assert 1e-6 < found < 0.9
    assert difference(ours, theirs, found).lower > 0
    assert difference(ours, theirs, found * 0.99).lower <= 0


def test_p_values_have_their_ends() -> None:
    """An interval that never excludes zero has 1, one that always does the least that is told."""
    assert always_valid_p(lambda _: Interval(-1.0, 1.0)) == 1
    assert always_valid_p(lambda _: Interval(-math.inf, math.inf)) == 1
    assert always_valid_p(lambda _: Interval(0.1, 1.0)) == pytest.approx(1e-9)


def test_what_is_better_in_one_slice_is_found_among_equals() -> None:
    """Of ten slices the one with an effect is found, by either correction, and no other."""
    slices = _slices(np.random.default_rng(2), 9)
    better = Running.of((0.0, 1.0), binary=True).add(np.tile([1.0, 1.0, 0.0], 100))
    slices["better"] = (better, slices["0"][1])
    for found in (compared(slices, 0.05), compared(slices, 0.05, "benjamini-hochberg")):
        assert [name for name, one in found.items() if one.found] == ["better"]
        assert list(found) == list(slices)


def test_every_comparison_pays_for_the_others() -> None:
    """An adjusted p-value is never below its own, and intervals are those of a tenth of the level."""
    slices = _slices(np.random.default_rng(3), 10)
    found = compared(slices, 0.05)
    for name, one in found.items():
        assert one.p_value is not None
        assert one.adjusted is not None
        assert one.adjusted >= one.p_value
        assert one.effect.interval == difference(*slices[name], 0.005)


def test_a_slice_without_rows_is_no_comparison() -> None:
    """It has no p-value, and the others do not pay for it."""
    slices = _slices(np.random.default_rng(4), 1)
    alone = compared(slices, 0.05)["0"]
    found = compared({**slices, "empty": (slices["0"][0], Running.of((0.0, 1.0), binary=True))}, 0.05)
    assert found["0"] == alone
    assert found["empty"].p_value is None
    assert found["empty"].adjusted is None
    assert not found["empty"].found
    assert found["empty"].effect.difference is None
    assert compared({}, 0.05) == {}
