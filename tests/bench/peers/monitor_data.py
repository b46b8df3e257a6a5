"""The columns that drift is measured on; our process and the peer's make the same ones. It needs numpy alone."""

import numpy as np


def column(number: int, rows: int, side: int) -> np.ndarray:
    """Return what features look like: continuous, skewed, whole numbers, mostly 0; two in a hundred missing.

    Args:
        number: of the feature; each has a seed of its own.
        rows: so many.
        side: 0 for the reference, 1 for the window, which is drawn alike.
    """
    generator = np.random.default_rng((number, side))
    made = [
        lambda: generator.normal(size=rows),
        lambda: generator.lognormal(size=rows),
        lambda: generator.integers(0, 1000, rows).astype(np.float64),
        lambda: np.where(generator.random(rows) < 0.7, 0.0, generator.random(rows)),
    ][number % 4]()
    made[generator.random(rows) < 0.02] = np.nan
    return made
