"""What a run will cost: the median of what runs like it did, scaled to the rows that it will have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from worker.costs.machine import machine_of
from worker.costs.prices import PriceList
from worker.costs.settled import charged_s

#: So many of the newest runs are asked: enough that one odd run does not count, few enough to follow a change.
NEWEST = 5


@dataclass(frozen=True)
class Past:
    """What an earlier run cost, and how many rows its window had; None: not known."""

    cost: float
    rows: int | None = None


@dataclass(frozen=True)
class Window:
    """The newest data window of a bee of which the size is known."""

    rows: int
    length: timedelta

    def rows_in(self, length: timedelta) -> int:
        """Return how many rows a window of another length is likely to have."""
        return round(self.rows * (length / self.length)) if self.length > timedelta(0) else self.rows


@dataclass(frozen=True)
class Estimate:
    """An amount and what it stands on; None: nothing is known, and `basis` says why."""

    amount: float | None
    basis: str


def estimate(template: str, bee: str, history: "History", rows: int | None, typical: Estimate) -> Estimate:
    """Return what a run of a template for a bee will cost.

    Args:
        template: its name.
        bee: its name.
        history: the newest runs whose cost is known, newest first.
        rows: how many rows its data window is likely to have; None: not known.
        typical: what is said where there is no history.
    """
    for past, whose in ((history.own, f"for {bee}"), (history.all, "over all bees")):
        newest = past[:NEWEST]
        if not newest:
            continue
        scaled = rows is not None and all(one.rows for one in newest)
        costs = [one.cost * (rows or 0) / (one.rows or 1) if scaled else one.cost for one in newest]
        of = f"median of {len(newest)} runs" if len(newest) > 1 else "the only run"
        words = f"{of} of {template} {whose}{f', scaled to {rows} rows' if scaled else ''}"
        return Estimate(round(median(costs), 6), words)
    return typical


@dataclass(frozen=True)
class History:
    """The newest runs of a template whose cost is known: the bee's own, and those of all bees."""

    own: Sequence[Past] = ()
    all: Sequence[Past] = ()


def typical_local(steps: int, took: timedelta, cpu_hour: float, memory_gb_hour: float) -> Estimate:
    """Return what a run here will cost of which nothing is known: each step one core and one GB for a typical time."""
    hours = steps * took.total_seconds() / 3600
    words = f"no run yet: {_steps(steps)} of {took.total_seconds():g} s on one core with 1 GB"
    return Estimate(round(hours * (cpu_hour + memory_gb_hour), 6), words)


def typical_vertex(machines: Sequence[str], prices: PriceList, region: str) -> Estimate:
    """Return what a run on Vertex AI will cost of which nothing is known: each step's machine for a typical time."""
    if prices.run_fee is None:
        return Estimate(None, f"no run yet, and the price list of {prices.as_of} has no fee of a pipeline run")
    amount, took = prices.run_fee, prices.typical_step
    for line in machines:
        machine = machine_of(line)
        rate = prices.rate(region, machine) if machine else None
        if rate is None or rate.hour is None:
            return Estimate(None, f"no run yet, and {rate.words if rate else 'a machine that nobody knows'}")
        amount += charged_s(took, prices.increment) / 3600 * rate.hour
    minutes = f"{took.total_seconds() / 60:g} min"
    words = f"no run yet: {_steps(len(machines))} of {minutes} on their machines, prices of {prices.as_of} in {region}"
    return Estimate(round(amount, 6), words)


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"
