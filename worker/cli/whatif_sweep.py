"""`--sweep drop=0.1:0.4:0.05`: a grid of policies around one, each checked as if it stood in a file."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from worker.decide.policy import Policy
from worker.errors import Rejected

#: All of them are simulated at once: more would only be slower than several sweeps.
MAX_POLICIES = 100

#: Short names of what is swept most.
NAMES = {"drop": "maxDrop", "clear": "clearDrop", "score": "drift.score", "windows": "arming.windows"}
_HOURS = {"cooldown", "backoff", "longest", "within", "pause", "expires", "maxAhead", "starving"}
_VALUE = re.compile(r"(-?\d+(?:\.\d+)?)(us|ms|s|m|h|d|w)?")
_MEND = "write it as drop=0.1:0.4:0.05 (from:to:step), drop=0.1,0.2 or cooldown=0h:48h:12h"


@dataclass(frozen=True)
class Axis:
    """One swept setting: its path in the policy file, and the values as the file spells them."""

    name: str
    path: tuple[str, ...]
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Candidate:
    """One policy of the grid, with the values that make it."""

    values: Mapping[str, Any]
    policy: Policy


def axis_of(text: str) -> Axis:
    """Return what `name=values` asks for. Raises Rejected."""
    name, equals, wanted = text.partition("=")
    name = name.strip()
    if not equals or not name or not wanted.strip():
        raise Rejected(f"{text!r} names no values", field="--sweep", mend=_MEND)
    path = tuple(NAMES.get(name, name).split("."))
    hours = path[-1] in _HOURS
    parts = [_number(part, text, hours=hours) for part in re.split(r"[:,]", wanted)]
    if ":" not in wanted:
        return Axis(name, path, tuple(_spelled(*part) for part in parts))
    if "," in wanted or len(parts) != 3:
        raise Rejected(f"{text!r} is no range", field="--sweep", mend=_MEND)
    return Axis(name, path, tuple(_range(text, parts)))


def grid(axes: Sequence[Axis], words: Mapping[str, Any]) -> list[Candidate]:
    """Return a policy for each combination of the axes' values, over the words of a policy file.

    Raises:
        Rejected: too many, a setting that does not exist, or values that do not go together.
    """
    if len({axis.path for axis in axes}) < len(axes):
        raise Rejected("one setting is swept twice", field="--sweep", mend="name each once")
    count = 1
    for axis in axes:
        count *= len(axis.values)
    if count > MAX_POLICIES:
        mend = f"take wider steps: at most {MAX_POLICIES} are compared at once"
        raise Rejected(f"{count:,} policies", field="--sweep", mend=mend)
    found = []
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = dict(zip((axis.name for axis in axes), values, strict=True))
        changed = dict(words)
        for axis, value in zip(axes, values, strict=True):
            changed = _set(changed, axis.path, value, axis.name)
        found.append(Candidate(chosen, _policy(_completed(changed, axes), chosen)))
    return found


def _number(part: str, text: str, *, hours: bool) -> tuple[Decimal, str]:
    match = _VALUE.fullmatch(part.strip())
    try:
        number = Decimal(match[1]) if match else None
    except InvalidOperation:
        number = None
    if match is None or number is None:
        raise Rejected(f"{part!r} in {text!r} is not a number", field="--sweep", mend=_MEND)
    return number, match[2] or ("h" if hours else "")


def _range(text: str, parts: Sequence[tuple[Decimal, str]]) -> Iterator[Any]:
    (low, unit), (high, unit_high), (step, unit_step) = parts
    if {unit, unit_high, unit_step} != {unit}:
        raise Rejected(f"{text!r} mixes units", field="--sweep", mend="use one unit, as in cooldown=0h:48h:12h")
    if step <= 0 or high < low:
        raise Rejected(f"{text!r} has no values", field="--sweep", mend="go upwards, by a step above 0")
    if (high - low) / step >= MAX_POLICIES:
        mend = f"take wider steps: at most {MAX_POLICIES} are compared at once"
        raise Rejected(f"{text!r} has {int((high - low) / step) + 1:,} values", field="--sweep", mend=mend)
    value = low
    while value <= high:
        yield _spelled(value, unit)
        value += step


def _spelled(number: Decimal, unit: str) -> Any:
    """Return a value as a policy file has it: a duration as text, a whole number as such."""
    whole = number == number.to_integral_value()
    if unit:
        return f"{int(number)}{unit}" if whole else f"{int(number * 3600)}s" if unit == "h" else f"{number}{unit}"
    return int(number) if whole else str(number.normalize())


def _set(words: Mapping[str, Any], path: tuple[str, ...], value: Any, name: str) -> dict[str, Any]:
    inner = words.get(path[0])
    if len(path) == 1:
        return {**words, path[0]: value}
    if inner is not None and not isinstance(inner, Mapping):
        raise Rejected(f"{name} is not a setting of a policy", field="--sweep", mend="see config/policy.yaml")
    return {**words, path[0]: _set(inner or {}, path[1:], value, name)}


def _completed(words: dict[str, Any], axes: Sequence[Axis]) -> dict[str, Any]:
    """Return the words with `arming.of` raised to what is swept of its windows, where nothing else is said."""
    arming = words.get("arming")
    if ("arming", "windows") not in {axis.path for axis in axes} or not isinstance(arming, Mapping):
        return words
    of, windows = arming.get("of", 1), arming["windows"]
    raised = max(of, windows) if isinstance(of, int) and isinstance(windows, int) else of
    return {**words, "arming": {**arming, "of": raised}}


def _policy(words: Mapping[str, Any], chosen: Mapping[str, Any]) -> Policy:
    from pydantic import ValidationError

    from config.policy_file import PolicyFile

    said = ", ".join(f"{name}={value}" for name, value in chosen.items())
    try:
        file = PolicyFile.model_validate(words)
    except ValidationError as error:
        faults = [f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()]
    else:
        faults = [f"{'.'.join(str(part) for part in path)}: {text}" for path, text in file.faults()]
        if not faults:
            return file.policy()
    raise Rejected(f"{said}: {'; '.join(faults)}", field="--sweep", mend="sweep what policy.yaml allows")
