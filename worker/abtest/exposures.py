"""Who was exposed to what, and when first: from the prediction log, or by the split where nobody was served; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from worker.models.port import Scored
from worker.models.traffic import Traffic

Times = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers by entity and time: those that were logged, or those that were scored offline.

    Attributes:
        entities, times_us: whose, and when, in microseconds since 1970.
        versions: which model gave each.
        scored: what it said.
        latencies_ms: how long each took, where that was logged.
    """

    entities: Sequence[str]
    times_us: Times
    versions: Sequence[str]
    scored: Sequence[Scored]
    latencies_ms: Sequence[float | None] = ()

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.times_us)


@dataclass(frozen=True, eq=False)
class Exposures:
    """Each exposed entity once, by the time of its first exposure.

    Attributes:
        entities: their ids.
        times_us: when each was first exposed.
        arms: the place of the version that the split assigns to each; that is what it is judged as, whatever served
            it (intention to treat).
        served: the place of the version that answered it first, -1 for one that is not in the test.
    """

    entities: tuple[str, ...] = ()
    times_us: Times = field(default_factory=lambda: np.empty(0, np.int64))
    arms: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))
    served: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def __len__(self) -> int:
        """Return how many entities there are."""
        return len(self.entities)

    @property
    def places(self) -> Mapping[str, int]:
        """Entity -> its place here."""
        return {entity: place for place, entity in enumerate(self.entities)}

    @property
    def crossed(self) -> int:
        """How many were first answered by another version than the one assigned to them."""
        return int(np.sum(self.arms != self.served))


def exposures_of(
    entities: Sequence[str], times_us: Times, traffic: Traffic, served: Sequence[str] | None = None
) -> Exposures:
    """Return the first exposure of each entity.

    Args:
        entities: whose exposures these are, an entity any number of times.
        times_us: when, shape (exposures,).
        traffic: the test's, which assigns.
        served: the version that answered each; None: what was assigned.
    """
    first: dict[str, int] = {}
    for place in np.argsort(times_us, kind="stable").tolist():
        first.setdefault(entities[place], place)
    names, kept = tuple(first), np.fromiter(first.values(), np.intp, len(first))
    arm = {version: place for place, (version, _) in enumerate(traffic.split)}
    arms = np.fromiter((arm[traffic.version_for(entity)] for entity in names), np.intp, len(names))
    if served is None:
        return Exposures(names, times_us[kept], arms, arms)
    answered = np.fromiter((arm.get(served[place], -1) for place in kept.tolist()), np.intp, len(names))
    return Exposures(names, times_us[kept], arms, answered)
