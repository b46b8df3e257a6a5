"""The loop over what only waits for time: back-offs, bars that lift, questions that expire, bees that fall silent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from worker.bee import BeeSpec, duration_text
from worker.clock import Clock, to_text
from worker.decide.course import due, fair_order, silent, tick
from worker.decide.memory import ColonyMemory
from worker.decide.policy import Policy
from worker.errors import Conflict, NotFound
from worker.incidents.approval import Answer, Kind, Question
from worker.incidents.machine import WAITING, Incident, State
from worker.ledger import Ledger, Transaction
from worker.runs.answer import Answerer, Word
from worker.runs.estimates import Typical, no_typical
from worker.runs.follow import Around, NewLabels, follow, look
from worker.runs.lifecycle import Run

log = structlog.get_logger()


@dataclass(frozen=True)
class Timers:
    """Any number of processes may do this beside each other: each bee is judged anew under its lock."""

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    clock: Clock
    new_labels: NewLabels = lambda _bee, _since, _until: None
    typical: Typical = no_typical

    def turn(self) -> int:
        """Take every bee on for which time alone is reason to; return how many changed. Raises TryLater."""
        return self._silences() + self._questions() + self._incidents()[0]

    def runs(self) -> list[Run]:
        """Do the same for incidents and questions only, and return the runs that were asked for."""
        self._questions()
        return self._incidents()[1]

    def _incidents(self) -> tuple[int, list[Run]]:
        now, policy = self.clock(), self.policy()
        with self.ledger.begin(write=False) as transaction:
            unfinished = [one for one in transaction.incidents.unfinished() if one.bee in self.bees()]
            in_flight, colony = transaction.runs.incidents_in_flight(), transaction.memories.colony()
        deployed = [one for one in unfinished if one.state is State.DEPLOYED and _unverified(one, policy, now)]
        waiting = [one for one in unfinished if one.state in WAITING and _may_go_on(one, policy, now, colony)]
        changed, begun = 0, []
        # Fair order: with room for one run the bee that is served first is the one that gets it.
        for incident in [*deployed, *fair_order(waiting, now, policy.colony.starving)]:
            if _waits_for_room(incident) and policy.colony.runs is not None and in_flight >= policy.colony.runs:
                continue
            moved, run = self._take_on(incident.bee, policy, now)
            changed += moved
            in_flight += run is not None
            begun += [run] if run else []
        return changed, begun

    def _take_on(self, name: str, policy: Policy, now: datetime) -> tuple[bool, Run | None]:
        bees = self.bees()
        try:
            with self.ledger.begin() as transaction:
                transaction.lock([name])
                around = Around(bees, self.new_labels, self.typical)
                before, situation = look(bees[name], policy, transaction, now, whole=True, around=around)
                after, effects = tick(before, situation)
                if after == before and not effects:
                    return False, None
                run = follow(before, after, effects, situation, transaction)
        except Conflict as error:
            log.info("another worker was first", bee=name, reason=str(error))
            return False, None
        if run is not None:
            log.info("incident goes on", bee=name, run=run.id, reason=run.reason)
        return after != before, run

    def _questions(self) -> int:
        """Answer the questions about deployments that nobody answered in time, as their policy said."""
        now = self.clock()
        with self.ledger.begin(write=False) as transaction:
            waiting = transaction.approvals.list(answer=Answer.WAITING)
        over = [one for one in waiting if one.kind is Kind.DEPLOYMENT and now >= one.expires_at]
        return sum(self._silence_means(question, now) for question in over)

    def _silence_means(self, question: Question, now: datetime) -> bool:
        bee, yes = self.bees().get(question.bee), question.on_expiry == "approve"
        if bee is None:
            return False
        word = Word(yes, "silence", f"nobody answered until {to_text(question.expires_at)}", silence=True)
        try:
            with self.ledger.begin() as transaction:
                transaction.lock([question.bee])
                current = transaction.approvals.get(question.id) or question
                said = Answerer(bee, self.policy(), transaction, now).answer(current, word).said
        except (Conflict, NotFound) as error:
            log.info("a question was answered, or is idle", approval=question.id, reason=str(error))
            return False
        log.info("a question expired", approval=question.id, bee=question.bee, reason=said)
        return True

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
                _tell_silence(bee, transaction, now)
        return len(quiet)


def _may_go_on(incident: Incident, policy: Policy, now: datetime, colony: ColonyMemory) -> bool:
    expired = incident.asked_until is not None and now >= incident.asked_until
    return expired or due(incident, policy, now, colony)


def _unverified(incident: Incident, policy: Policy, now: datetime) -> bool:
    within = policy.of(incident.bee).verify.within
    return within is not None and now >= incident.changed_at + within


def _waits_for_room(incident: Incident) -> bool:
    return incident.waiting is not None and incident.waiting.room


def _tell_silence(bee: BeeSpec, transaction: Transaction, now: datetime) -> None:
    memory = transaction.memories.of(bee.bee)
    if memory.heard is None or bee.expect_every is None or not silent(memory, bee.expect_every, now):
        return
    transaction.memories.save(bee.bee, replace(memory, missing_told=True))
    heard, every = to_text(memory.heard), duration_text(bee.expect_every)
    reason = f"no evaluation since {heard}, one was expected every {every}"
    data = {"beeId": bee.bee, "lastHeardAt": heard, "expectEvery": every, "reason": reason}
    transaction.outbox.add(bee.bee, "evaluation.missing", f"{bee.bee}/{heard}", 1, now, data)
