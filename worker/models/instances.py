"""What a prediction request asks, checked: instances by name become columns, in order; each fault names its place."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import Rejected
from worker.models.port import Scored

MAX_INSTANCES = 10_000


@dataclass(frozen=True)
class Instances:
    """Rows as columns: feature -> one value per instance, None where it is missing."""

    count: int
    columns: Mapping[str, Sequence[Any]]


def instances_of(body: Any, kinds: Mapping[str, str], limit: int = MAX_INSTANCES) -> Instances:
    """Return the instances of `{"instances": [{feature: value}, …], "parameters": {}}`.

    Args:
        body: the request as JSON.
        kinds: feature -> `number`, `boolean`, `category`, `text` or `vector:WIDTH`.
        limit: how many a request may have.

    Raises:
        Rejected: it is not so; the field names the instance and the feature.
    """
    if not isinstance(body, Mapping):
        raise Rejected("is not an object", field="body", mend='send {"instances": [{"feature": value}]}')
    _check_rest(body)
    instances = body.get("instances")
    if not isinstance(instances, list):
        raise Rejected("is not a list", field="instances", mend='send {"instances": [{"feature": value}]}')
    if len(instances) > limit:
        raise Rejected(f"has {len(instances):,} items", field="instances", mend=f"send at most {limit:,} at a time")
    for position, instance in enumerate(instances):
        _check(instance, f"instances[{position}]", kinds)
    return Instances(len(instances), {name: [instance.get(name) for instance in instances] for name in kinds})


def predictions(scored: Sequence[Scored]) -> dict[str, Any]:
    """Return the answer: one prediction per instance, in their order."""
    return {"predictions": [{"prediction": one.prediction, "score": one.score} for one in scored]}


def _check_rest(body: Mapping[str, Any]) -> None:
    unknown = sorted(set(body) - {"instances", "parameters"})
    if unknown:
        raise Rejected(f"{unknown[0]!r} is not known here", field="body", mend="send instances alone")
    if body.get("parameters"):
        raise Rejected("this model takes no parameters", field="parameters", mend="leave them out, or send {}")


def _check(instance: Any, place: str, kinds: Mapping[str, str]) -> None:
    if not isinstance(instance, Mapping):
        raise Rejected("is not an object", field=place, mend='send {"feature": value}, features by their names')
    for name, value in instance.items():
        kind = kinds.get(name)
        if kind is None:
            mend = f"send only: {', '.join(kinds)}"
            raise Rejected("is not a feature of this model", field=f"{place}.{str(name)[:100]}", mend=mend)
        wrong = None if value is None else _wrong(value, kind)
        if wrong:
            mend = "send null where it is missing"
            raise Rejected(f"{str(value)[:60]!r} is not {wrong}", field=f"{place}.{name}", mend=mend)


def _wrong(value: Any, kind: str) -> str | None:
    """Return what a value should be, None if it is."""
    if kind == "number":
        return None if _is_number(value) else "a finite number"
    if kind == "boolean":
        return None if isinstance(value, bool) else "true or false"
    if kind.startswith("vector:"):
        width = int(kind.removeprefix("vector:"))
        fits = isinstance(value, list) and len(value) == width and all(map(_is_number, value))
        return None if fits else f"a list of {width} finite numbers"
    return None if isinstance(value, str) else "a text"


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False
