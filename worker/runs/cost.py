"""What a run cost: its CPU time at a price, and what it spent elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Prices:
    """Money per unit, in the currency that budgets are in; `cpu_hour` of one core."""

    cpu_hour: float = 0.05


def cost_of(outcome: Mapping[str, Any] | None, prices: Prices) -> float | None:
    """Return what a run cost by its outcome; None where it does not say."""
    cost = (outcome or {}).get("cost") or {}
    seconds, spent = cost.get("cpuSeconds"), cost.get("usd")
    if not isinstance(seconds, int | float):
        return None
    elsewhere = spent if isinstance(spent, int | float) else 0.0
    return round(seconds / 3600 * prices.cpu_hour + elsewhere, 6)
