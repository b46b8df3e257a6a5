"""The stored values of some rows, out of a backend's history."""

from datetime import timedelta
from typing import Protocol

import numpy as np

from worker.features.computed.cells import cells
from worker.features.computed.evaluate import Newest
from worker.features.computed.windows import NEVER, Spine
from worker.features.join import Ints, Log, join
from worker.features.port import Definition

_MICROSECOND = timedelta(microseconds=1)


class Logs(Protocol):
    """The part of `worker.features.training.History` that computing needs."""

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the feature's values of these entities with event time in [since, until]."""
        ...


class HistorySource:
    """Implements worker.features.computed.evaluate.Source over a history."""

    def __init__(self, history: Logs, spine: Spine, *, respect_known_at: bool = True) -> None:
        """Take one consistent view of the stored values, and the rows to read them for."""
        self._history = history
        self._spine = spine
        self._codes = np.unique(spine.codes[spine.codes >= 0])
        self._respect_known_at = respect_known_at
        self._logs: dict[tuple[str, int | None], Log] = {}

    def newest(self, definition: Definition) -> Newest:
        """Return a feature's value per row, by the rule of `worker.features.join`."""
        ttl_us = None if definition.ttl is None else definition.ttl // _MICROSECOND
        log = self.log(definition, ttl_us)
        found = join(log, self._spine.codes, self._spine.times, ttl_us=ttl_us, respect_known_at=self._respect_known_at)
        hit = found.index >= 0
        event = np.full(len(hit), NEVER)
        event[hit] = log.event[found.index[hit]]
        return Newest(cells(definition.type, found.pick(log.values)), event, found.without_known_at)

    def log(self, definition: Definition, reach_us: int | None) -> Log:
        """Return what the rows' entities have from the earliest t - reach to the latest t."""
        if not len(self._codes):
            nothing = np.empty(0, np.int64)
            return Log(nothing, nothing, nothing, np.empty(0, np.object_))
        key = (definition.name, reach_us)
        if key not in self._logs:
            times = self._spine.times
            since_us = None if reach_us is None else int(times.min()) - reach_us
            until_us = int(times.max())
            self._logs[key] = self._history.log(definition, self._codes, since_us=since_us, until_us=until_us)
        return self._logs[key]
