"""What a run cost, reckoned when it has ended: CPU seconds and memory here, machines by the price list elsewhere."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from worker.costs.machine import machine_of
from worker.costs.prices import PriceList

#: Where an outcome has what was spent outside: the variants' answers, and the judge's.
_SPENT = ("usd", "judgeUsd")


@dataclass(frozen=True)
class Reckoned:
    """An amount and how it came about; None: it is not known, and `basis` says why."""

    amount: float | None
    basis: str


@dataclass(frozen=True)
class Task:
    """One step's time on a machine of its own; `took` None: it began, and nobody knows when it ended."""

    name: str
    machine: str
    took: timedelta | None


def local_cost(outcome: Mapping[str, Any] | None, cpu_hour: float, memory_gb_hour: float) -> Reckoned:
    """Return what a run cost that ran here: what its processes took, and what its answers did."""
    cost = _cost(outcome)
    cpu, memory = _number(cost.get("cpuSeconds")), _number(cost.get("memoryGbSeconds"))
    if cpu is None:
        return Reckoned(None, "the run left no account of its CPU seconds")
    words = [f"{cpu:.1f} CPU seconds at {cpu_hour:g} an hour"]
    amount = cpu / 3600 * cpu_hour
    if memory is not None:
        amount += memory / 3600 * memory_gb_hour
        words.append(f"{memory / 3600:.3g} GB hours of memory at {memory_gb_hour:g}")
    return _with_tokens(amount, words, outcome)


def vertex_cost(tasks: Sequence[Task], outcome: Mapping[str, Any] | None, prices: PriceList, region: str) -> Reckoned:
    """Return what a run cost that ran on Vertex AI: its steps' machines, the fee of a run, and what its answers did."""
    if prices.run_fee is None:
        return Reckoned(None, f"the price list of {prices.as_of} has no fee of a pipeline run")
    amount, dates, kinds = prices.run_fee, [prices.as_of], Counter[str]()
    for task in tasks:
        machine = machine_of(task.machine)
        if machine is None:
            return Reckoned(None, f"it is not known which machine the step {task.name} had ({task.machine})")
        if task.took is None:
            return Reckoned(None, f"it is not known when the step {task.name} ended")
        rate = prices.rate(region, machine)
        if rate.hour is None:
            return Reckoned(None, rate.words)
        amount += charged_s(task.took, prices.increment) / 3600 * rate.hour
        kinds[rate.words] += 1
        dates += [rate.as_of] if rate.as_of else []
    ran = [f"{count} step{'' if count == 1 else 's'} on {kind}" for kind, count in sorted(kinds.items())]
    listed = f"prices of {min(dates)} in {region}"
    return _with_tokens(amount, [*ran, f"the fee of a run {prices.run_fee:g}", listed], outcome)


def charged_s(took: timedelta, increment: timedelta) -> float:
    """Return the seconds that are charged for a time: whole increments."""
    steps = increment.total_seconds()
    seconds = max(took.total_seconds(), 0.0)
    return math.ceil(seconds / steps) * steps if steps > 0 else seconds


def rows_of(outcome: Mapping[str, Any] | None) -> int | None:
    """Return how many rows a run's data window had, as its first step told; None where it did not."""
    artifacts = (outcome or {}).get("artifacts")
    for item in artifacts if isinstance(artifacts, list) else []:
        told = item.get("metadata") if isinstance(item, Mapping) and item.get("name") == "rows" else None
        rows = told.get("rows") if isinstance(told, Mapping) else None
        if isinstance(rows, int) and not isinstance(rows, bool) and rows >= 0:
            return rows
    return None


def _with_tokens(amount: float, words: Iterable[str], outcome: Mapping[str, Any] | None) -> Reckoned:
    """Add what answers cost; where one of them has no price the whole is not known."""
    cost, told = _cost(outcome), list(words)
    for name in _SPENT:
        if name not in cost:
            continue
        spent = _number(cost[name])
        if spent is None:
            who = "the judge's model" if name == "judgeUsd" else "a model that answered"
            return Reckoned(None, f"{who} has no price, or its server did not tell the tokens")
        amount += spent
        told.append(f"{'judging' if name == 'judgeUsd' else 'tokens'} {spent:g}")
    return Reckoned(round(amount, 6), ", ".join(told))


def _cost(outcome: Mapping[str, Any] | None) -> Mapping[str, Any]:
    found = (outcome or {}).get("cost")
    return found if isinstance(found, Mapping) else {}


def _number(value: Any) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    return float(value) if plain else None
