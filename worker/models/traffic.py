"""Which version serves an entity: the same for the same entity, in every process and language; pure.

The place of an entity among a hundred is the first 8 hexadecimal digits of SHA-256 over the UTF-8 bytes of
`salt:entity`, as a whole number, times 100, divided by 2**32 and rounded down (all below 2**53, so that JavaScript
computes it exactly). The first version of the split whose share, added to those before it, is above that place serves.
A challenger stands before the champion: when its share grows, entities only ever move to it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PERCENT = 100


@dataclass(frozen=True)
class Traffic:
    """Who is served by what while more than one version is live.

    Attributes:
        split: (version, percent), in the order that places are given out; the percents are whole and sum to 100.
        salt: of the hash: the id of the rollout or the test, so that two of them divide entities independently.
        shadow: versions that are scored with every request and never answer.
    """

    split: tuple[tuple[str, int], ...]
    salt: str = ""
    shadow: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what does not add up: ValueError."""
        percents = [percent for _, percent in self.split]
        if not percents or sum(percents) != PERCENT or min(percents) < 0 or len(dict(self.split)) != len(self.split):
            raise ValueError(f"a split of {self.split} does not sum to 100")

    @property
    def shares(self) -> Mapping[str, int]:
        """Version -> percent."""
        return dict(self.split)

    @property
    def ordered(self) -> list[dict[str, Any]]:
        """The split as JSON, in the order that places are given out."""
        return [{"version": version, "percent": percent} for version, percent in self.split]

    def version_for(self, entity: str) -> str:
        """Return the version that serves an entity."""
        at, reached = place(self.salt, entity), 0
        for version, percent in self.split:
            reached += percent
            if at < reached:
                return version
        raise AssertionError("the shares sum to 100")


def place(salt: str, entity: str) -> int:
    """Return an entity's place, 0 to 99."""
    digest = hashlib.sha256(f"{salt}:{entity}".encode()).hexdigest()
    return int(digest[:8], 16) * PERCENT // 2**32


def all_to(version: str) -> Traffic:
    """Return the traffic of a single version."""
    return Traffic(((version, PERCENT),))
