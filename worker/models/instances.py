"""What a prediction request asks, checked: instances by name become columns, by version; each fault names its place."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import Rejected

MAX_INSTANCES = 10_000
#: Whom an instance is about, where that is no feature: the same entity is always served by the same version.
ENTITY = "entityId"
_ENTITY_LENGTH = 512


@dataclass(frozen=True)
class Share:
    """The instances that one version serves: where they stand in the request, and their columns."""

    positions: tuple[int, ...]
    columns: Mapping[str, Sequence[Any]]


def shared_out(
    body: Any,
    kinds: Mapping[str, Mapping[str, str]],
    version_for: Callable[[str | None], str],
    limit: int = MAX_INSTANCES,
) -> Mapping[str, Share]:
    """Return version -> its share of the instances of `{"instances": [{feature: value}, …], "parameters": {}}`.

    Each may name its `entityId`, too. Kinds are `number`, `boolean`, `category`, `text` or `vector:WIDTH`.

    Args:
        body: the request as JSON.
        kinds: version -> feature -> kind; what another version knows is passed over.
        version_for: entity (None: not named) -> the version that serves it.
        limit: how many a request may have.

    Raises:
        Rejected: it is not so; the field names the instance and the feature.
    """
    instances = _listed(body, limit)
    everybody = {name: kind for known in kinds.values() for name, kind in known.items()}
    found: dict[str, list[int]] = {}
    for position, instance in enumerate(instances):
        place = f"instances[{position}]"
        version = version_for(_entity(instance, place, everybody))
        allowed = {**everybody, **kinds[version]}
        named = isinstance(instance, Mapping) and ENTITY not in everybody
        _check({k: v for k, v in instance.items() if k != ENTITY} if named else instance, place, allowed)
        found.setdefault(version, []).append(position)
    return {
        version: Share(tuple(at), {name: [instances[one].get(name) for one in at] for name in kinds[version]})
        for version, at in found.items()
    }


def _entity(instance: Any, place: str, features: Mapping[str, str]) -> str | None:
    if not isinstance(instance, Mapping) or ENTITY in features:
        return None
    entity = instance.get(ENTITY)
    if entity is None or (isinstance(entity, str) and len(entity) <= _ENTITY_LENGTH):
        return entity
    mend = f"send a text of at most {_ENTITY_LENGTH} characters, or leave it out"
    raise Rejected(f"{str(entity)[:60]!r} is not an entity's id", field=f"{place}.{ENTITY}", mend=mend)


def _listed(body: Any, limit: int) -> list[Any]:
    if not isinstance(body, Mapping):
        raise Rejected("is not an object", field="body", mend='send {"instances": [{"feature": value}]}')
    _check_rest(body)
    instances = body.get("instances")
    if not isinstance(instances, list):
        raise Rejected("is not a list", field="instances", mend='send {"instances": [{"feature": value}]}')
    if len(instances) > limit:
        raise Rejected(f"has {len(instances):,} items", field="instances", mend=f"send at most {limit:,} at a time")
    return instances


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
