"""Which version served which row: the changes of a bee's traffic, applied to entities and times; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from worker.clock import to_us
from worker.models.port import Deployment
from worker.models.traffic import Traffic, all_to

Names = NDArray[np.object_]


@dataclass(frozen=True)
class Serving:
    """What served from when on, oldest first; of two changes at the same time the later one holds."""

    changes: tuple[tuple[datetime, Traffic], ...]

    @classmethod
    def of(cls, deployments: Sequence[Deployment]) -> Self:
        """Return what a ledger's deployments say."""
        return cls(tuple((one.at, one.traffic) for one in deployments))

    @classmethod
    def whole(cls, changes: Sequence[tuple[datetime, str]]) -> Self:
        """Return versions that each took over all traffic."""
        return cls(tuple((at, all_to(version)) for at, version in changes))

    def versions(self, ids: Sequence[str], times_us: NDArray[np.int64]) -> Names:
        """Return the version that served each row; rows are in order of time.

        Raises:
            ValueError: a row from before anything served.
        """
        begins = np.searchsorted(times_us, [to_us(at) for at, _ in self.changes], side="left").tolist()
        if len(times_us) and (not begins or begins[0] > 0):
            raise ValueError("rows from before the first version")
        found: Names = np.empty(len(times_us), dtype=np.object_)
        for (_, traffic), begin, end in zip(self.changes, begins, [*begins[1:], len(times_us)], strict=True):
            if len(traffic.split) == 1:
                found[begin:end] = traffic.split[0][0]
            else:
                found[begin:end] = [traffic.version_for(entity) for entity in ids[begin:end]]
        return found

    def shown(self, start: datetime, end: datetime) -> str:
        """Return the versions of a period in words: `1`, `1 → 3`, `3 10% → 3`."""
        before = [traffic for at, traffic in self.changes if at <= start]
        during = [traffic for at, traffic in self.changes if start < at < end]
        words = [_words(traffic) for traffic in (*before[-1:], *during)]
        return " → ".join(word for place, word in enumerate(words) if place == 0 or word != words[place - 1])


def _words(traffic: Traffic) -> str:
    live = [(version, percent) for version, percent in traffic.split if percent]
    return live[0][0] if len(live) == 1 else "/".join(f"{version} {percent}%" for version, percent in live)
