"""Fills `${parameters.NAME}` and `${item}` in a step's config; pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from worker.errors import Rejected

_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_PLACEHOLDER = re.compile(rf"\$\{{(?:parameters\.(?P<parameter>{_NAME})|item(?P<path>(?:\.[^.{{}}\s]+)*))\}}")
#: Where a step's config has the item that it runs for.
ITEM = "item"


def resolve(value: Any, parameters: Mapping[str, Any], **item: Any) -> Any:
    """Return `value` with placeholders filled; one that is the whole text keeps its value's type.

    Args:
        value: text, or a list or mapping with texts in it.
        parameters: the run's.
        item: of a step that runs for each item of a list, the one that it runs for now: `item=…`.

    Raises:
        Rejected: a parameter that the run does not have, or a field that the item does not have.
    """
    if isinstance(value, dict):
        return {key: resolve(part, parameters, **item) for key, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, parameters, **item) for part in value]
    if not isinstance(value, str):
        return value
    whole = _PLACEHOLDER.fullmatch(value)
    if whole:
        return _found(whole, parameters, item)
    return _PLACEHOLDER.sub(lambda one: _text(_found(one, parameters, item)), value)


def names_in(value: Any) -> list[str]:
    """Return the parameters that a value refers to, wherever in it, each once."""
    return list(dict.fromkeys(one["parameter"] for one in _placeholders(value) if one["parameter"]))


def has_item(value: Any) -> bool:
    """Whether a value refers to the item, wherever in it."""
    return any(not one["parameter"] for one in _placeholders(value))


def is_placeholder(text: str) -> bool:
    """Whether a text is one placeholder and nothing else."""
    return _PLACEHOLDER.fullmatch(text) is not None


def _placeholders(value: Any) -> Iterator[re.Match[str]]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _placeholders(part)
    elif isinstance(value, str):
        yield from _PLACEHOLDER.finditer(value)


def _found(one: re.Match[str], parameters: Mapping[str, Any], item: Mapping[str, Any]) -> Any:
    name = one["parameter"]
    if name is None:
        return _of_item(one["path"], item)
    if name not in parameters:
        mend = f"the run has {', '.join(sorted(parameters)) or 'none'}"
        raise Rejected("is not a parameter of the run", field=f"parameters.{name}", mend=mend)
    return parameters[name]


def _of_item(path: str, item: Mapping[str, Any]) -> Any:
    if ITEM not in item:
        raise Rejected("there is no item here", field=ITEM, mend="give the step `foreach`")
    value, place = item[ITEM], ITEM
    for name in path.split(".")[1:]:
        place = f"{place}.{name}"
        if not isinstance(value, Mapping) or name not in value:
            has = ", ".join(map(str, value)) if isinstance(value, Mapping) else "no fields"
            raise Rejected("is not there", field=place, mend=f"the item has {has}")
        value = value[name]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
