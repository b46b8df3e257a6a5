"""A policy in the words of its file, whole: also what the file leaves unsaid."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from decimal import Decimal
from typing import Any

from worker.bee import duration_text
from worker.decide.policy import MetricRule, Policy

_SECTIONS = ("drift", "vote", "arming", "cooldown", "retry", "verify", "breaker", "budget", "approval", "features")


def in_words(policy: Policy, bee: str | None = None) -> dict[str, Any]:
    """Return the policy in force, of one bee if it is named; `read_policy` understands it."""
    own = policy if bee is None else policy.of(bee)
    metric = _camel(asdict(own.metric))
    metric.pop("direction", None)
    # Off is a word of its own where the file's default is not.
    found = {"maxDrop": None, **metric}
    if own.metrics:
        found["metrics"] = {name: _metric(rule) for name, rule in own.metrics.items()}
    for name in _SECTIONS:
        found[name] = _plain(getattr(own, name))
    found["maxAhead"] = duration_text(own.max_ahead)
    if bee is None:
        found["colony"] = _plain(own.colony)
        if own.bees:
            found["bees"] = {name: in_words(policy, name) for name in sorted(own.bees)}
    return found


def _metric(rule: MetricRule) -> dict[str, Any]:
    return {name: value for name, value in _camel(asdict(rule)).items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return duration_text(value)
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, tuple):
        return list(value)
    if isinstance(value, Mapping):
        return _camel(value)
    if hasattr(value, "__dataclass_fields__"):
        return _camel(asdict(value))
    return value


def _camel(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values under their names in the file; what is not set is left out."""
    named = {_name(name): _plain(value) for name, value in values.items()}
    return {name: value for name, value in named.items() if value is not None}


def _name(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
