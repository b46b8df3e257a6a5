"""The paired bootstrap: how sure is it that one model is better than another on rows like these."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.steps.metrics import Scores, measure


@dataclass(frozen=True)
class Question:
    """What is compared: a metric of a task, and which way is better."""

    metric: str
    task: str
    lower_is_better: bool

    def improvement(self, challenger: float | None, champion: float | None) -> float | None:
        """Return by how much the challenger is better (negative: worse), None if either is undefined."""
        if challenger is None or champion is None:
            return None
        return champion - challenger if self.lower_is_better else challenger - champion

    def ask(self, challenger: Scores, champion: Scores) -> float | None:
        """Return the improvement on the same rows."""
        values = (measure(self.metric, self.task, scores) for scores in (challenger, champion))
        return self.improvement(*values)


def interval(
    question: Question, challenger: Scores, champion: Scores, *, confidence: float, resamples: int, seed: int
) -> tuple[float | None, float | None]:
    """Return the percentile interval of the improvement, both models resampled by the same rows.

    Classes keep their sizes, so that the metric stays defined. A resample in which it is undefined nevertheless
    counts as the worst at the lower end and as the best at the upper one; a bound that falls on it is None.
    """
    found = [
        question.ask(challenger.take(picked), champion.take(picked))
        for picked in draws(challenger.truth, question.task, resamples=resamples, seed=seed)
    ]
    return bounds(found, confidence) if found else (None, None)


def draws(truth: NDArray[Any], task: str, *, resamples: int, seed: int) -> Iterator[NDArray[np.intp]]:
    """Return the row numbers of each resample, each class as often as it occurs; none if there are no rows."""
    generator = np.random.default_rng(seed)
    groups = _groups(truth, task)
    for _ in range(resamples if groups else 0):
        yield np.concatenate([generator.choice(group, len(group)) for group in groups])


def bounds(found: Sequence[float | None], confidence: float) -> tuple[float | None, float | None]:
    """Return the percentile interval of resampled values; None among them counts against either end."""
    tail = (1 - confidence) / 2
    lower = _percentile([-math.inf if value is None else value for value in found], tail, "lower")
    upper = _percentile([math.inf if value is None else value for value in found], 1 - tail, "higher")
    return lower, upper


def _groups(truth: NDArray[Any], task: str) -> list[NDArray[np.intp]]:
    """Return the row numbers to draw from: one group per class, or all rows where labels are no classes."""
    if task in {"regression", "generation"}:
        return [np.arange(len(truth))] if len(truth) else []
    return [np.flatnonzero(truth == item) for item in np.unique(truth)]


def _percentile(values: list[float], share: float, side: str) -> float | None:
    """Return the order statistic on the cautious side of a percentile."""
    place = share * (len(values) - 1)
    index = math.floor(place) if side == "lower" else math.ceil(place)
    value = sorted(values)[index]
    return value if math.isfinite(value) else None
