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


def cost_text(amount: float) -> str:
    """Return an amount as people read it: cents where there are whole ones, more digits where there is less."""
    if amount >= 1:
        return f"{amount:.2f}"
    return f"{amount:.4f}" if amount >= 0.001 or amount <= 0 else f"{amount:.6f}"
