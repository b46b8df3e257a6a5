"""Two samples of a column as histograms over the same cells, which the reference alone decides; pure."""

import numpy as np
from numpy.typing import NDArray

from worker.monitor.column import Floats, Summary

#: Into so many parts of equal weight the reference's numbers are cut.
CELLS = 10
#: So many categories have a cell of their own, the reference's most frequent; the others share one.
MOST_CATEGORIES = 100
#: One that the reference has fewer rows of shares it, too (W. Cochran, 1954): which of a tail come again is chance.
LEAST_ROWS = 5
Histogram = NDArray[np.int64]


def counted(reference: Summary, window: Summary) -> tuple[Histogram, Histogram]:
    """Return how many values of each fall into each cell."""
    if reference.numbers is None or window.numbers is None:
        return _categories(reference, window)
    edges = cut_points(reference.numbers)
    return _numbers(reference.numbers, edges), _numbers(window.numbers, edges)


def cut_points(numbers: Floats) -> Floats:
    """Return where sorted numbers are cut: ascending, a value that equals a cut lies below it.

    A value that many rows share is a cell of its own: it is cut off on both its sides.
    """
    if not len(numbers):
        return numbers
    places = (np.arange(1, CELLS) * len(numbers)) // CELLS
    cuts = numbers[places]
    shared = np.unique(cuts[1:][cuts[1:] == cuts[:-1]])
    return np.union1d(cuts, np.nextafter(shared, -np.inf)) if _many(numbers) else _around_each(numbers)


def unseen(reference: Summary, window: Summary) -> dict[str, int]:
    """Return the categories that the reference does not have, with their rows, the most frequent first."""
    new = {name: rows for name, rows in window.categories.items() if name not in reference.categories}
    return dict(sorted(new.items(), key=lambda item: (-item[1], item[0])))


def _many(numbers: Floats) -> bool:
    """Tell whether there are more distinct numbers than cells, looking no further than needed."""
    place = 0
    for _ in range(CELLS):
        place = int(np.searchsorted(numbers, numbers[place], side="right"))
        if place == len(numbers):
            return False
    return True


def _around_each(numbers: Floats) -> Floats:
    distinct = np.unique(numbers)
    return np.union1d(distinct, np.nextafter(distinct, -np.inf))


def _numbers(numbers: Floats, edges: Floats) -> Histogram:
    up_to = np.searchsorted(numbers, edges, side="right")
    return np.diff(up_to, prepend=0, append=len(numbers))


def _categories(reference: Summary, window: Summary) -> tuple[Histogram, Histogram]:
    ranked = sorted(reference.categories.items(), key=lambda item: (-item[1], item[0]))
    own = [name for name, rows in ranked[:MOST_CATEGORIES] if rows >= LEAST_ROWS]
    both = [np.array([one.categories.get(name, 0) for name in own] or [0]) for one in (reference, window)]
    rest = [one.known - int(counts.sum()) for one, counts in zip((reference, window), both, strict=True)]
    if not any(rest):
        return both[0], both[1]
    return np.append(both[0], rest[0]), np.append(both[1], rest[1])
