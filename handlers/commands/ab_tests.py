"""A/B tests by hand: find and list them, record why a version is tried ungated, stop one."""

from collections.abc import Mapping, Sequence
from typing import Any

from handlers.commands.operator import Operator, checked_reason
from worker.abtest.encoding import seen_of, test_of
from worker.abtest.machine import AbTest
from worker.abtest.plan import AbPlan
from worker.abtest.shown import shown_test
from worker.errors import Conflict, NotFound
from worker.ledger import Ledger, Transaction
from worker.models.port import ModelVersion
from worker.models.trials import Trial, TrialKind
from worker.runs.ab_test import checked_versions, stop
from worker.runs.trial import under_way


def find_test(transaction: Transaction, test_id: str) -> Trial:
    """Return a test. Raises NotFound."""
    found = transaction.trials.get(test_id)
    if found is None or found.kind is not TrialKind.AB_TEST:
        raise NotFound(f"there is no A/B test {test_id!r}; list them: `colony ab list`", field="testId")
    return found


def list_tests(transaction: Transaction, bee: str | None = None, *, active: bool | None = None) -> Sequence[Trial]:
    """Return tests, newest first."""
    return list(reversed(transaction.trials.list(bee, TrialKind.AB_TEST, active=active)))


def shown_trial(trial: Trial) -> dict[str, Any]:
    """Return a test as JSON values."""
    return shown_test(test_of(trial), seen_of(trial))


def versions_to_try(bee: str, plan: AbPlan, ledger: Ledger, run: str | None = None) -> Mapping[str, ModelVersion]:
    """Return the versions of a plan, before anything is asked for.

    Args:
        bee: whose they are.
        plan: which they are.
        ledger: where they are kept.
        run: that is to begin the test now; None: nothing is to begin.

    Raises:
        NotFound: one is not registered, or nothing is in production.
        Rejected: one has passed no gate, and nobody's reason is recorded.
        Conflict: something else is being tried on the bee's traffic.
    """
    with ledger.begin(write=False) as transaction:
        found = checked_versions(bee, plan, transaction)
        busy = under_way(transaction, bee) if run is not None and transaction.runs.get(run) is None else ""
    if busy:
        raise Conflict(f"{busy}: end that first")
    return found


def force_versions(bee: str, plan: AbPlan, ledger: Ledger, reason: str) -> Sequence[str]:
    """Record why versions without a passed gate are tried all the same; return which those are.

    Raises:
        Rejected: no reason is given.
    """
    said, forced = checked_reason(reason), []
    with ledger.begin() as transaction:
        transaction.lock([bee])
        for name in plan.versions:
            version = transaction.models.get(bee, name)
            if version is not None and not version.gate_passed and version.forced is None:
                transaction.models.set_state(bee, name, version.state, forced=f"for an A/B test: {said}")
                forced.append(name)
    return forced


def stop_test(operator: Operator, test_id: str, reason: str) -> AbTest:
    """Stop a test: the champion serves everybody again.

    Raises:
        NotFound: there is no such test.
        Rejected: no reason is given.
        Conflict: it is over already.
    """
    said = checked_reason(reason)
    with operator.ledger.begin(write=False) as transaction:
        bee = find_test(transaction, test_id).bee
    with operator.ledger.begin() as transaction:
        transaction.lock([bee])
        return stop(test_id, operator.name, said, transaction, operator.now)
