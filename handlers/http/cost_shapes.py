"""What the API gives where costs are told."""
# ruff: noqa: N815 - the API is camelCase

from pydantic import BaseModel, Field


class CostSums(BaseModel):
    """Figures of a group of runs; a sum leaves out what is not known, and the counts say of how many runs that is.

    `settled` is by the price list, `corrected` what bills say so far, `cost` what counts of both. `difference` is what
    runs cost beyond their estimates, of those that have both.
    """

    runs: int
    open: int
    estimated: float
    settled: float
    corrected: float
    cost: float
    difference: float
    unestimated: int
    unknown: int
    uncorrected: int


class CostGroup(CostSums):
    """The figures of one bee, template or month."""

    name: str


class CostUnknown(BaseModel):
    """Why costs are not known, and of how many runs."""

    reason: str
    runs: int


class Costs(BaseModel):
    """What runs cost that were asked for in [since, until), in the currency of the price list."""

    by: str
    currency: str
    pricesAsOf: str
    since: str | None
    until: str | None
    groups: list[CostGroup]
    total: CostSums
    unknown: list[CostUnknown]


class Gained(BaseModel):
    """A metric before and after; `gain` is positive where it got better, `gainPerCost` for a unit of money.

    Null is what is undefined. `windows` are how many data windows were measured before and after.
    """

    before: float | None
    after: float | None
    gain: float | None
    gainPerCost: float | None
    windows: list[int] | None = None


class GainShown(BaseModel):
    """A version that went into production: what the gate saw, what was measured since, and what it cost.

    `cost` is of all attempts of its incident. `gain` is what was measured, before that what the gate saw.
    """

    beeId: str
    version: str
    previous: str | None
    deployedAt: str
    metric: str
    lowerIsBetter: bool
    gate: Gained
    measured: Gained
    gain: float | None
    runs: int
    cost: float | None
    costUnknown: str | None
    gainPerCost: float | None
    forced: str | None


class GainTotal(BaseModel):
    """What a bee's changes of production gained together, of those whose gain and cost are both known."""

    beeId: str
    metric: str
    versions: int
    counted: int
    gain: float | None
    cost: float | None
    gainPerCost: float | None


class Gains(BaseModel):
    """What the loop gained for its money, oldest first, in the currency of the price list."""

    currency: str
    gains: list[GainShown] = Field(description="Each version once, when it first went into production.")
    bees: list[GainTotal]
