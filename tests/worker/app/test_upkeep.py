from datetime import timedelta

from tests.worker.world import NOW
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.metrics.local import LocalMetrics
from worker.app.upkeep import PRUNE_EVERY, Upkeep
from worker.instruments import Instruments
from worker.models.trials import Trial, TrialKind
from worker.runs.port import Asked

FIRST, SECOND = Asked("a" * 64, "run-1"), Asked("b" * 64, "run-2")
KEEP = timedelta(days=31)


def test_a_key_is_forgotten_when_it_is_old(ledger: SqlLedger) -> None:
    """A key is remembered for as long as the setting says, and pruned by the loop after that, once an hour."""
    clock = [NOW + KEEP]
    upkeep = Upkeep(ledger, Instruments(LocalMetrics()), lambda: clock[0], KEEP)
    with ledger.begin() as transaction:
        transaction.request_keys.take("k", FIRST, NOW)

    assert upkeep.turn() == 0
    clock[0] += timedelta(seconds=15)
    assert upkeep.turn() == 0
    clock[0] += PRUNE_EVERY
    assert upkeep.turn() == 1

    with ledger.begin() as transaction:
        assert transaction.request_keys.take("k", SECOND, NOW) == SECOND


def test_many_old_keys_go_in_portions(ledger: SqlLedger) -> None:
    """No transaction holds the ledger for long: a turn forgets a thousand, the next goes on at once."""
    upkeep = Upkeep(ledger, Instruments(LocalMetrics()), lambda: NOW, KEEP)
    with ledger.begin() as transaction:
        for number in range(1005):
            transaction.request_keys.take(f"k{number}", FIRST, NOW - KEEP - timedelta(days=1))

    assert [upkeep.turn() for _ in range(3)] == [1000, 5, 0]


def test_what_is_counted_is_measured(ledger: SqlLedger) -> None:
    """Each turn sets the gauges of what the ledger holds: runs, and rollouts by state, those that are over not."""
    metrics = LocalMetrics()
    upkeep = Upkeep(ledger, Instruments(metrics), lambda: NOW, KEEP)
    with ledger.begin() as transaction:
        for bee, state in (("a", "held"), ("b", "running"), ("c", "running"), ("d", "verified")):
            trial = Trial(bee, bee, TrialKind.ROLLOUT, state, state != "verified", NOW, NOW)
            transaction.trials.save(trial)

    upkeep.turn()

    told = metrics.render()
    assert "colony_runs_active 0" in told
    assert 'colony_rollouts{state="running"} 2' in told
    assert 'colony_rollouts{state="held"} 1' in told

    with ledger.begin() as transaction:
        transaction.trials.save(
            Trial("a", "a", TrialKind.ROLLOUT, "verified", active=False, started_at=NOW, changed_at=NOW)
        )
    upkeep.turn()
    assert 'colony_rollouts{state="held"} 0' in metrics.render()
