"""Carry out what a person, or silence, answered: begin the run, deploy the version, or neither; in one transaction."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.bee import BeeSpec
from worker.decide.course import Effect, ruled
from worker.decide.people import approve_run, refuse_run
from worker.decide.policy import Policy
from worker.errors import Conflict, NotFound
from worker.incidents.approval import Answer, Kind, Question, answered
from worker.incidents.machine import State
from worker.ledger import Transaction
from worker.models.port import ModelVersion
from worker.runs.deploy import deploy, tell_verdict
from worker.runs.follow import Around, follow, look
from worker.runs.lifecycle import Run, Verdict
from worker.runs.rollout import begin
from worker.runs.staging import plan_of, staged
from worker.runs.trial import same_champion, under_way


@dataclass(frozen=True)
class Word:
    """An answer: yes or no, whose, and why; `silence` where nobody answered in time."""

    approve: bool
    by: str
    reason: str
    silence: bool = False

    @property
    def answer(self) -> Answer:
        """How the question is closed."""
        if self.silence:
            return Answer.EXPIRED
        return Answer.APPROVED if self.approve else Answer.REFUSED


@dataclass(frozen=True)
class Answered:
    """What followed, in words, and the run that began, if one did."""

    question: Question
    said: str
    run_id: str | None = None


@dataclass(frozen=True)
class Answerer:
    """Answers questions about one bee, whose lock must be held."""

    bee: BeeSpec
    policy: Policy
    transaction: Transaction
    now: datetime
    around: Around = field(default_factory=Around)

    def answer(self, question: Question, word: Word) -> Answered:
        """Answer a question, once.

        Raises:
            Conflict: it was answered before, has expired, or is idle by now.
            NotFound: the version or its run is gone.
        """
        closed = answered(question, word.answer, word.by, word.reason, self.now)
        if not word.silence and self.now >= question.expires_at:
            raise Conflict(f"approval {question.id} has expired, and silence means {question.on_expiry}")
        self.transaction.approvals.save(closed)
        return self._run(closed, word) if question.kind is Kind.RUN else self._deployment(closed, word)

    def _run(self, question: Question, word: Word) -> Answered:
        before, situation = look(self.bee, self.policy, self.transaction, self.now, whole=True, around=self.around)
        incident = before.incident
        if incident is None or incident.id != question.incident_id or incident.attempt + 1 != question.attempt:
            raise Conflict(f"attempt {question.attempt} of incident {question.incident_id} is not asked for any more")
        effects: tuple[Effect, ...] = ()
        if word.approve:
            after, effects, _ = approve_run(before, situation, word.by, word.reason)
        else:
            after = refuse_run(before, situation, word.by, word.reason)
        run = follow(before, after, effects, situation, self.transaction)
        if run is not None:
            return Answered(question, f"run {run.id} begins", run.id)
        waiting = after.incident.waiting if after.incident else None
        held = f"the run still waits: {waiting.why}" if waiting else f"incident {incident.id} is escalated"
        return Answered(question, held)

    def _deployment(self, question: Question, word: Word) -> Answered:
        run = self.transaction.runs.get(question.run_id or "")
        version = self.transaction.models.get(question.bee, question.version or "")
        if run is None or version is None:
            raise NotFound(f"version {question.version} of {question.bee} is gone")
        verdict, reason = self._verdict(question, word)
        if verdict is Verdict.DEPLOYED:
            verdict, reason = self._deploy(version, run, reason)
        elif verdict is Verdict.REJECTED:
            self.transaction.models.set_state(question.bee, version.version, "refused")
        run = replace(run, verdict=verdict, transition=run.transition + 1)
        self.transaction.runs.save(run)
        tell_verdict(run, version, verdict, reason, self.transaction, self.now)
        said = f"version {version.version} {verdict}: {reason}"
        self._take_on(run, said, word.by)
        return Answered(question, said)

    def _deploy(self, version: ModelVersion, run: Run, reason: str) -> tuple[Verdict, str]:
        """Put a version into production, in steps where the run's plan has any; return what became of the run."""
        plan = plan_of(run, run.outcome)
        if not staged(plan, run.bee, self.transaction):
            deploy(version, run, reason, self.transaction, self.now)
            return Verdict.DEPLOYED, reason
        incident = run.incident_id
        begun = begin(version, self.bee, plan, self.transaction, self.now, reason=reason, run=run.id, incident=incident)
        return Verdict.ROLLOUT, begun.reason

    def _verdict(self, question: Question, word: Word) -> tuple[Verdict, str]:
        said = f" ({word.reason})" if word.reason else ""
        if not word.approve:
            return Verdict.REJECTED, f"refused by {word.by}{said}"
        busy = under_way(self.transaction, question.bee)
        if busy:
            return Verdict.SUPERSEDED, f"approved by {word.by}{said}, but {busy}"
        if not same_champion(self.transaction, question.bee, question.against):
            champion = self.transaction.models.champion(question.bee)
            live, judged = champion.version if champion else "none", question.evidence.get("champion") or "none"
            moved = f"it was judged against version {judged}, and production has moved on to {live}"
            return Verdict.SUPERSEDED, f"approved by {word.by}{said}, but {moved}"
        return Verdict.DEPLOYED, f"approved by {word.by}{said}"

    def _take_on(self, run: Run, said: str, by: str) -> None:
        """Take the incident of the run on, if it has one that waits for this."""
        before, situation = look(self.bee, self.policy, self.transaction, self.now, whole=True)
        incident = before.incident
        if incident is None or incident.id != run.incident_id or incident.state is not State.GATED:
            return
        approve, steps = run.verdict in {Verdict.DEPLOYED, Verdict.ROLLOUT}, run.verdict is Verdict.ROLLOUT
        after = ruled(before, situation, approve=approve, reason=said, by=by, staged=steps)
        follow(before, after, (), situation, self.transaction)
