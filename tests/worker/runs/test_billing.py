"""Costs corrected by the bill: kept beside what was settled, and entered into the tallies once, however often seen."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.runs.colony import Colony
from tests.worker.world import BEE
from worker.adapters.ledger.care import LedgerCare
from worker.adapters.metrics.local import LocalMetrics, Series
from worker.costs.port import Billed
from worker.decide.memory import Tally
from worker.decide.policy import Budget, Policy
from worker.errors import Rejected, TryLater
from worker.instruments import Instruments
from worker.runs.billing import Corrections
from worker.runs.lifecycle import Run, billing_label

DAY = timedelta(days=1)
#: What the colony's runs cost by the settings: 1.5 CPU seconds.
SETTLED = round(1.5 / 3600 * 0.05, 6)


@dataclass
class Export:
    """A bill in memory: run id -> what it says, or what goes wrong."""

    amounts: dict[str, float | None] = field(default_factory=dict)
    error: Exception | None = None
    asked: list[tuple[str, datetime, datetime]] = field(default_factory=list)

    def costs(self, installation: str, runs: Collection[str], since: datetime, until: datetime) -> Mapping[str, Billed]:
        """Return what the test has put there."""
        if self.error:
            raise self.error
        self.asked.append((installation, since, until))
        told = {billing_label(run): amount for run, amount in self.amounts.items()}
        return {label: Billed(amount, "USD") for label, amount in told.items() if label in runs}

    def verify(self) -> str:
        """All is well."""
        return ""

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Desk:
    """The loop over a colony's bill; `first` lets it claim, `told` is what it told of."""

    colony: Colony
    export: Export = field(default_factory=Export)
    claimed: bool = True
    postponed: list[timedelta] = field(default_factory=list)
    told: list[tuple[str, float | None, float | None]] = field(default_factory=list)

    def loop(self, days: float = 35) -> Corrections:
        """Return the loop as a process would build it."""
        return Corrections(
            ledger=self.colony.ledger,
            bill=self.export,
            clock=lambda: self.colony.now,
            owner="one",
            days=timedelta(days=days),
            claim=lambda _name, _owner, _every: self.claimed,
            postpone=lambda _name, by: self.postponed.append(by),
            told=lambda run, before: self.told.append((run.id, before, run.cost)),
        )

    def tally(self) -> Tally:
        """Return the bee's tally."""
        with self.colony.ledger.begin(write=False) as transaction:
            return transaction.memories.of(BEE.bee).tally

    def spent(self) -> tuple[Decimal, Decimal]:
        """Return what the bee and the colony have spent in the month."""
        with self.colony.ledger.begin(write=False) as transaction:
            shared = transaction.memories.colony().tally
        return self.tally().cost_in(self.colony.now), shared.cost_in(self.colony.now)

    def run(self) -> Run:
        """Return the newest run."""
        return self.colony.runs()[-1]


@pytest.fixture(name="desk")
def _desk(colony: Colony) -> Desk:
    """Give a colony with one settled run of an incident, two days later."""
    colony.evaluate()
    colony.refuse_run()
    colony.now += 2 * DAY
    return Desk(colony)


def test_the_bill_goes_before_the_price_list(desk: Desk) -> None:
    """What the bill says is what the run cost; what was settled stays beside it."""
    desk.export.amounts = {desk.run().id: 0.42}

    assert desk.loop().turn() == 1

    run = desk.run()
    assert (run.cost, run.settled_cost, run.billed_cost) == (0.42, SETTLED, 0.42)
    assert run.billed_at == desk.colony.now
    assert desk.told == [(run.id, SETTLED, 0.42)]


def test_a_correction_counts_once(desk: Desk) -> None:
    """The tallies of bee and colony get the difference; the same bill again changes nothing, by any process."""
    before = desk.spent()
    desk.export.amounts = {desk.run().id: 0.42}

    corrected = [desk.loop().turn(), desk.loop().turn(), desk.loop().turn()]

    more = Decimal(str(round(0.42 - SETTLED, 6)))
    assert corrected == [1, 0, 0]
    assert desk.spent() == (before[0] + more, before[1] + more)


def test_a_bill_that_grows_and_falls_again(desk: Desk) -> None:
    """Late rows and credits change a bill: each time the difference to what was counted last is entered."""
    start = desk.spent()[0] - Decimal(str(SETTLED))
    for amount in (0.1, 0.42, 0.3):
        desk.export.amounts = {desk.run().id: amount}
        desk.loop().turn()

    assert desk.spent()[0] == start + Decimal("0.3")
    assert desk.run().cost == 0.3


def test_a_month_that_is_over_stays(desk: Desk) -> None:
    """A bill that comes in the next month corrects the run, and no budget of the month that it comes in."""
    desk.colony.now += 30 * DAY
    desk.colony.evaluate()
    before = desk.spent()
    desk.export.amounts = {desk.colony.runs()[0].id: 0.42}

    assert desk.loop().turn() == 1

    assert desk.spent() == before
    assert desk.colony.runs()[0].cost == 0.42


def test_a_budget_holds_by_what_was_billed(desk: Desk) -> None:
    """A bill beyond the budget holds the next retrain back, with the sum that it made."""
    desk.colony.policy = Policy(budget=Budget(cost_per_month=Decimal(5)))
    desk.export.amounts = {desk.run().id: 6.0}
    desk.loop().turn()

    (run,) = desk.colony.runs()
    desk.colony.pass_time(DAY)
    waiting = desk.colony.incident().waiting

    assert desk.colony.runs() == [run]
    assert waiting is not None
    assert "6.00 of 5.00 of the month are spent" in waiting.why


def test_what_was_not_known_becomes_known(colony: Colony) -> None:
    """A run whose cost nobody knew counted by its estimate; the bill takes the estimate's place."""
    colony.evaluate()
    colony.end_run(gate={}, cost={"cpuSeconds": 1.0, "usd": None})
    colony.now += 2 * DAY
    desk = Desk(colony)
    assert desk.run().cost is None
    before = desk.spent()[0]
    desk.export.amounts = {desk.run().id: 0.42}

    desk.loop().turn()

    assert desk.run().cost == 0.42
    assert desk.spent()[0] == before + Decimal("0.42")
    assert desk.told == [(desk.run().id, None, 0.42)]


def test_a_bill_that_nobody_can_convert_changes_nothing(desk: Desk) -> None:
    """Another currency without a rate is no amount."""
    desk.export.amounts = {desk.run().id: None}

    assert desk.loop().turn() == 0
    assert desk.run().billed_cost is None


def test_only_what_is_ripe_is_looked_for(colony: Colony) -> None:
    """A run of today is not in the bill yet, one of long ago does not change any more, and one in flight has none."""
    colony.evaluate()
    colony.refuse_run()
    desk = Desk(colony)
    desk.export.amounts = {desk.run().id: 0.42}

    assert desk.loop().turn() == 0
    colony.now += 40 * DAY
    assert desk.loop(days=35).turn() == 0
    assert desk.export.asked == []
    assert desk.loop(days=50).turn() == 1
    assert desk.export.asked == [(colony.ledger.installation, desk.run().created_at, colony.now)]


def test_one_looks_once_a_day(desk: Desk) -> None:
    """Who has not the right does not look; who had it lets nobody look for a day, and itself not before that."""
    desk.export.amounts = {desk.run().id: 0.42}
    desk.claimed = False
    assert desk.loop().turn() == 0
    desk.claimed = True
    loop = desk.loop()

    assert [loop.turn(), loop.turn()] == [1, 0]
    assert desk.postponed == [DAY]
    assert len(desk.export.asked) == 1


def test_what_is_away_is_looked_at_again_soon(desk: Desk) -> None:
    """A bill that cannot be read is told, changes nothing, and is tried again within the hour, not the day."""
    for error in (TryLater("busy"), Rejected("no right", mend="Grant it.")):
        desk.export.error = error
        with pytest.raises(TryLater):
            desk.loop().turn()

    assert desk.postponed == []
    assert desk.run().billed_cost is None


def test_the_right_is_the_ledgers(desk: Desk) -> None:
    """Of two processes that look at the same time one does, and afterwards none for a day."""
    care = LedgerCare(desk.colony.ledger.database)
    loops = [Corrections(desk.colony.ledger, desk.export, lambda: desk.colony.now, owner, timedelta(days=35),
                         care.claim, care.postpone) for owner in ("one", "two")]  # fmt: skip
    desk.export.amounts = {desk.run().id: 0.42}

    assert [loop.turn() for loop in loops] == [1, 0]
    assert not care.claim("billing", "three", timedelta(hours=1))


def test_what_bills_add_and_take_is_counted(desk: Desk) -> None:
    """A counter cannot fall: what bills take is another one."""
    metrics = LocalMetrics()
    instruments, run = Instruments(metrics), desk.run()
    instruments.settled(run)
    for before, after in ((SETTLED, 0.42), (0.42, 0.3), (None, 0.1)):
        instruments.corrected(Run(**{**run.__dict__, "cost": after}), before)
    instruments.settled(Run(**{**run.__dict__, "cost": None}))

    labels = (("bee", BEE.bee), ("pipeline", "auto-retrain"))
    found = metrics.snapshot()
    assert found[Series("colony_cost_total", labels)] == pytest.approx(0.52)
    assert found[Series("colony_cost_refunded_total", labels)] == pytest.approx(0.12)
    assert found[Series("colony_cost_unknown_runs_total", labels)] == 1


AMOUNT = st.integers(0, 10**6).map(lambda millionths: Decimal(millionths) / 10**6)


@given(AMOUNT, st.lists(AMOUNT, min_size=1, max_size=6))
def test_a_tally_ends_at_the_last_bill(first: Decimal, bills: list[Decimal]) -> None:
    """However often a bill changes, what counts in the end is its last amount; another month's is never touched."""
    tally = Tally(month="2026-11", cost=first)
    counted = first
    for bill in bills:
        tally, counted = tally.corrected("2026-11", bill - counted), bill

    assert tally.cost == bills[-1]
    assert tally.corrected("2026-10", Decimal(5)) == tally
