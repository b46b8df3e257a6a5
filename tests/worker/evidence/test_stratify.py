"""Post-stratification."""

import numpy as np
import pytest

from worker.evidence.effect import plain
from worker.evidence.running import Running
from worker.evidence.stratify import stratified

_LEVELS = {"new": 0.0, "old": 5.0, "vip": 20.0}


def _arm(generator: np.random.Generator, rows: int, effect: float) -> dict[str, Running]:
    names = generator.choice(list(_LEVELS), size=rows, p=[0.6, 0.35, 0.05])
    noise = generator.normal(0, 1, rows)
    return {name: Running.of(None).add(noise[names == name] + level + effect) for name, level in _LEVELS.items()}


def test_comparing_like_with_like_proves_what_is_hidden_without() -> None:
    """Strata that explain most of the variance spare it; the effect is found though the plain interval holds zero."""
    generator = np.random.default_rng(1)
    champion, challenger = (_arm(generator, 1500, effect) for effect in (0.0, 0.3))
    found = stratified(challenger, champion, 0.05)
    assert found.interval.lower > 0
    assert found.spared > 0.9
    assert found.rows == (1500, 1500)
    assert found.difference == pytest.approx(0.3, abs=0.12)


def test_the_estimate_is_the_weighed_difference() -> None:
    """Each stratum's difference counts by its share of the rows of both arms."""
    champion = {"a": Running.of(None).add(np.arange(20.0)), "b": Running.of(None).add(np.arange(60.0))}
    challenger = {"a": Running.of(None).add(np.arange(60.0) + 3), "b": Running.of(None).add(np.arange(60.0) + 1)}
    found = stratified(challenger, champion, 0.05)
    assert found.difference == pytest.approx(0.4 * (32.5 - 9.5) + 0.6 * (30.5 - 29.5))


def test_small_strata_are_put_together() -> None:
    """Without strata of some size in both arms the effect is that of all rows together, whose moments are exact."""
    generator = np.random.default_rng(2)
    values = generator.lognormal(size=(2, 40, 5))
    champion, challenger = ({str(place): Running.of(None).add(row) for place, row in enumerate(arm)} for arm in values)
    found = stratified(challenger, champion, 0.05)
    whole = plain(Running.of(None).add(values[1].ravel()), Running.of(None).add(values[0].ravel()), 0.05)
    assert found.rows == (200, 200)
    assert found.difference == pytest.approx(values[1].mean() - values[0].mean())
    assert found.spared == pytest.approx(0, abs=0.1)
    assert whole.difference == pytest.approx(found.difference)


def test_a_stratum_of_one_arm_alone_is_no_comparison() -> None:
    """It is put with the next one; nothing is known where an arm has no rows at all."""
    generator = np.random.default_rng(3)
    champion, challenger = (_arm(generator, 400, 0.0) for _ in range(2))
    champion["gone"] = Running.of(None).add(generator.normal(size=30))
    assert stratified(challenger, champion, 0.05).rows == (430, 400)
    assert stratified({}, champion, 0.05).difference is None
    assert stratified({}, {}, 0.05).interval.finite() == (None, None)


def test_joined_moments_are_those_of_all_values() -> None:
    """Streams of one stratum each, put together, have numpy's mean and deviation."""
    parts = np.random.default_rng(4).normal(100, 1, size=(9, 9))
    one = {str(place): Running.of((0.0, 200.0)).add(row) for place, row in enumerate(parts)}
    found = stratified(one, one, 0.05)
    assert found.champion == pytest.approx(parts.mean())
    assert found.difference == 0


def test_equals_are_told_apart_at_any_look_by_chance_only() -> None:
    """Of 150 A/A tests with four looks no more than a twentieth or so exclude zero at 5 %."""
    excluded = 0
    for seed in range(150):
        generator, out = np.random.default_rng(seed), False
        arms = [{name: Running.of(None) for name in _LEVELS} for _ in range(2)]
        for _ in range(4):
            for place, arm in enumerate(arms):
                names, noise = generator.integers(0, 3, 120), generator.normal(size=120)
                arms[place] = {
                    name: stream.add(noise[names == number] + 4 * number)
                    for number, (name, stream) in enumerate(arm.items())
                }
            found = stratified(arms[0], arms[1], 0.05).interval
            out |= not found.lower <= 0 <= found.upper
        excluded += out
    assert excluded <= 7
