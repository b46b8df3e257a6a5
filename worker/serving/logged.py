"""The prediction log read back in bulk: what was served in a period, and what was served for labelled rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from worker.bee import BeeSpec
from worker.clock import from_us
from worker.features.observed import Observed
from worker.features.port import FeatureStore, Value
from worker.features.spine import Spine
from worker.models.port import Scored
from worker.serving.matching import AFTER, BEFORE, matched
from worker.serving.served import Served, answers_in, decoder, names_of

_ONE = timedelta(microseconds=1)
_AT_ONCE = 100_000


@dataclass(frozen=True)
class LoggedPrediction:
    """What one version said of an entity at a time.

    Attributes:
        answered: whether this was the answer that was given; else the version was only scored beside it.
        snapshot: the features as they were read, None if they were too long to be kept.
        given: whether the caller gave the features, instead of having them read.
        latency_ms: from the request to the answer; of the one that answered.
    """

    entity: str
    time: datetime
    version: str
    prediction: Any
    score: float | None
    answered: bool
    snapshot: dict[str, Value] | None
    given: bool
    latency_ms: float | None


@dataclass(frozen=True)
class Logged:
    """Reads one bee's log from a feature store.

    Attributes:
        at_once: about so many logged predictions are held in memory at a time.
    """

    store: FeatureStore
    bee: BeeSpec
    at_once: int = _AT_ONCE

    @property
    def exists(self) -> bool:
        """Whether anything of the bee was ever logged here."""
        name = names_of(self.bee.bee).served
        return any(one.name == name and one.entity == self.bee.entity for one in self.store.definitions())

    def predictions(
        self, start: datetime, end: datetime, as_of: datetime, *, version: str | None = None
    ) -> Iterator[LoggedPrediction]:
        """Yield what was served in [start, end) and known by `as_of`, one for each version that was asked, by time.

        Args:
            start: when it was served, from here on.
            end: up to but not including this.
            as_of: what was written later is not there.
            version: only what this one said.
        """
        read = decoder(Served)
        for found in self.pieces(start, end, as_of):
            for entity, time_us, text in zip(found.ids, found.times_us.tolist(), found.values.tolist(), strict=True):
                served: Served = read(text)
                for name, answer in served.answers.items():
                    if version in {None, name}:
                        yield _logged(entity, from_us(time_us), name, answer.scored(), served)

    def texts(self, start: datetime, end: datetime, as_of: datetime) -> Observed:
        """Return the logged texts of [start, end) that were known by `as_of`; by time, then entity."""
        name, until = names_of(self.bee.bee).served, min(end, as_of + _ONE)
        if until <= start or not self.exists:
            return _nothing()
        return self.store.observations(self.bee.entity, name, start=start, end=until)

    def pieces(self, start: datetime, end: datetime, as_of: datetime) -> Iterator[Observed]:
        """Yield the same in pieces, one after the other, so that a large log does not take more memory than a small."""
        until = min(end, as_of + _ONE)
        if until <= start or not self.exists:
            return
        name = names_of(self.bee.bee).served
        values = next((one.values for one in self.store.facts() if one.feature == name), 0)
        count = max(1, -(-values // self.at_once))
        bounds = [start + (until - start) * number / count for number in range(count)]
        for first, last in zip(bounds, [*bounds[1:], until], strict=True):
            yield self.store.observations(self.bee.entity, name, start=first, end=last)

    def answers(
        self, rows: Spine, version: str, as_of: datetime, *, since: datetime | None = None
    ) -> list[Scored | None]:
        """Return what a version said of each labelled row when it was served, None where it was not.

        Which prediction belongs to which row is told in `worker.serving.matching`.

        Args:
            rows: entities and the times of their labels.
            version: whose answers.
            as_of: what was written later is not there.
            since: what was served before is not read, where it is known that the version was not asked then.
        """
        if not len(rows):
            return []
        first, last = (from_us(int(time)) for time in (rows.times_us.min(), rows.times_us.max()))
        start = first - BEFORE if since is None else max(first - BEFORE, since)
        ids: list[str] = []
        times_us: list[int] = []
        kept: list[Scored] = []
        for found in self.pieces(start, last + AFTER + _ONE, as_of):
            answers = answers_in(found.values.tolist(), version)
            for entity, time_us, answer in zip(found.ids, found.times_us.tolist(), answers, strict=True):
                if answer is not None:
                    ids.append(entity)
                    times_us.append(time_us)
                    kept.append(answer.scored())
        if not kept:
            return [None] * len(rows)
        of = matched(rows, ids, np.array(times_us, dtype=np.int64))
        return [None if place < 0 else kept[place] for place in of.tolist()]


def _logged(entity: str, time: datetime, version: str, said: Scored, served: Served) -> LoggedPrediction:
    answered = version == served.version
    one = LoggedPrediction(
        entity,
        time,
        version,
        said.prediction,
        said.score,
        answered,
        None if served.features is None else dict(served.features),
        served.given,
        None,
    )
    return replace(one, latency_ms=served.latency_ms) if answered else one


def _nothing() -> Observed:
    from worker.features.columns import Column

    empty = np.empty(0, np.int64)
    return Observed((), empty, empty, Column.empty("string", 0))
