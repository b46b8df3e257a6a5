"""The prediction log: taken in a moment, written in the background, in batches, to the feature store.

What is served is put in a queue in memory; a thread asks the shadows, and stores what it finds there a moment later. A
process that is killed loses what waits, that moment's log; one whose store is away keeps as many as the queue holds.
What is lost in any way that can be seen is counted and told. A prediction never waits for its log.
"""

import hashlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

import structlog

from worker.bee import BeeSpec
from worker.clock import to_us
from worker.errors import Conflict, Rejected, TryLater
from worker.features.port import FeatureStore, Write
from worker.loops import Loop
from worker.serving.losses import Losses
from worker.serving.port import Told
from worker.serving.served import definitions_of, writes_of
from worker.serving.shadows import Entry, Shadows

log = structlog.get_logger()

#: So many predictions are stored at once.
_BATCH = 1000
#: How often the store is asked again while the process ends.
_PAUSE_S = 0.1
_ALL = 2**64


@dataclass(frozen=True)
class Rules:
    """How predictions are logged.

    Attributes:
        share: which share of them, 0 to 1.
        queue: how many may wait to be stored.
        keep: how long a logged prediction counts (the features' ttl); None: for ever.
        every_s: how long they wait for each other; a full batch goes at once.
    """

    share: float = 1.0
    queue: int = 10_000
    keep: timedelta | None = None
    every_s: float = 1.0


@dataclass(frozen=True)
class _Row:
    bee: BeeSpec
    writes: Sequence[Write]


def sampled(share: float, entity: str, time: datetime) -> bool:
    """Tell whether a prediction is logged: the same for the same entity and time, in every process.

    By both, not by the entity alone: whichever entities a hash of theirs left out would never be seen, nor could the
    versions that serve them be compared with those that serve others.
    """
    if share >= 1:
        return True
    digest = hashlib.sha256(f"log:{entity}:{to_us(time)}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * _ALL


class PredictionLog:
    """Safe to share between threads; its own thread begins with the first prediction."""

    def __init__(
        self, features: FeatureStore, rules: Rules, told: Told, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Log nothing yet; `told` counts what is logged, and what else serving tells."""
        self._features = features
        self._rules = rules
        self.told = told
        self._monotonic = monotonic
        self._losses = Losses("predictions are not logged", monotonic)
        self._shadows = Shadows(told)
        self._lock = threading.Lock()
        self._waiting: deque[Entry] = deque()
        #: what was taken out of the queue and is not stored yet: the writer's own.
        self._batch: list[_Row] = []
        self._defined: set[str] = set()
        self._loop: Loop | None = None
        self._closed = False

    @property
    def on(self) -> bool:
        """Whether anything is logged at all."""
        return self._rules.share > 0

    def wants(self, entity: str, time: datetime) -> bool:
        """Tell whether a prediction is among the sampled ones."""
        return sampled(self._rules.share, entity, time)

    def add(self, entry: Entry) -> None:
        """Take a prediction, or count it as lost if too many are waiting."""
        with self._lock:
            taken = not self._closed and len(self._waiting) + len(self._batch) < self._rules.queue
            if taken:
                self._waiting.append(entry)
                if self._loop is None:
                    self._loop = self._begun()
                elif len(self._waiting) == _BATCH:
                    self._loop.wake()
        if not taken:
            self.lose(entry.bee.bee, "shutdown" if self._closed else "full", 1)

    def lose(self, bee: str, reason: str, count: int, why: str = "") -> None:
        """Count predictions that will never be in the log, and say so."""
        self.told.unlogged(bee, reason, count)
        self._losses.add(count, why, bee=bee, reason=reason)

    def _begun(self) -> Loop:
        loop = Loop("predictions", self.turn, idle_s=self._rules.every_s, failed=self.told.failed)
        loop.vital = False
        loop.start()
        return loop

    def turn(self) -> int:
        """Store what waits, at most a batch; return how many that were if more wait, else 0: there is time to rest.

        Raises:
            TryLater: the store is away; the batch is kept.
        """
        if not self._batch:
            self._batch = self._prepared(self._taken())
        done = len(self._batch)
        if done:
            self._store()
        return done if len(self._waiting) >= _BATCH else 0

    def _taken(self) -> list[Entry]:
        with self._lock:
            entries = list(islice(self._waiting, _BATCH))
            for _ in entries:
                self._waiting.popleft()
        return entries

    def _prepared(self, entries: Sequence[Entry]) -> list[_Row]:
        self._shadows.ask(entries)
        rows = []
        for entry in entries:
            try:
                rows.append(_Row(entry.bee, writes_of(entry.bee, entry.entity, entry.time, entry.served)))
            except Exception as error:  # noqa: BLE001 - an answer that cannot be said in JSON, of whatever kind it is
                self.lose(entry.bee.bee, "refused", 1, f"{type(error).__name__}: {error}"[:500])
        return rows

    def _store(self) -> None:
        """Store the batch; what the store does not take at all is lost, and told. Raises TryLater."""
        self._define()
        try:
            self._features.write([write for row in self._batch for write in row.writes])
        except TryLater:
            raise
        except Exception:  # noqa: BLE001 - one row may be to blame: each is stored alone
            self._defined.clear()
            self._store_each()
        else:
            stored, self._batch = self._batch, []
            self._tell(stored)

    def _store_each(self) -> None:
        while self._batch:
            self._define()
            row = self._batch[0] if self._batch else None
            if row is None:
                return
            try:
                self._features.write(row.writes)
            except TryLater:
                raise
            except Exception as error:  # noqa: BLE001 - a row that cannot be stored must not hold up the others
                self.lose(row.bee.bee, "refused", 1, f"{type(error).__name__}: {error}"[:500])
            else:
                self._tell([row])
            del self._batch[0]

    def _tell(self, rows: Sequence[_Row]) -> None:
        for bee, count in Counter(row.bee.bee for row in rows).items():
            self.told.logged(bee, count)

    def _define(self) -> None:
        """Define the features of each bee that is new to this process; rows of one that cannot have them are lost."""
        for bee in {row.bee.bee: row.bee for row in self._batch}.values():
            if bee.bee in self._defined:
                continue
            try:
                define(self._features, bee, self._rules.keep)
            except (Rejected, Conflict) as error:
                lost = [row for row in self._batch if row.bee.bee == bee.bee]
                self._batch = [row for row in self._batch if row.bee.bee != bee.bee]
                self.lose(bee.bee, "refused", len(lost), str(error))
            else:
                self._defined.add(bee.bee)

    def close(self, patience_s: float = 3.0) -> None:
        """Take nothing more, and store what waits; what the store does not take by then is lost, and told."""
        with self._lock:
            self._closed = True
        until = self._monotonic() + patience_s
        if self._loop is not None:
            self._loop.stop()
            self._loop.join(patience_s)
            if not self._loop.is_alive():
                self._flush(until)
        self._give_up()
        self._losses.sum_up()

    def _flush(self, until: float) -> None:
        while (self._waiting or self._batch) and self._monotonic() < until:
            try:
                self.turn()
            except TryLater:
                time.sleep(_PAUSE_S)
            except Exception:
                log.exception("the last predictions could not be logged")
                return

    def _give_up(self) -> None:
        left = Counter(row.bee.bee for row in self._batch)
        with self._lock:
            left.update(entry.bee.bee for entry in self._waiting)
            self._waiting.clear()
        for bee, count in left.items():
            self.lose(bee, "shutdown", count, "the feature store did not take them before the process ended")


def define(features: FeatureStore, bee: BeeSpec, keep: timedelta | None) -> None:
    """Define the features of a bee's log unless they are there: any process may, and what stands is left as it is.

    Raises:
        Rejected: something else is defined under one of the names.
    """
    there = {one.name: one for one in features.definitions()}
    for wanted in definitions_of(bee, keep):
        standing = there.get(wanted.name)
        if standing is None:
            features.define(wanted)
        elif (standing.entity, standing.type, standing.source) != (wanted.entity, wanted.type, wanted.source):
            reason = f"{wanted.name!r} is defined as another feature than that of {bee.bee}'s prediction log"
            raise Rejected(reason, field="name", mend="delete it, or set COLONY_PREDICTIONS_LOGGED=0")
