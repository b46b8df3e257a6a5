"""Costs as a line of words."""

from typing import Any

from worker.runs.cost import cost_text


def sums_line(sums: Any) -> str:
    """Return the figures of some runs (`worker.costs.summary.Sums`) as a sentence's end."""
    parts = [cost_text(float(sums.cost))]
    parts.append(f"estimated {cost_text(float(sums.estimated))}")
    if sums.billed:
        parts.append(f"{cost_text(float(sums.billed))} of it by the bill")
    if sums.open:
        parts.append(f"{sums.open} not over")
    if sums.unknown:
        parts.append(f"{sums.unknown} not known")
    return ", ".join(parts)
