"""Simulated tests of equals, looked at after every batch: how often they are told apart, against the nominal level.

Ratios at or below 1 keep the promise: false positives at most the level, effects missed at most as often as planned.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.bench.measure import Figure, median_s
from worker.evidence.cuped import Covaried, adjusted
from worker.evidence.ratio import sample_ratio
from worker.evidence.running import Interval, Running, difference
from worker.evidence.sample_size import Aim, Rows, fixed_rows, sequential_rows
from worker.evidence.verdict import Verdict, verdict

RUNS = 2000
ALPHA, POWER, MARGIN = 0.05, 0.8, 0.05
Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def bench(_: Path, *, runs: int = RUNS) -> list[Figure]:
    """Return rates of false positives, of missed effects, and what looking any time costs in rows and seconds."""
    return [*_equals(runs), *_rollouts(runs), *_splits(runs), *_powers(runs), *_costs()]


def _equals(runs: int) -> list[Figure]:
    shares = Running.of((0.0, 1.0), binary=True)
    return [
        _rate("A/A of shares, 6 looks x 250 rows: told apart", runs, lambda one: _apart(one, shares, _hits, 6, 250)),
        _rate(
            "A/A of means, 25 looks x 80 rows: told apart",
            runs,
            lambda one: _apart(one, Running.of(None), _times, 25, 80),
        ),
        _rate("A/A with CUPED, 8 looks x 100 rows: told apart", runs, _apart_adjusted),
    ]


def _rollouts(runs: int) -> list[Figure]:
    rows = sequential_rows(_pairs())
    return [
        _rate(
            "rollout of an equal, 25 looks x 80 pairs: called worse", runs, lambda one: _called(one, 0.0, Verdict.WORSE)
        ),
        _rate(
            "rollout of one worse by the margin, 25 looks: let through",
            runs,
            lambda one: _called(one, -MARGIN, Verdict.NOT_WORSE),
        ),
        _missed(
            f"rollout of an equal: not proven by the {rows.total:,} planned pairs", runs, lambda one: _held(one, rows)
        ),
    ]


def _splits(runs: int) -> list[Figure]:
    def broken(generator: np.random.Generator) -> bool:
        counts = np.cumsum(generator.multinomial(250, (0.8, 0.1, 0.1), size=40), axis=0)
        return any(sample_ratio(row, (80, 10, 10)).broken(ALPHA) for row in counts.tolist())

    def overlooked(generator: np.random.Generator) -> bool:
        return not sample_ratio(generator.multinomial(10_000, (0.53, 0.47)).tolist(), (50, 50)).broken()

    return [
        _rate("sound split in three, 40 looks x 250 entities: called broken", runs, broken),
        _missed("split of 53 to 47 in 10,000 entities: overlooked", runs, overlooked),
    ]


def _powers(runs: int) -> list[Figure]:
    shares, means = Aim.of_share(0.3, 0.08), Aim.of_mean(0.2, 1.0)
    return [
        _power("shares", runs, shares, lambda generator, rows: _hits(generator, rows, 0.3 + shares.effect), _hits),
        _power("means", runs, means, lambda generator, rows: _times(generator, rows) + means.effect, _times),
    ]


def _power(name: str, runs: int, aim: Aim, better: Draw, draw: Draw) -> Figure:
    rows = sequential_rows(aim)
    champion, challenger = (Running.of(aim.bounds, binary=aim.binary, planned=planned) for planned in rows.planned)

    def missed(generator: np.random.Generator) -> bool:
        first, second = champion, challenger
        for look in range(4):
            first = first.add(draw(generator, _part(rows.arms[0], look)))
            second = second.add(better(generator, _part(rows.arms[1], look)))
            if difference(second, first, ALPHA).lower > 0:
                return False
        return True

    return _missed(f"A/B of {name}, 4 looks: missed within the {rows.total:,} planned rows", runs, missed)


def _part(rows: int, look: int) -> int:
    return rows * (look + 1) // 4 - rows * look // 4


def _costs() -> list[Figure]:
    found = []
    for name, aim in (("shares", Aim.of_share(0.1, 0.02)), ("means", Aim.of_mean(0.1, 1.0)), ("pairs", _pairs())):
        ours, once = sequential_rows(aim).total, fixed_rows(aim).total
        found.append(Figure(f"rows planned for an effect in {name}", ours, once, "rows", "a test looked at once"))
    values, stream = np.random.default_rng(0).random(1_000_000), Running.of((0.0, 1.0))
    seconds = median_s(lambda: stream.add(values).interval(ALPHA), repeats=5)
    peer = median_s(lambda: np.cumsum((values - np.cumsum(values)) ** 2), repeats=5)
    return [
        *found,
        Figure("a million observations added and looked at", seconds, peer, "s", "two numpy.cumsum of them"),
    ]


def _pairs() -> Aim:
    """Return a rollout's aim: to prove an equal not worse by the margin takes the rows of an effect of the margin."""
    return Aim.of_mean(MARGIN, 0.2, bounds=(-1.0, 1.0), shares=(1.0,), alpha=ALPHA, power=POWER)


def _apart(generator: np.random.Generator, begun: Running, draw: Draw, looks: int, rows: int) -> bool:
    arms = [begun, begun]
    for _ in range(looks):
        arms = [arm.add(draw(generator, rows)) for arm in arms]
        if _excludes(difference(arms[0], arms[1], ALPHA)):
            return True
    return False


def _apart_adjusted(generator: np.random.Generator) -> bool:
    arms = [Covaried(), Covaried()]
    for _ in range(8):
        for place, arm in enumerate(arms):
            before = generator.exponential(size=100)
            known = np.where(generator.random(100) < 0.2, np.nan, before)
            arms[place] = arm.add(before + generator.normal(size=100), known)
        if _excludes(adjusted(arms[0], arms[1], ALPHA).interval):
            return True
    return False


def _called(generator: np.random.Generator, mean: float, what: Verdict) -> bool:
    stream = Running.of((-1.0, 1.0))
    for _ in range(25):
        # Pairs of answers, right or wrong: the two differ in a fifth of them.
        worse = (0.2 - mean) / 2
        stream = stream.add(generator.choice([-1.0, 0.0, 1.0], size=80, p=[worse, 0.8, 0.2 - worse]))
        found = verdict(stream.interval(ALPHA), MARGIN)
        if found is what or (what is Verdict.NOT_WORSE and found is Verdict.BETTER):
            return True
    return False


def _held(generator: np.random.Generator, rows: Rows) -> bool:
    values = np.clip(generator.normal(0, 0.2, rows.total), -1, 1)
    found = Running.of((-1.0, 1.0), planned=rows.planned[0]).add(values).interval(ALPHA)
    return verdict(found, MARGIN) not in {Verdict.NOT_WORSE, Verdict.BETTER}


def _hits(generator: np.random.Generator, rows: int, rate: float = 0.3) -> NDArray[np.float64]:
    return (generator.random(rows) < rate).astype(np.float64)


def _times(generator: np.random.Generator, rows: int) -> NDArray[np.float64]:
    return generator.exponential(size=rows)


def _excludes(interval: Interval) -> bool:
    return interval.lower > 0 or interval.upper < 0


def _rate(work: str, runs: int, happens: Callable[[np.random.Generator], bool]) -> Figure:
    return Figure(work, _percent(runs, happens), 100 * ALPHA, "%", f"the nominal level; {runs:,} runs")


def _missed(work: str, runs: int, happens: Callable[[np.random.Generator], bool]) -> Figure:
    return Figure(work, _percent(runs, happens), 100 * (1 - POWER), "%", f"as planned at power {POWER}; {runs:,} runs")


def _percent(runs: int, happens: Callable[[np.random.Generator], bool]) -> float:
    return 100 * sum(happens(np.random.default_rng(seed)) for seed in range(runs)) / runs
