"""Fills `${parameters.NAME}` in a step's config from the run's parameters; pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from worker.errors import Rejected

_PLACEHOLDER = re.compile(r"\$\{parameters\.([A-Za-z_][A-Za-z0-9_]*)\}")


def resolve(value: Any, parameters: Mapping[str, Any]) -> Any:
    """Return `value` with placeholders filled; one that is the whole text keeps the parameter's type.

    Raises:
        Rejected: a parameter that the run does not have.
    """
    if isinstance(value, dict):
        return {key: resolve(item, parameters) for key, item in value.items()}
    if isinstance(value, list):
        return [resolve(item, parameters) for item in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole:
        return _parameter(whole[1], parameters)
    return _PLACEHOLDER.sub(lambda found: _text(_parameter(found[1], parameters)), value)


def names_in(value: Any) -> list[str]:
    """Return the parameters that a value refers to, wherever in it, each once."""
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return list(dict.fromkeys(name for item in items for name in names_in(item)))
    return list(dict.fromkeys(_PLACEHOLDER.findall(value))) if isinstance(value, str) else []


def _parameter(name: str, parameters: Mapping[str, Any]) -> Any:
    if name not in parameters:
        mend = f"the run has {', '.join(sorted(parameters)) or 'none'}"
        raise Rejected("is not a parameter of the run", field=f"parameters.{name}", mend=mend)
    return parameters[name]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
