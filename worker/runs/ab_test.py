"""Begin an A/B test, take it on by what was found, and end it; in the caller's transaction, the bee's lock held."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from worker.abtest.encoding import seen_of, test_of, trial_of
from worker.abtest.machine import AbTest, Findings, State, looked, stopped, superseded, unread
from worker.abtest.plan import AbPlan
from worker.bee import BeeSpec
from worker.clock import to_text
from worker.errors import Conflict, NotFound, Rejected
from worker.ledger import Transaction
from worker.models.port import Deployment, ModelVersion
from worker.models.trials import Trial, TrialKind
from worker.runs.ab_events import numbers, told_end, told_start
from worker.runs.deploy import deploy, tell_verdict
from worker.runs.lifecycle import Run, Verdict
from worker.runs.rollout import begin as begin_rollout
from worker.runs.trial import under_way

LIVE = "challenger"
_DECIDED = {State.CONCLUDED, State.EXPIRED}


def test_id(run_id: str) -> str:
    """Return the id of the test that a run asks for; it is the salt of the split, too."""
    return f"ab-{hashlib.sha256(run_id.encode()).hexdigest()[:20]}"


def checked_versions(bee: str, plan: AbPlan, transaction: Transaction) -> dict[str, ModelVersion]:
    """Return the versions of a plan, by name.

    Raises:
        NotFound: one is not registered, or the bee has no model in production.
        Rejected: one has passed no gate, and no person's reason to try it all the same is recorded.
    """
    if transaction.models.champion(bee) is None:
        raise NotFound(f"{bee} has no model in production to go back to; nothing can be tried beside it")
    found = {}
    for name in plan.versions:
        version = transaction.models.get(bee, name)
        if version is None:
            known = ", ".join(one.version for one in transaction.models.versions(bee)) or "none"
            raise NotFound(f"there is no version {name} of {bee}; there are: {known}", field="versions")
        if not version.gate_passed and version.forced is None:
            mend = "try another, or `colony ab start --force --reason …`, which is recorded"
            raise Rejected(f"version {name} of {bee} has not passed its gate", field="versions", mend=mend)
        found[name] = version
    return found


def begin(run: Run, told: Mapping[str, Any], transaction: Transaction, now: datetime) -> Trial:
    """Begin the test that a run has planned: its versions share the traffic from now on. The same run again is it.

    Args:
        run: whose outcome asks for it.
        told: `abTest` of its outcome: `plan` and `forecast`.
        transaction: the open one.
        now: the time.

    Raises:
        NotFound, Rejected: as `checked_versions`; or the plan cannot be read.
        Conflict: another test, or a rollout, of the bee is under way.
    """
    known = transaction.trials.get(test_id(run.id))
    if known is not None:
        return known
    try:
        plan = AbPlan.of(told["plan"])
    except (KeyError, TypeError, ValueError) as error:
        raise Rejected(
            f"the plan cannot be read: {error}", field="abTest.plan", mend="run the template again"
        ) from error
    versions = checked_versions(run.bee, plan, transaction)
    busy = under_way(transaction, run.bee)
    if busy:
        raise Conflict(f"{busy}: end that first")
    test = _started(run, plan, versions, transaction, now)
    seen = {"forecast": told.get("forecast"), "results": None, "fault": None}
    trial = trial_of(test, seen)
    transaction.trials.save(trial)
    transaction.outbox.add(run.bee, "ab_test.started", test.id, 1, now, told_start(test, seen))
    return trial


def took_look(
    trial_id: str, bee: BeeSpec, transaction: Transaction, now: datetime, *, found: Findings, results: Mapping[str, Any]
) -> AbTest:
    """Record a look, and do what it concludes; a test that is over, or was looked at later, stays as it is."""
    trial, test = _held(trial_id, transaction)
    seen = seen_of(trial)
    if not test.running or (seen.get("results") or {}).get("asOf", "") > to_text(found.at):
        return test
    whole = {**seen, "results": dict(results), "fault": None}
    return _go_on(test, looked(test, found), whole, transaction, now, bee)


def could_not_look(trial_id: str, why: str, transaction: Transaction, now: datetime) -> AbTest:
    """Record that the evidence cannot be read; a test whose time is over ends all the same."""
    trial, test = _held(trial_id, transaction)
    if not test.running:
        return test
    return _go_on(test, unread(test, why, now), {**seen_of(trial), "fault": why}, transaction, now)


def stop(trial_id: str, by: str, reason: str, transaction: Transaction, now: datetime) -> AbTest:
    """End a test by a person's word. Raises NotFound, or Conflict if it is over."""
    trial, test = _held(trial_id, transaction)
    if not test.running:
        raise Conflict(f"the test {trial_id} is over already: {test.state}")
    return _go_on(test, stopped(test, by, reason, now), seen_of(trial), transaction, now)


def _held(trial_id: str, transaction: Transaction) -> tuple[Trial, AbTest]:
    trial = transaction.trials.get(trial_id)
    if trial is None or trial.kind is not TrialKind.AB_TEST:
        raise NotFound(f"there is no A/B test {trial_id!r}; `colony ab list` lists them", field="testId")
    return trial, test_of(trial)


def _started(
    run: Run, plan: AbPlan, versions: Mapping[str, ModelVersion], transaction: Transaction, now: datetime
) -> AbTest:
    champion = transaction.models.champion(run.bee)
    if champion is None:
        raise NotFound(f"{run.bee} has no model in production")
    tried = {name: one for name, one in versions.items() if name != champion.version}
    test = AbTest(
        id=test_id(run.id),
        bee=run.bee,
        plan=plan,
        champion=champion.version,
        epoch=champion.epoch + 1,
        # Nothing of the log is older than the split; rows may be, where the past is to be judged.
        started_at=run.as_of if plan.exposure == "assigned" else now,
        changed_at=now,
        run_id=run.id,
        before={name: one.state for name, one in tried.items()},
        forced={name: one.forced for name, one in tried.items() if one.forced is not None},
    )
    words = f"A/B test {test.id}: {_split_words(test)}"
    change = replace(champion, epoch=test.epoch, at=now, reason=words, run_id=run.id, by=None, numbers={})
    change = replace(change, divided=test.traffic)
    transaction.models.deploy(change)
    for name in tried:
        transaction.models.set_state(run.bee, name, LIVE)
    return test


def _go_on(
    before: AbTest,
    after: AbTest,
    seen: Mapping[str, Any],
    transaction: Transaction,
    now: datetime,
    bee: BeeSpec | None = None,
) -> AbTest:
    """Write down what became of a test; one that production has moved on from ends by that, whatever was found."""
    current = transaction.models.champion(before.bee)
    if current is None or current.epoch != before.epoch:
        live = f"version {current.version} ({current.reason})" if current else "nothing"
        after = superseded(before, f"production was changed beside the test, to {live}", now)
    transaction.trials.save(trial_of(after, seen))
    if after.running:
        return after
    _release(after, current, seen.get("results") or {}, transaction, now)
    type_ = "ab_test.concluded" if after.state in _DECIDED else "ab_test.stopped"
    transaction.outbox.add(after.bee, type_, after.id, 2, now, told_end(after, seen))
    if bee is None or not after.plan.promote_winner or after.winner in {None, after.champion}:
        return after
    after = replace(after, reason=f"{after.reason}; {_promoted(after, bee, transaction, now)}")
    transaction.trials.save(trial_of(after, seen))
    return after


def _promoted(test: AbTest, bee: BeeSpec, transaction: Transaction, now: datetime) -> str:
    """Send the winner on its way into production, as the plan asked; return what became of that, in words."""
    version, run = transaction.models.get(bee.bee, test.winner or ""), transaction.runs.get(test.run_id or "")
    pauses = (transaction.memories.of(bee.bee).pause, transaction.memories.colony().pause)
    if version is None or run is None:
        return "nothing is known any more of the version or the run"
    if any(pause is not None and pause.holds(now) for pause in pauses):
        return f"version {version.version} is not promoted: a person has paused that; promote it by hand"
    reason = f"it won the A/B test {test.id}"
    try:
        with transaction.savepoint():
            if bee.rollout.planned:
                begin_rollout(version, bee, bee.rollout, transaction, now, reason=reason, forced=version.forced)
                return f"the rollout of version {version.version} begins"
            deploy(version, run, reason, transaction, now)
            tell_verdict(run, version, Verdict.DEPLOYED, reason, transaction, now)
            return f"version {version.version} is in production"
    except (Rejected, Conflict) as error:
        return f"version {version.version} is not promoted: {error}"


def _release(
    test: AbTest, current: Deployment | None, results: Mapping[str, Any], transaction: Transaction, now: datetime
) -> None:
    """Give all traffic back to the champion, unless somebody has changed it already."""
    if current is not None and current.epoch == test.epoch:
        words = f"A/B test {test.id} ended, {test.state}: {test.reason}"
        change = replace(current, epoch=current.epoch + 1, at=now, reason=words, divided=None)
        transaction.models.deploy(replace(change, by=test.by, numbers=numbers(test, results)))
    for name, state in test.before.items():
        version = transaction.models.get(test.bee, name)
        if version is not None and version.state == LIVE:
            transaction.models.set_state(test.bee, name, state)


def _split_words(test: AbTest) -> str:
    return ", ".join(f"{name} {share} %" for name, share in zip(test.plan.versions, test.plan.shares, strict=True))
