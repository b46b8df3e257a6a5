"""The loop over what only waits for time: back-offs, bars that lift, questions that expire, bees that fall silent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from worker.bee import BeeSpec
from worker.clock import Clock, to_text
from worker.decide.course import fair_order, silent, tick
from worker.decide.policy import Policy
from worker.errors import Conflict
from worker.incidents.machine import Incident
from worker.ledger import Ledger, Transaction
from worker.runs.follow import follow, look
from worker.runs.lifecycle import Run

log = structlog.get_logger()


@dataclass(frozen=True)
class Timers:
    """Any number of processes may do this beside each other: each bee is judged anew under its lock."""

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    clock: Clock

    def turn(self) -> int:
        """Take every bee on for which time alone is reason to; return how many changed. Raises TryLater."""
        return self._silences() + self._incidents()[0]

    def runs(self) -> list[Run]:
        """Do the same for incidents only, and return the runs that were asked for."""
        return self._incidents()[1]

    def _incidents(self) -> tuple[int, list[Run]]:
        now, policy = self.clock(), self.policy()
        with self.ledger.begin(write=False) as transaction:
            unfinished = transaction.incidents.unfinished()
        waiting = [one for one in unfinished if one.bee in self.bees() and self._may_go_on(one, policy, now)]
        changed, begun = 0, []
        # Fair order: with room for one run the bee that is served first is the one that gets it.
        for incident in fair_order(waiting, now, policy.colony.starving):
            moved, run = self._take_on(incident.bee, policy, now)
            changed += moved
            begun += [run] if run else []
        return changed, begun

    def _may_go_on(self, incident: Incident, policy: Policy, now: datetime) -> bool:
        waiting, within = incident.waiting, policy.of(incident.bee).verify.within
        if waiting is not None:
            due = waiting.until is None or now >= waiting.until
            return due or (incident.asked_until is not None and now >= incident.asked_until)
        return within is not None and now >= incident.changed_at + within

    def _take_on(self, name: str, policy: Policy, now: datetime) -> tuple[bool, Run | None]:
        bee = self.bees()[name]
        try:
            with self.ledger.begin() as transaction:
                transaction.lock([name])
                before, situation = look(bee, policy, transaction, now, whole=True)
                after, effects = tick(before, situation)
                if after == before and not effects:
                    return False, None
                run = follow(before, after, effects, situation, transaction)
        except Conflict as error:
            log.info("another worker was first", bee=name, reason=str(error))
            return False, None
        if run is not None:
            log.info("incident goes on", bee=name, run=run.id, reason=run.reason)
        return True, run

    def _silences(self) -> int:
        now = self.clock()
        expected = [bee for bee in self.bees().values() if bee.expect_every is not None]
        if not expected:
            return 0
        with self.ledger.begin(write=False) as transaction:
            memories = transaction.memories.all()
        quiet = [bee for bee in expected if bee.bee in memories and silent(memories[bee.bee], bee.expect_every, now)]
        for bee in quiet:
            with self.ledger.begin() as transaction:
                transaction.lock([bee.bee])
                self._tell_silence(bee, transaction, now)
        return len(quiet)

    def _tell_silence(self, bee: BeeSpec, transaction: Transaction, now: datetime) -> None:
        memory = transaction.memories.of(bee.bee)
        if memory.heard is None or not silent(memory, bee.expect_every, now):
            return
        transaction.memories.save(bee.bee, replace(memory, missing_told=True))
        heard = to_text(memory.heard)
        reason = f"no evaluation since {heard}, one was expected every {bee.expect_every}"
        data = {"beeId": bee.bee, "lastHeardAt": heard, "expectEvery": str(bee.expect_every), "reason": reason}
        subject = f"{bee.bee}/{heard}"
        transaction.outbox.add(bee.bee, "evaluation.missing", subject, 1, now, data)
