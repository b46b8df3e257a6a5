"""Tell of what an operator wants to hear of at once: a budget that is used up, a circuit breaker that opened."""

from datetime import datetime
from decimal import Decimal

from worker.clock import to_text
from worker.decide.course import Course
from worker.decide.memory import Tally, day_of, month_of
from worker.decide.rules import RuleResult
from worker.ledger import Transaction


def tell_budget(guard: RuleResult, bee: str, transaction: Transaction, now: datetime) -> None:
    """Tell that a budget holds a retrain back, once in its period: the day of its runs, the month of its cost."""
    scope = "colony" if guard.name.startswith("colony_") else "bee"
    period = day_of(now) if guard.name.endswith("_runs") else month_of(now)
    data = {
        "beeId": bee,
        "scope": scope,
        "budget": guard.name,
        "period": period,
        # What is not a number stands in the reason: what an estimate rests on, or that there is none.
        "inputs": {name: float(value) for name, value in guard.inputs.items() if isinstance(value, int | Decimal)},
        "until": to_text(guard.until) if guard.until else None,
        "reason": guard.why,
    }
    # Whoever meets it first in its period has told it: the same event again has the same id.
    subject = f"{bee if scope == 'bee' else scope}/{guard.name}/{period}"
    transaction.outbox.add(bee, "budget.exceeded", subject, 1, now, data)


def tell_breakers(before: Course, after: Course, bee: str, transaction: Transaction, now: datetime) -> None:
    """Tell of the circuit breakers that have opened, or opened again."""
    for scope, was, tally in (
        ("bee", before.memory.tally, after.memory.tally),
        ("colony", before.colony.tally, after.colony.tally),
    ):
        if tally.open_until is not None and tally.open_until != was.open_until:
            _tell_breaker(scope, tally, bee, transaction, now)


def _tell_breaker(scope: str, tally: Tally, bee: str, transaction: Transaction, now: datetime) -> None:
    until = to_text(tally.open_until) if tally.open_until else None
    whose = f"the circuit breaker of {bee}" if scope == "bee" else "the colony's circuit breaker"
    data = {
        "beeId": bee,
        "scope": scope,
        "failures": len(tally.failures),
        "until": until,
        "reason": f"{whose} is open until {until} after {len(tally.failures)} failed or refused runs",
    }
    transaction.outbox.add(bee, "breaker.opened", f"{bee if scope == 'bee' else scope}/{until}", 1, now, data)
