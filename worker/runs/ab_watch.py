"""The loop over A/B tests under way: looks at the evidence when a look is due, and ends what is decided."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from worker.abtest.encoding import seen_of, test_of
from worker.bee import BeeSpec
from worker.clock import Clock, parse_time
from worker.errors import NotFound, Rejected, TryLater
from worker.ledger import Ledger
from worker.models.trials import Trial, TrialKind
from worker.runs.ab_test import could_not_look, took_look

if TYPE_CHECKING:
    from worker.abtest.judge import Judge
    from worker.abtest.machine import AbTest

log = structlog.get_logger()

#: What cannot be read is looked at again after so long.
_AGAIN = timedelta(minutes=5)
#: A test whose time is over ends although its evidence has been away for so long.
_PATIENCE = timedelta(hours=6)


@dataclass(frozen=True)
class AbWatch:
    """Any number of processes may do this beside each other: a look is a function of what is stored.

    Attributes:
        judge: reads and analyses; asked for first when there is a test, since it loads much.
    """

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    judge: "Callable[[], Judge]"
    clock: Clock
    _again: dict[str, datetime] = field(default_factory=dict, init=False)

    def turn(self) -> int:
        """Look at every test that is due, as of when it was due, and return how many were looked at.

        So every replica looks at the same moments, and one that was away makes up for them one by one.

        Raises:
            TryLater: the evidence of a test cannot be read now (the others were looked at).
        """
        now, done, faults = self.clock(), 0, []
        for trial in self._due(now):
            try:
                done += self.look(trial.id, min(now, due_at(trial))) is not None
            except TryLater as error:
                faults.append(f"the A/B test {trial.id} of {trial.bee}: {error}")
                if now >= test_of(trial).ends_by + _PATIENCE:
                    self._unread(test_of(trial), str(error))
        if faults:
            raise TryLater("; ".join(faults))
        return done

    def look(self, trial_id: str, as_of: datetime) -> "AbTest | None":
        """Look at a test with what is known as of a time, its end at the latest; None if that cannot be read.

        Raises:
            TryLater: the feature store or the artifacts are away.
            NotFound: there is no such test.
        """
        with self.ledger.begin(write=False) as transaction:
            trial = transaction.trials.get(trial_id)
            if trial is None or trial.kind is not TrialKind.AB_TEST:
                raise NotFound(f"there is no A/B test {trial_id!r}")
            versions = {one.version: one for one in transaction.models.versions(trial.bee)}
        test, bee = test_of(trial), self.bees().get(trial.bee)
        as_of = min(as_of, test.ends_by)
        if bee is None:
            self._unread(test, f"{trial.bee} is not configured any more")
            return None
        from worker.abtest.shown import shown_results

        judge = self.judge()
        try:
            found = judge.analyse(test, bee, versions, seen_of(trial).get("forecast") or {}, as_of)
        except (Rejected, NotFound) as error:
            self._unread(test, str(error))
            return None
        results = shown_results(found, test.plan)
        with self.ledger.begin() as transaction:
            transaction.lock([trial.bee])
            findings = found.findings(test.plan)
            after = took_look(trial_id, bee, transaction, self.clock(), found=findings, results=results)
        self._tell(after)
        return after

    def catch_up(self, trial_id: str, now: datetime) -> None:
        """Make every look of a test that is due by now, and one more as of now. Raises TryLater, NotFound."""
        while True:
            with self.ledger.begin(write=False) as transaction:
                trial = transaction.trials.get(trial_id)
            if trial is None or not trial.active or due_at(trial) > now:
                break
            if self.look(trial_id, due_at(trial)) is None:
                return
        if trial is None or trial.active:
            self.look(trial_id, now)

    def results(self, trial: Trial, as_of: datetime) -> dict[str, object]:
        """Return what a look as of a time would find, as JSON values; changes nothing. Raises Rejected, NotFound."""
        from worker.abtest.shown import shown_results

        test, bee = test_of(trial), self.bees().get(trial.bee)
        if bee is None:
            raise NotFound(f"{trial.bee} is not configured any more")
        with self.ledger.begin(write=False) as transaction:
            versions = {one.version: one for one in transaction.models.versions(trial.bee)}
        expected = seen_of(trial).get("forecast") or {}
        return shown_results(self.judge().analyse(test, bee, versions, expected, min(as_of, test.ends_by)), test.plan)

    def _due(self, now: datetime) -> list[Trial]:
        """Return the tests whose look is due, and those beside which production was changed."""
        with self.ledger.begin(write=False) as transaction:
            active = transaction.trials.list(kind=TrialKind.AB_TEST, active=True)
            live = {trial.bee: transaction.models.champion(trial.bee) for trial in active}
        found = []
        for trial in active:
            champion, due = live[trial.bee], due_at(trial)
            moved = champion is None or champion.epoch != trial.detail["epoch"]
            if now >= self._again.get(trial.id, now) and (moved or now >= due):
                found.append(trial)
        return found

    def _unread(self, test: "AbTest", why: str) -> None:
        """Note why nothing can be read; it is tried again soon, and time ends the test all the same."""
        now = self.clock()
        self._again[test.id] = now + min(_AGAIN, test.plan.look_every)
        with self.ledger.begin() as transaction:
            transaction.lock([test.bee])
            after = could_not_look(test.id, why, transaction, now)
        log.warning("the A/B test cannot be judged", bee=test.bee, test=test.id, reason=why)
        self._tell(after)

    def _tell(self, test: "AbTest") -> None:
        if test.running:
            return
        self._again.pop(test.id, None)
        self.judge().forget(test.id)
        log.info("the A/B test is over", bee=test.bee, test=test.id, state=test.state.value, reason=test.reason)


def due_at(trial: Trial) -> datetime:
    """Return when a test is to be looked at next."""
    test, results = test_of(trial), seen_of(trial).get("results")
    last = parse_time(results["asOf"]) if results else test.started_at
    return min(last + test.plan.look_every, test.ends_by)
