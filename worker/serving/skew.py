"""Training/serving skew: each logged read beside the point-in-time values of the same entity and time.

A model learns from the values that a training read gives, and answers from those that it is served. Where the two
differ for the same entity at the same time, it answers about something else than it has learned: values that came with
a known-at in the past, a view that is behind, a value corrected under its old time, features that a caller computes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.bee import BeeSpec
from worker.features.port import FeatureStore, Reader, TrainingRequest, Value
from worker.features.spine import Spine
from worker.serving.logged import Logged
from worker.serving.served import Served, decoder

#: A feature is served otherwise than it is learned from when more than this share of the reads differ.
SHARE = 0.01
#: Numbers that differ by less, relative to the larger, are the same: sums are not made in the same order everywhere.
TOLERANCE = 1e-9
#: So many reads, evenly out of all, are enough to tell.
MOST = 20_000

Snapshot = Mapping[str, Value]


@dataclass(frozen=True)
class FeatureSkew:
    """How one feature was served, beside how it is learned from.

    Attributes:
        bee: whose model it was served to.
        compared: logged reads that were looked at.
        differing: of these, how many had another value than the point-in-time one.
        only_served, only_stored: of these, how many had a value on that side alone.
    """

    bee: str
    feature: str
    compared: int
    differing: int
    only_served: int = 0
    only_stored: int = 0

    @property
    def share(self) -> float:
        """Which share of the reads differ; NaN of none."""
        return self.differing / self.compared if self.compared else math.nan

    def finding(self, *, min_rows: int, share: float = SHARE) -> str | None:
        """Return what is wrong, in words; None if too little was compared, or too little of it differs."""
        if self.compared < min_rows or not self.share > share:
            return None
        sides = {"only served": self.only_served, "only in training": self.only_stored}
        told = "".join(f", {count:,} {words}" for words, count in sides.items() if count)
        return f"{self.differing:,} of {self.compared:,} reads by {self.bee} differ from the training values{told}"


def compare(
    bee: str, served: Mapping[str, Sequence[Value]], stored: Mapping[str, Sequence[Value]]
) -> list[FeatureSkew]:
    """Return the skew of each feature, by name; pure.

    Args:
        bee: whose model it was served to.
        served: feature -> the value of each logged read, None where there was none.
        stored: the same features, the point-in-time value of each of the same reads.
    """
    return [_compared(bee, name, served[name], stored[name]) for name in sorted(served)]


def _compared(bee: str, name: str, served: Sequence[Value], stored: Sequence[Value]) -> FeatureSkew:
    differing = [(ours, theirs) for ours, theirs in zip(served, stored, strict=True) if not same(ours, theirs)]
    only_served = sum(theirs is None for _, theirs in differing)
    only_stored = sum(ours is None for ours, _ in differing)
    return FeatureSkew(bee, name, len(served), len(differing), only_served, only_stored)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values are the same to a model."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    numbers = [value for value in (one, other) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == 2:
        return math.isclose(*numbers, rel_tol=TOLERANCE)
    return type(one) is type(other) and one == other


def serving_skew(store: FeatureStore, bee: BeeSpec, start: datetime, end: datetime) -> list[FeatureSkew]:
    """Return the skew of each feature of a bee over what was read for it in [start, end); nothing if nothing was.

    Only what was read online counts, not what a caller gave; of features that the bee still reads and that are still
    defined.

    Raises:
        Rejected: the bee's features cannot be read for training.
    """
    spine, reads = _reads(store, bee, start, end)
    defined = {one.name for one in store.definitions()}
    names = [name for name in bee.features if name in defined and any(name in read for read in reads)]
    if not names:
        return []
    request = TrainingRequest(
        bee.entity, tuple(names), dict(bee.entities), spine=spine, respect_known_at=bee.respect_known_at
    )
    columns = store.values_at(request, reader=Reader(f"monitor:{bee.bee}", "batch")).columns
    found: list[FeatureSkew] = []
    for name in names:
        # One that the bee did not read yet when a prediction was logged is not in its snapshot.
        rows = [row for row, read in enumerate(reads) if name in read]
        served, stored = [reads[row][name] for row in rows], columns[name].take(rows).tolist()
        found += compare(bee.bee, {name: served}, {name: stored})
    return sorted(found, key=lambda one: one.feature)


def _reads(store: FeatureStore, bee: BeeSpec, start: datetime, end: datetime) -> tuple[Spine, list[Snapshot]]:
    """Return the entities and times of what was read online, and the features as they were read."""
    read = decoder(Served)
    ids: list[str] = []
    times_us: list[int] = []
    reads: list[Snapshot] = []
    for found in Logged(store, bee).pieces(start, end, end):
        for row in range(0, len(found), max(1, -(-len(found) // MOST))):
            one: Served = read(found.values.values[row])
            if one.features is not None and not one.given:
                ids.append(found.ids[row])
                times_us.append(int(found.times_us[row]))
                reads.append(one.features)
    step = max(1, -(-len(reads) // MOST))
    return Spine.of(ids[::step], times_us[::step]), reads[::step]
