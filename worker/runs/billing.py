"""The loop that corrects what runs cost by the bill, once that has come; each correction counts once in the tallies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from worker.clock import EPOCH, Clock
from worker.costs.port import Bill, Billed
from worker.decide.memory import month_of
from worker.errors import Rejected, TryLater
from worker.ledger import Ledger, Transaction
from worker.runs.lifecycle import Run, billing_label
from worker.runs.port import CostFilter

log = structlog.get_logger()

NAME = "billing"
#: How often the bill is looked at, and how soon again after it could not be.
EVERY, AGAIN = timedelta(days=1), timedelta(hours=1)
#: What a run used shows up in the bill within hours to a day: before that it is a part of it.
RIPE = timedelta(days=1)
#: Less is no difference.
_SAME = 5e-7


@dataclass
class Corrections:
    """Any number of processes may do this beside each other: one of them looks once a day.

    Attributes:
        days: for so long after it was asked for a run's bill is looked at again: late rows and credits change it.
        claim: takes, by the database's clock, the right to do something (name, owner) once in a time.
        postpone: lets nobody take that right for a time.
        told: hears of each run that was corrected, and of what it had cost before (None: not known).
    """

    ledger: Ledger
    bill: Bill
    clock: Clock
    owner: str
    days: timedelta
    claim: Callable[[str, str, timedelta], bool]
    postpone: Callable[[str, timedelta], None]
    told: Callable[[Run, float | None], None] = lambda _run, _before: None
    _next: datetime = field(default=EPOCH, init=False)

    def turn(self) -> int:
        """Look, if it is time, and return how many runs were corrected. Raises TryLater."""
        now = self.clock()
        if now < self._next:
            return 0
        self._next = now + AGAIN
        if not self.claim(NAME, self.owner, AGAIN):
            return 0
        try:
            corrected = self.correct(now)
        except Rejected as error:
            # Nobody but a person can mend that; the loop says so as long as it lasts.
            raise TryLater(f"the bill cannot be read: {error}") from error
        self.postpone(NAME, EVERY)
        return corrected

    def correct(self, now: datetime) -> int:
        """Look at the bill now and return how many runs it corrected. Raises TryLater, Rejected."""
        with self.ledger.begin(write=False) as transaction:
            recent = transaction.runs.costs(CostFilter(since=now - self.days, until=now - RIPE))
        ripe = [run for run in recent if run.over]
        if not ripe:
            return 0
        labels = {billing_label(run.run): run.run for run in ripe}
        since = min(run.created_at for run in ripe)
        billed = self.bill.costs(self.ledger.installation, list(labels), since, now)
        _tell_unconverted(billed)
        return sum(
            self._correct(labels[label], one.amount, now) for label, one in billed.items() if one.amount is not None
        )

    def _correct(self, run_id: str, amount: float, now: datetime) -> bool:
        with self.ledger.begin() as transaction:
            found = transaction.runs.get(run_id)
            if found is None:
                return False
            transaction.lock([found.bee])
            run = transaction.runs.get(run_id)
            if run is None or not run.settled or _same(run.billed_cost, amount):
                return False
            transaction.runs.save(replace(run, cost=amount, billed_cost=amount, billed_at=now))
            _enter(run, amount, transaction)
        log.info("cost corrected by the bill", run=run.id, bee=run.bee, cost=amount, before=run.cost)
        self.told(replace(run, cost=amount), run.cost)
        return True


def _enter(run: Run, amount: float, transaction: Transaction) -> None:
    """Put what the bill says in place of what the tallies of the run's month have; a month that is over stays."""
    if run.incident_id is None:
        # Budgets are the loop's own: what people asked for was never counted.
        return
    counted = run.cost if run.cost is not None else run.estimate or 0.0
    correction = Decimal(str(round(amount - counted, 6)))
    month = month_of(run.created_at)
    memory, colony = transaction.memories.of(run.bee), transaction.memories.colony(lock=True)
    own, shared = memory.tally.corrected(month, correction), colony.tally.corrected(month, correction)
    if own != memory.tally:
        transaction.memories.save(run.bee, replace(memory, tally=own))
    if shared != colony.tally:
        transaction.memories.save_colony(replace(colony, tally=shared))


def _same(before: float | None, amount: float) -> bool:
    return before is not None and abs(before - amount) < _SAME


def _tell_unconverted(billed: Mapping[str, Billed]) -> None:
    unknown = {one.currency for one in billed.values() if one.amount is None}
    if unknown:
        log.warning("the bill is in another currency than the price list, and tells no rate", currency=sorted(unknown))
