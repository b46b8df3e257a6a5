"""Timing that a noisy machine cannot fool much: the median of repeated runs."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row of the table; smaller is better for both. The peer is None where it is not installed."""

    work: str
    ours: float
    peer: float | None
    unit: str
    peer_is: str


def median_s(work: Callable[[], object], *, repeats: int) -> float:
    """Return the median duration of `work` in seconds."""
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def cpu_medians_s(works: Sequence[Callable[[], object]], *, repeats: int) -> list[float]:
    """Return the median processor time of each work in seconds, taken in turns: whatever slows one slows all."""
    took: list[list[float]] = [[] for _ in works]
    for _ in range(repeats):
        for work, times in zip(works, took, strict=True):
            start = time.process_time()
            work()
            times.append(time.process_time() - start)
    return [statistics.median(times) for times in took]
