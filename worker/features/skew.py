"""Whether features are still defined as they were when a model was trained; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.features.definition import meaning
from worker.features.port import Definition


class Guard(StrEnum):
    """What happens to an online read for a model that was trained with other versions of what it reads.

    AUTO refuses if the meaning of a feature changed (entity, type, source, computation, ttl, unit), and warns if only
    words or the range did; REFUSE refuses any other version; WARN refuses none.
    """

    AUTO = "auto"
    REFUSE = "refuse"
    WARN = "warn"


@dataclass(frozen=True)
class Skew:
    """One feature that has another version than the model was trained with.

    Attributes:
        now: the version that holds, None if the feature is no longer defined.
        other_meaning: whether the same value could say something else than it did.
    """

    name: str
    trained: int
    now: int | None
    other_meaning: bool

    def __str__(self) -> str:
        """Tell it to a person."""
        if self.now is None:
            return f"{self.name} was version {self.trained} and is not defined any more"
        said = "with another meaning" if self.other_meaning else "with the same meaning"
        return f"{self.name} was version {self.trained} and is {self.now}, {said}"


def skews(
    trained: Mapping[str, int],
    definitions: Mapping[str, Definition],
    versions: Callable[[str], Sequence[Definition]],
) -> list[Skew]:
    """Return what is not as it was, by name.

    Args:
        trained: feature → the version that the model was trained with.
        definitions: the newest of each that holds.
        versions: returns every version of one that is defined; asked only about those that differ.
    """
    found = []
    for name, version in sorted(trained.items()):
        now = definitions.get(name)
        if now is None:
            found.append(Skew(name, version, None, other_meaning=True))
        elif now.version != version:
            then = next((one for one in versions(name) if one.version == version), None)
            found.append(Skew(name, version, now.version, then is None or meaning(then) != meaning(now)))
    return found


def refused(found: Sequence[Skew], guard: Guard) -> list[Skew]:
    """Return those that stand against reading."""
    if guard is Guard.WARN:
        return []
    return [skew for skew in found if guard is Guard.REFUSE or skew.other_meaning]
