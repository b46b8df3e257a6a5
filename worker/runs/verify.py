"""The loop over rollouts under way: looks at what is known of both versions, and lets the rollout conclude from it."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock
from worker.decide.policy import Policy
from worker.errors import NotFound, Rejected, TryLater
from worker.ledger import Ledger
from worker.models.port import ModelVersion
from worker.models.trials import TrialKind
from worker.rollout.due import due_at, replayed_at
from worker.rollout.encoding import decoded
from worker.rollout.evidence import Evidence
from worker.rollout.machine import Conclusion, Move, Rollout, concluded
from worker.runs.follow import Around
from worker.runs.rollout import look, retire

if TYPE_CHECKING:
    from worker.rollout.outcomes import Outcomes

log = structlog.get_logger()

#: A rollout is looked at so often at the most by itself, and so often where nothing seems to have changed.
EVERY, ANYHOW = timedelta(minutes=1), timedelta(hours=1)
#: Looking takes at most one part in so many of a worker's time.
_SHARE = 10


@dataclass(frozen=True)
class Looked:
    """What one look found.

    Attributes:
        before, after: the rollout before the look, and what became of it.
        fault: why no row could be read, so that only events count; empty where rows could.
    """

    before: Rollout
    after: Rollout
    evidence: Evidence
    conclusion: Conclusion
    fault: str = ""

    @property
    def moved(self) -> bool:
        """Whether it took the rollout on."""
        return self.conclusion.move is not Move.WAIT


@dataclass(frozen=True)
class _Pace:
    """The last look of this process.

    Attributes:
        seen: the rollout as it was left.
        again: not before that it is looked at by itself.
    """

    at: datetime
    again: datetime
    seen: Rollout


@dataclass(frozen=True)
class Verifier:
    """Any number of processes may do this beside each other: what a look concludes follows from what is stored.

    A process keeps the scores of rows between its looks; what takes a rollout on is concluded from rows that were all
    read and scored anew.

    Attributes:
        outcomes: reads and scores; asked for first when there is a rollout, since it loads much.
        around: what counts when an incident goes on.
        monotonic: tells how long looking takes.
    """

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    outcomes: "Callable[[], Outcomes]"
    clock: Clock
    around: Callable[[], Around] = Around
    every: timedelta = EVERY
    monotonic: Callable[[], float] = time.monotonic
    _paces: dict[str, _Pace] = field(default_factory=dict, init=False)
    #: A process looks once at a time: its looks share what they have scored.
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)

    def turn(self) -> int:
        """Look at every rollout of which something can have changed; return how many were taken on.

        Predecessors whose time to be gone back to is over are let go.

        Raises:
            TryLater: a bee's labels cannot be read now (the others were looked at).
        """
        with self._lock:
            return self._turn(self.clock())

    def _turn(self, now: datetime) -> int:
        done, faults, active = len(retire(self.ledger, now)), [], self.active()
        self._forget(active)
        for rollout in active:
            try:
                if not self._waits(rollout, now):
                    done += self._paced(rollout, now)
            except (TryLater, NotFound, Rejected) as error:
                faults.append(f"the rollout of {rollout.bee}: {error}")
        if faults:
            raise TryLater("; ".join(faults))
        return done

    def active(self) -> list[Rollout]:
        """Return the rollouts that are under way for bees that are configured."""
        with self.ledger.begin(write=False) as transaction:
            trials = transaction.trials.list(kind=TrialKind.ROLLOUT, active=True)
        return [decoded(trial) for trial in trials if trial.bee in self.bees()]

    def look(self, bee: str, as_of: datetime) -> Looked | None:
        """Look at a bee's rollout with what is known as of a time; None if there is none under way.

        Raises:
            TryLater: its labels cannot be read now.
        """
        with self._lock:
            return self._look(bee, as_of)

    def _look(self, bee: str, as_of: datetime) -> Looked | None:
        found = self._standing(bee)
        if found is None:
            return None
        rollout, versions = found
        evidence, fault = self._evidence(rollout, versions, as_of)
        with self.ledger.begin() as transaction:
            transaction.lock([bee])
            done = look(self.bees()[bee], self.policy(), transaction, evidence, as_of, self.around())
        if done is None:  # it was ended in the meantime
            return None
        return Looked(rollout, done.rollout, evidence, done.conclusion, fault)

    def next_due(self, after: datetime) -> datetime | None:
        """Return when a replay looks next; None without a rollout under way."""
        return min(filter(None, (replayed_at(rollout, after) for rollout in self.active())), default=None)

    def looks(self) -> list[Looked]:
        """Look at every rollout under way, whether anything has changed or not; for a replay. Raises TryLater."""
        now = self.clock()
        return [found for found in (self.look(rollout.bee, now) for rollout in self.active()) if found is not None]

    def _forget(self, active: Sequence[Rollout]) -> None:
        """Forget what was kept of rollouts that are over, whoever ended them."""
        for over in self._paces.keys() - {rollout.id for rollout in active}:
            self.outcomes().scorers.drop(self._paces.pop(over).seen.bee)

    def _waits(self, rollout: Rollout, now: datetime) -> bool:
        """Tell whether a look would find what the last one of this process found. Raises TryLater."""
        pace = self._paces.get(rollout.id)
        if pace is None or _changed(pace.seen, rollout):
            return False
        if now < pace.again:
            return True
        due, bee = due_at(rollout, pace.at), self.bees()[rollout.bee]
        if now >= pace.at + ANYHOW or (due is not None and now >= due):
            return False
        return not (bee.label and self._labels(bee, pace.at, now))

    def _labels(self, bee: BeeSpec, since: datetime, now: datetime) -> int:
        try:
            return (
                self.outcomes().scorers.features().count_labels(bee.entity, bee.label, known_after=since, known_by=now)
            )
        except (Rejected, NotFound):
            # What is wrong with the label is told by the next look.
            return 0

    def _paced(self, rollout: Rollout, now: datetime) -> int:
        begun = self.monotonic()
        looked = self.look(rollout.bee, now)
        took = timedelta(seconds=self.monotonic() - begun)
        if looked is not None:
            self._paces[rollout.id] = _Pace(now, now + max(self.every, took * _SHARE), looked.after)
        if looked is None or not looked.moved:
            return 0
        log.info("a rollout goes on", bee=rollout.bee, version=rollout.version, reason=looked.conclusion.reason)
        return 1

    def _standing(self, bee: str) -> tuple[Rollout, tuple[ModelVersion, ModelVersion]] | None:
        """Return the rollout under way, with champion and challenger."""
        with self.ledger.begin(write=False) as transaction:
            trial = transaction.trials.active(bee)
            if trial is None or trial.kind is not TrialKind.ROLLOUT:
                return None
            rollout = decoded(trial)
            champion, challenger = (
                transaction.models.get(bee, version) for version in (rollout.champion, rollout.version)
            )
        if champion is None or challenger is None:
            raise NotFound(f"version {rollout.champion} or {rollout.version} of {bee} is not registered")
        return rollout, (champion, challenger)

    def _evidence(
        self, rollout: Rollout, versions: tuple[ModelVersion, ModelVersion], as_of: datetime
    ) -> tuple[Evidence, str]:
        """Return what is known, and why rows say nothing if they cannot be read. Raises TryLater."""
        from worker.rollout.latency import guards_served
        from worker.rollout.outcomes import evidence
        from worker.rollout.scoring import Pair

        bee = self.bees()[rollout.bee]
        if bee.task == "generation":
            return evidence(rollout, None, as_of), ""
        pair, outcomes = Pair(bee, *versions, rollout.started_at), self.outcomes()
        try:
            served = guards_served(rollout, bee, outcomes.scorers.features(), as_of)
            found = evidence(rollout, outcomes.paired(pair, as_of), as_of, served)
            if concluded(rollout, found).move is not Move.WAIT:
                found = evidence(rollout, outcomes.paired(pair, as_of, fresh=True), as_of, served)
        except (Rejected, NotFound) as error:
            log.warning("a rollout has no rows to go by", bee=rollout.bee, version=rollout.version, reason=str(error))
            return evidence(rollout, None, as_of), str(error)
        return found, ""


def _changed(seen: Rollout, now: Rollout) -> bool:
    """Tell whether somebody else, or an event, has changed a rollout since it was looked at."""
    return (seen.state, seen.step, seen.windows) != (now.state, now.step, now.windows)
