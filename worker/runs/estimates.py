"""What a run will cost, from what the ledger has of runs like it."""

from collections.abc import Callable
from datetime import timedelta

from worker.bee import BeeSpec
from worker.costs.estimate import NEWEST, Estimate, History, estimate
from worker.ledger import Transaction

#: Returns what a run of a template will cost of which nothing is known: by its steps' machines and a typical time.
Typical = Callable[[str], Estimate]


def no_typical(template: str) -> Estimate:
    """Say that nothing is known."""
    return Estimate(None, f"the cost of a run of {template} is not known yet")


def estimated(bee: BeeSpec, template: str, transaction: Transaction, typical: Typical = no_typical) -> Estimate:
    """Return what a run of a template for a bee will cost, and what that stands on."""
    runs = transaction.runs
    history = History(own=runs.past(template, bee.bee, limit=NEWEST))
    if not history.own:
        history = History(all=runs.past(template, None, limit=NEWEST))
    if not history.own and not history.all:
        return typical(template)
    return estimate(template, bee.bee, history, _rows(bee, transaction), no_typical(template))


def _rows(bee: BeeSpec, transaction: Transaction) -> int | None:
    """Return how many rows the bee's next window is likely to have: as many as the newest, if it is as long."""
    newest = transaction.runs.newest_window(bee.bee)
    if newest is None:
        return None
    return newest.rows_in(bee.window) if bee.window > timedelta(0) else newest.rows
