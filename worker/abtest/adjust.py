"""What the history says of an adjustment: how much of the outcomes' variance it would take away; pure.

Which adjustment a test uses is decided by that, before it starts; the adjusting itself is `worker.evidence`'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worker.abtest.measures import Floats
from worker.abtest.outcomes import Rows
from worker.features.port import Value

#: Fewer entities with a history say nothing about what it is worth.
FEWEST = 100
_MISSING = "(missing)"


@dataclass(frozen=True)
class Adjustment:
    """How outcomes are adjusted.

    Attributes:
        kind: `none`, `cuped` (by the entity's own metric before the test) or `stratified`.
        reduction: the share of the outcomes' variance that it took away in the history; None: not known.
    """

    kind: str = "none"
    reduction: float | None = None

    @property
    def active(self) -> bool:
        """Whether it changes anything."""
        return self.kind != "none"

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> "Adjustment":
        """Return what `as_json` told; none of nothing."""
        return cls(**told) if told else cls()


def by_covariate(values: Floats, covariates: Floats) -> Adjustment:
    """Return what CUPED would have been worth.

    Args:
        values: one outcome per entity.
        covariates: the same entities' metric before, NaN where there was none.
    """
    known = np.isfinite(covariates)
    if int(np.sum(known)) < FEWEST or not np.var(values) or not np.var(covariates[known]):
        return Adjustment()
    both = np.cov(values[known], covariates[known])
    off = np.nan_to_num(both[0, 1] / both[1, 1] * (covariates - np.mean(covariates[known])), nan=0.0)
    return Adjustment("cuped", _reduction(values, off))


def by_strata(values: Floats, strata: Sequence[str]) -> Adjustment:
    """Return what stratification would have been worth."""
    if len(values) < FEWEST or not np.var(values):
        return Adjustment("stratified")
    names = np.array(strata, dtype=np.object_)
    off = np.zeros(len(values))
    for name in set(strata):
        off[names == name] = np.mean(values[names == name])
    return Adjustment("stratified", _reduction(values, off))


def stratum(value: Value) -> str:
    """Return the name of a value's stratum."""
    return _MISSING if value is None else str(value)


def means_before(rows: Rows, entities: int) -> Floats:
    """Return each entity's mean over some rows, NaN where it has none."""
    sums = np.bincount(rows.places, weights=rows.values, minlength=entities)
    counts = np.bincount(rows.places, minlength=entities)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _reduction(values: Floats, off: Floats) -> float:
    return 1 - float(np.var(values - off)) / float(np.var(values))
