"""Why it did or did not retrain: an event, a run or a bee explained in words, every rule and guard in order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.decide.bars import Ask, bars
from worker.decide.course import Course, Situation, as_of_now, learned_until
from worker.decide.policy import Policy
from worker.decide.port import Recorded
from worker.errors import NotFound
from worker.incidents.machine import Incident
from worker.incidents.words import following, told
from worker.ledger import Transaction
from worker.models.trials import TrialKind
from worker.runs.cost import cost_text
from worker.runs.estimates import Typical, estimated, no_typical
from worker.runs.explanation import Explanation, Line, Section, of_guards, of_rules
from worker.runs.follow import findings_of, look
from worker.runs.lifecycle import Run
from worker.runs.rollout_words import rollout_section, rollout_words, rollouts_of
from worker.runs.trial import champion_since, under_way


@dataclass(frozen=True)
class Explainer:
    """Explains from what the ledger has; it changes nothing."""

    transaction: Transaction
    bees: Mapping[str, BeeSpec]
    policy: Policy
    now: datetime
    typical: Typical = no_typical

    def explain(self, subject: str) -> list[Explanation]:
        """Explain a run, an event or a bee by its name; several where events of different sources have one id.

        Raises:
            NotFound: nothing has that name.
        """
        # No database stores a NUL, and PostgreSQL does not even look for one.
        known = "\x00" not in subject
        run = self.transaction.runs.get(subject) if known else None
        if run is not None:
            return [self.run(run)]
        decisions = self.transaction.decisions.named(subject) if known else ()
        if decisions:
            return [self.event(decision) for decision in decisions]
        if subject in self.bees:
            return [self.bee(self.bees[subject])]
        raise NotFound(
            f"nothing is known of {subject!r}: name an event (`colony decisions`), a run (`colony runs`) or a bee",
            field="subject",
        )

    def event(self, decision: Recorded) -> Explanation:
        """Explain what followed from an evaluation."""
        which = f"version {decision.model_version} of {decision.bee}, evaluated for {to_text(decision.evaluated_at)}"
        summary = [f"{_ACTIONS.get(decision.action, decision.action)} ({which}).", f"Because: {decision.reason}."]
        incident = self.transaction.incidents.get(decision.incident_id) if decision.incident_id else None
        run = self.transaction.runs.get(decision.run_id) if decision.run_id else None
        sections = of_rules(decision.rules)
        if run is not None:
            summary.append(f"Run {run.id} began.")
            sections = [*sections, Section("What became of the run", [_end(run, incident)])]
        elif incident is not None and decision.action == "held":
            sections = [*sections, *self._later(incident, decision)]
        summary.append(f"Decided {to_text(decision.decided_at)} by policy {decision.policy_version}.")
        return Explanation(decision.event_id, "event", summary, sections, self._following(decision.bee, incident))

    def run(self, run: Run) -> Explanation:
        """Explain why a run was asked for, and what became of it."""
        incident = self.transaction.incidents.get(run.incident_id) if run.incident_id else None
        decision = self.transaction.decisions.for_run(run.id)
        sections: list[Section] = []
        if decision is not None:
            summary = _asked_by_event(run, decision)
            sections += of_rules(decision.rules)
        elif incident is not None:
            summary = [f"Attempt {run.attempt} of incident {incident.id} began {to_text(run.created_at)}."]
            summary += [f"Because: {run.reason}.", *_waited(incident, run)]
            found = self.transaction.decisions.newest(run.bee, incident_id=incident.id, until=run.created_at)
            sections += of_rules(found.rules, only_rules=True) if found else []
            sections += _of_checks(incident, run)
        else:
            summary = [f"It was asked for {_TRIGGERS.get(run.trigger, run.trigger)}: {run.reason}."]
        if incident is not None:
            sections.append(self._story(incident, until=run.created_at))
        sections += [rollout_section(rollout) for rollout in rollouts_of(self.transaction, run.bee, run.id)]
        end = _end(run, incident)
        ended = _ENDS.get(end.outcome, f"It has not ended yet (it is {end.outcome})")
        summary.append(f"{ended}{': ' if end.why else ''}{end.why}.")
        return Explanation(run.id, "run", summary, sections, self._following(run.bee, incident))

    def bee(self, bee: BeeSpec) -> Explanation:
        """Explain how a bee stands: its model, last evaluation and incident, and what would hold a retrain back."""
        course, situation = self._look(bee)
        champion = self.transaction.models.champion(bee.bee)
        since = champion_since(self.transaction, bee.bee)
        live = f"version {champion.version} since {to_text(since)}" if champion and since else "no model yet"
        summary = [f"In production: {live}."]
        trial = self.transaction.trials.active(bee.bee)
        rollouts = rollouts_of(self.transaction, bee.bee)[-1:]
        summary += [rollout_words(rollout) for rollout in rollouts if rollout.active]
        if trial is not None and trial.kind is not TrialKind.ROLLOUT:
            summary.append(f"Its traffic is divided: {under_way(self.transaction, bee.bee)}.")
        decision = self.transaction.decisions.newest(bee.bee)
        if decision is None:
            summary.append("It was never evaluated.")
        else:
            said = f"Newest evaluation: {decision.event_id}, for {to_text(decision.evaluated_at)}"
            summary.append(f"{said}. {_ACTIONS.get(decision.action, decision.action)}: {decision.reason}.")
        incident = course.incident
        if incident is None:
            summary.append("It has no open incident.")
        else:
            summary.append(f"Incident {incident.id} is {incident.state}, {_attempts(incident)}.")
        sections = of_rules(decision.rules, only_rules=True) if decision else []
        sections += [rollout_section(rollout) for rollout in rollouts]
        title = f"What would hold a retrain back now, by policy {self.policy.version}"
        sections.append(of_guards(title, bars(_ask(course, situation))))
        if incident is not None:
            sections.append(self._story(incident))
        return Explanation(bee.bee, "bee", summary, sections, self._following(bee.bee, incident))

    def _look(self, bee: BeeSpec) -> tuple[Course, Situation]:
        course, situation = look(bee, self.policy, self.transaction, self.now, whole=False)
        whole = Course(course.memory, self.transaction.memories.colony(), course.incident)
        cost = estimated(bee, bee.pipeline, self.transaction, self.typical)
        return whole, Situation(
            bee,
            situation.policy,
            self.now,
            situation.active_run,
            self.transaction.runs.incidents_in_flight(),
            estimate=None if cost.amount is None else Decimal(str(cost.amount)),
            estimated=cost.basis,
            trial=under_way(self.transaction, bee.bee),
            findings=findings_of(bee, situation.policy, self.transaction),
        )

    def _story(self, incident: Incident, until: datetime | None = None) -> Section:
        runs = {attempt: run.id for attempt, run in runs_of(self.transaction, incident).items()}
        entries = told(incident, runs, self.transaction.approvals.of_incident(incident.id))
        shown = [one for one in entries if until is None or one.at <= to_text(until)]
        lines = [Line(one.at, one.what, one.said) for one in shown[-_LONGEST:]]
        return Section(f"The story of incident {incident.id}{' until then' if until else ''}", lines)

    def _later(self, incident: Incident, decision: Recorded) -> list[Section]:
        """Return what became of a trigger that was held back."""
        since = to_text(decision.decided_at)
        begun = next((e for e in incident.story if e["what"] == "retraining" and str(e["at"]) >= since), None)
        if begun is None:
            return []
        attempt = int(begun["attempt"])
        run = runs_of(self.transaction, incident).get(attempt)
        said = f"attempt {attempt} began {begun['at']}" + (f": run {run.id}" if run else "")
        lines = [Line("later", "begun", said)] + ([_end(run, incident)] if run else [])
        return [Section("What became of what was held back", lines)]

    def _following(self, bee: str, incident: Incident | None) -> str:
        policy = self.policy.of(bee)
        if incident is None:
            return f"The next evaluation of {bee} is judged by the same rules."
        questions = self.transaction.approvals.of_incident(incident.id)
        return following(incident, policy.retry.limit, policy.verify.windows, questions)


_LONGEST = 40
_ACTIONS = {
    "trigger": "It triggered a retrain",
    "none": "It did not retrain: there was no reason to",
    "held": "There was a reason to retrain, but it was held back",
    "attached": "It did not begin another retrain: it joined the incident that was open",
    "stale": "It was not judged: it is older than one that was",
    "refused": "It was refused",
}
_ENDS = {
    "deployed": "Its model went into production",
    "gated": "Its model passed its gate",
    "rollout": "Its model passed its gate and is being rolled out",
    "rejected": "Its model was refused",
    "registered": "Its model was kept, and goes nowhere by itself",
    "superseded": "Its model was not put into production",
    "completed": "It is done",
    "failed": "It failed",
    "cancelled": "It was cancelled",
}
_TRIGGERS = {"manual": "by hand", "schedule": "by its schedule", "drift": "by an incident"}


def _asked_by_event(run: Run, decision: Recorded) -> list[str]:
    which = f"version {decision.model_version} of {run.bee}, evaluated for {to_text(decision.evaluated_at)}"
    first = f"Evaluation {decision.event_id} triggered it ({which}; decided {to_text(decision.decided_at)})."
    return [first, f"Because: {decision.reason}.", f"It is attempt {run.attempt} of incident {run.incident_id}."]


def _of_checks(incident: Incident, run: Run) -> list[Section]:
    begun = (entry for entry in incident.story if entry["what"] == "retraining" and entry.get("attempt") == run.attempt)
    checks = next(begun, {}).get("checks", [])
    lines = [Line(check["name"], check["outcome"], check["why"]) for check in checks]
    return [Section("What could have held it back", lines)] if lines else []


def _waited(incident: Incident, run: Run) -> list[str]:
    """Return what had held an attempt back before it began."""
    held = [
        entry
        for entry in incident.story
        if entry["what"] in {"held", "retry", "approved"} and str(entry["at"]) <= to_text(run.created_at)
    ]
    if not held:
        return []
    last = held[-1]
    if last["what"] != "held":
        what = "approved it" if last["what"] == "approved" else "asked for it"
        return [f"{last.get('by')} {what} {last['at']}{': ' if last.get('reason') else ''}{last.get('reason', '')}."]
    return [f"It had waited since {last['at']}: {last['reason']}. That was over, so it began by itself."]


def _end(run: Run, incident: Incident | None) -> Line:
    verdict = run.verdict.value if run.verdict else run.status.value
    story = incident.story if incident else ()
    told = next((str(entry.get("reason", "")) for entry in reversed(story) if entry.get("run") == run.id), "")
    said = run.error or told or str((run.outcome or {}).get("reason") or "")
    unsettled = "" if run.settled or not run.status.ended else "what follows from it is being worked out"
    cost = "" if run.cost is None else f"it cost {cost_text(run.cost)}"
    return Line(run.id, verdict, "; ".join(part for part in (unsettled, said, cost) if part))


def runs_of(transaction: Transaction, incident: Incident) -> dict[int, Run]:
    """Return an incident's runs by attempt."""
    return {run.attempt: run for run in transaction.runs.list(bee=incident.bee) if run.incident_id == incident.id}


def _attempts(incident: Incident) -> str:
    return "no attempt has begun" if not incident.attempt else f"attempt {incident.attempt}"


def _ask(course: Course, situation: Situation) -> Ask:
    incident, now = course.incident, situation.now
    return Ask(
        bee=situation.bee,
        policy=situation.policy,
        memory=course.memory,
        colony=course.colony,
        event_time=as_of_now(incident, now) if incident else now,
        now=now,
        active_run=situation.active_run,
        in_flight=situation.in_flight,
        since=learned_until(course),
        findings=situation.findings,
        trial=situation.trial,
    )
