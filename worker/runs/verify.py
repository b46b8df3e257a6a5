"""The loop over rollouts under way: looks at what is known of both versions, and lets the rollout conclude from it."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock
from worker.decide.policy import Policy
from worker.errors import NotFound, Rejected, TryLater
from worker.features.fresh import new_labels
from worker.ledger import Ledger
from worker.models.port import ModelVersion
from worker.models.trials import TrialKind
from worker.rollout.due import replayed_at
from worker.rollout.encoding import decoded
from worker.rollout.evidence import Evidence
from worker.rollout.machine import Conclusion, Move, Rollout, concluded
from worker.runs.follow import Around
from worker.runs.pace import Paces
from worker.runs.rollout import look, retire

if TYPE_CHECKING:
    from worker.rollout.outcomes import Outcomes

log = structlog.get_logger()


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
    monotonic: Callable[[], float] = time.monotonic
    _paces: Paces = field(default_factory=Paces, init=False)
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
        for over in self._paces.forget(active):
            self.outcomes().scorers.drop(over.bee)
        for rollout in active:
            try:
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

    def _look(self, bee: str, as_of: datetime, *, anew: bool = False) -> Looked | None:
        found = self._standing(bee)
        if found is None:
            return None
        rollout, versions = found
        evidence, fault = self._evidence(rollout, versions, as_of, anew=anew)
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

    def _labels(self, bee: BeeSpec, since: datetime, now: datetime) -> int:
        """Count the labels that became known since a time. Raises TryLater."""
        store = self.outcomes().scorers.features()
        try:
            return new_labels(store, bee, since, now) if bee.label else 0
        except (Rejected, NotFound):
            # What is wrong with the label is told by the next look.
            return 0

    def _paced(self, rollout: Rollout, now: datetime) -> int:
        """Look, if a look may find something new; return 1 if it took the rollout on."""
        if self._paces.waits(rollout, now, lambda since: self._labels(self.bees()[rollout.bee], since, now)):
            return 0
        begun, anew = self.monotonic(), self._paces.anew(rollout, now)
        looked = self._look(rollout.bee, now, anew=anew)
        if looked is None:
            return 0
        self._paces.looked(looked.after, now, self.monotonic() - begun, anew=anew)
        if not looked.moved:
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
        self, rollout: Rollout, versions: tuple[ModelVersion, ModelVersion], as_of: datetime, *, anew: bool
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
            found = evidence(rollout, outcomes.paired(pair, as_of, fresh=anew), as_of, served)
            if not anew and concluded(rollout, found).move is not Move.WAIT:
                found = evidence(rollout, outcomes.paired(pair, as_of, fresh=True), as_of, served)
        except (Rejected, NotFound) as error:
            log.warning("a rollout has no rows to go by", bee=rollout.bee, version=rollout.version, reason=str(error))
            return evidence(rollout, None, as_of), str(error)
        return found, ""
