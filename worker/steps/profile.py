"""What the columns of a table hold, for people to look at."""

from collections.abc import Sequence
from typing import Any

from worker.models.encoding import kind_of
from worker.steps.tables import Rows


def profile(rows: Rows) -> dict[str, dict[str, Any]]:
    """Return, per column, its kind, how many values are missing and how many are distinct; a range for numbers."""
    types = rows.facts.get("types", {})
    return {name: _column(values, types.get(name)) for name, values in rows.columns.items()}


def _column(values: Sequence[Any], declared: str | None) -> dict[str, Any]:
    known = [value for value in values if value is not None]
    kind = kind_of(values, declared)
    told: dict[str, Any] = {"kind": kind, "missing": len(values) - len(known), "distinct": len(set(map(repr, known)))}
    if kind == "number" and known:
        told |= {"min": min(known), "max": max(known)}
    return told
