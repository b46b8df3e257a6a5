"""The variants of an experiment: given one by one, as a grid, or drawn from a space; pure but for Optuna's drawing."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from worker.errors import Rejected

MAX_VARIANTS = 200
_MAX_NAME = 80


@dataclass(frozen=True)
class Variant:
    """One contender: its name, and its settings in the trainer's own form."""

    name: str
    settings: Mapping[str, Any]


def given(variants: Sequence[Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return name and settings of each variant as it was given.

    Raises:
        Rejected: one is not an object, has no usable name, or has another's name.
    """
    found: dict[str, dict[str, Any]] = {}
    for number, variant in enumerate(variants):
        field = f"variants[{number}]"
        if not isinstance(variant, Mapping):
            raise Rejected("is not an object", field=field, mend='write it as {"name": "deep", "max_depth": 8}')
        name = variant.get("name", f"variant-{number + 1}")
        if not isinstance(name, str) or not name.strip() or len(name) > _MAX_NAME:
            raise Rejected("is not a name", field=f"{field}.name", mend=f"give a text of at most {_MAX_NAME} letters")
        if name in found:
            raise Rejected(f"{name!r} is taken", field=f"{field}.name", mend="give each variant a name of its own")
        found[name] = {key: value for key, value in variant.items() if key != "name"}
    return list(found.items())


def grid(choices: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and settings of each combination. Raises Rejected if a setting's choices are no list."""
    for name, values in choices.items():
        if not isinstance(values, list) or not values:
            raise Rejected("is not a list of values", field=f"grid.{name}", mend="write it as [4, 8, 16]")
    for values in product(*choices.values()):
        settings = dict(zip(choices, values, strict=True))
        yield called(settings), settings


def called(settings: Mapping[str, Any]) -> str:
    """Return a name that says what the settings are."""
    words = [f"{name}={_short(value)}" for name, value in settings.items()]
    return ", ".join(words)[:_MAX_NAME] or "defaults"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def distinct(named: Sequence[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Return them with a number behind a name that comes again."""
    counts: dict[str, int] = {}
    found = []
    for name, settings in named:
        counts[name] = counts.get(name, 0) + 1
        found.append((name if counts[name] == 1 else f"{name} #{counts[name]}", settings))
    return found
