"""Refuses, or warns of, an online read for a model that was trained with other definitions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from worker.errors import Conflict
from worker.features.port import Definition
from worker.features.skew import Guard, refused, skews


def trained_with(lineage: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, int]:
    """Return feature → version as the registry entry has it, and what only the model's own file says."""
    return {**(metadata.get("definitions") or {}), **(lineage.get("definitions") or {})}


def check_skew(
    model: str,
    trained: Mapping[str, int],
    reads: Iterable[str],
    definitions: Mapping[str, Definition],
    versions: Callable[[str], Sequence[Definition]],
    guard: Guard,
) -> list[str]:
    """Return a warning for each feature that has another version than `model` was trained with.

    Args:
        model: its bee and version, in words.
        trained: feature → version.
        reads: what is read for it; what these are computed from counts, too.
        definitions: what holds now, by name.
        versions: returns every version of one that is defined.
        guard: what is refused.

    Raises:
        Conflict: one of them must not be read so.
    """
    from worker.features.computed.inputs import closure

    names = {*reads, *closure(reads, definitions)}
    wanted = {name: version for name, version in trained.items() if name in names}
    found = skews(wanted, definitions, versions)
    against = refused(found, guard)
    if against:
        mend = "Train it again, put the definition back, or set COLONY_SKEW=warn"
        raise Conflict(f"{model} was trained with other definitions: {'; '.join(map(str, against))}. {mend}")
    return [str(skew) for skew in found]
