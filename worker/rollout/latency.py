"""How long each version took to answer, out of the prediction log: evidence for a guard of that name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.evidence.running import Running, difference
from worker.features.port import FeatureStore
from worker.rollout.evidence import Compared
from worker.rollout.machine import Rollout
from worker.rollout_plan import GuardMetric
from worker.serving.logged import Logged
from worker.serving.served import decoder

#: Guards that are the mean time to an answer, in milliseconds.
NAMES = ("latency_ms", "latency")
#: No more predictions are looked at: by then every difference that matters is proven.
MOST = 500_000
Floats = NDArray[np.float64]


class Took(msgspec.Struct):
    """The part of a logged prediction that says who answered, and how quickly."""

    version: str
    latency_ms: float | None = None


def guards_served(rollout: Rollout, bee: BeeSpec, store: FeatureStore, as_of: datetime) -> dict[str, Compared]:
    """Return what the log says of those guards that are a latency; nothing of one that the plan does not have.

    Only versions that answer have one: of a version that is scored beside the champion nothing is known.

    Raises:
        Rejected, TryLater: the log cannot be read.
    """
    wanted = [name for name in NAMES if name in rollout.plan.guards]
    log = Logged(store, bee)
    if not wanted or not log.exists:
        return {}
    texts = log.texts(rollout.started_at, as_of, as_of).values.tolist()[:MOST]
    read = decoder(Took)
    took: list[Took] = [read(text) for text in texts]
    sides = [_times(took, version) for version in (rollout.champion, rollout.version)]
    alpha = 1 - rollout.plan.confidence
    return {name: _compared(name, rollout.plan.guards[name], sides, alpha) for name in wanted}


def _times(took: Sequence[Took], version: str) -> Floats:
    found = (one.latency_ms for one in took if one.version == version and one.latency_ms is not None)
    return np.fromiter(found, np.float64)


def _compared(name: str, guard: GuardMetric, sides: Sequence[Floats], alpha: float) -> Compared:
    # What took longer than the plan thought possible counts as that long: it must not break the sequence.
    kept = [np.clip(side, *guard.bounds) if guard.bounds else side for side in sides]
    champion, challenger = (Running.of(guard.bounds, planned=guard.min_samples).add(side) for side in kept)
    found = Compared(name, source="served", asymptotic=guard.bounds is None)
    if champion.mean is None or challenger.mean is None:
        return found
    where, gained = difference(challenger, champion, alpha), challenger.mean - champion.mean
    if guard.lower_is_better:
        where, gained = where.negated(), -gained
    lower, upper = where.finite()
    count, means = min(champion.count, challenger.count), (champion.mean, challenger.mean)
    return replace(
        found, count=count, champion=means[0], challenger=means[1], difference=gained, lower=lower, upper=upper
    )
