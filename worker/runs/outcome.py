"""The outcome that a run left, checked before anything is concluded from it; what is malformed is told, not guessed."""

import math
from collections.abc import Mapping
from typing import Any

from worker.errors import Rejected

_MEND = "look at the run's steps"
_OBJECTS = ("gate", "lineage", "cost", "metrics")


def checked(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outcome with every number that is not finite as None, which each reader takes for undefined.

    Raises:
        Rejected: a part that is read here has another shape than the contract says; the error names it.
    """
    clean: dict[str, Any] = _finite(outcome)
    for name in _OBJECTS:
        _object(clean.get(name), name)
    challenger = _object(clean.get("challenger"), "challenger")
    if challenger:
        for name in ("uri", "sha256"):
            if not isinstance(challenger.get(name), str) or not challenger[name]:
                raise Rejected("is missing", field=f"challenger.{name}", mend=_MEND)
        for name, value in _object(challenger.get("metrics"), "challenger.metrics").items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise Rejected("is not a number", field=f"challenger.metrics.{name}", mend=_MEND)
    return clean


def _object(value: Any, field: str) -> Mapping[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise Rejected("is not an object", field=field, mend=_MEND)
    return value or {}


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value if _is_finite(value) else None
    return value


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
