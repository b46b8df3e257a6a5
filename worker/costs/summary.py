"""What many runs cost: summed by bee, template or month, with what was thought before, and what is not known."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class RunCost:
    """One run's figures; None: not known.

    Attributes:
        over: whether it has ended and was settled; before that it has no cost.
        estimated: before it began; settled: by the price list; billed: by the bill; cost: what counts of these.
        basis: how the settled cost was reckoned, or why it is not known.
    """

    run: str
    bee: str
    template: str
    created_at: datetime
    incident: str | None = None
    attempt: int = 1
    over: bool = True
    estimated: float | None = None
    settled: float | None = None
    billed: float | None = None
    cost: float | None = None
    basis: str = ""


@dataclass(frozen=True)
class Sums:
    """Figures of a group of runs.

    Attributes:
        runs: all of them, `open` of which have not been settled.
        estimated, settled, billed, cost: sums of what is known of each.
        difference: what runs cost beyond their estimates, of those that have both.
        unestimated: runs that began without an estimate.
        unknown: settled runs whose cost is not known.
        unbilled: settled runs that the bill has not corrected.
    """

    runs: int = 0
    open: int = 0
    estimated: Decimal = Decimal(0)
    settled: Decimal = Decimal(0)
    billed: Decimal = Decimal(0)
    cost: Decimal = Decimal(0)
    difference: Decimal = Decimal(0)
    unestimated: int = 0
    unknown: int = 0
    unbilled: int = 0

    def __add__(self, other: "Sums") -> "Sums":
        """Return the figures of both groups together."""
        return Sums(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "runs": self.runs,
            "open": self.open,
            "estimated": float(self.estimated),
            "settled": float(self.settled),
            "corrected": float(self.billed),
            "cost": float(self.cost),
            "difference": float(self.difference),
            "unestimated": self.unestimated,
            "unknown": self.unknown,
            "uncorrected": self.unbilled,
        }


#: What runs can be summed by → the name of a run's group.
KEYS: Mapping[str, Callable[[RunCost], str]] = {
    "bee": lambda run: run.bee,
    "template": lambda run: run.template,
    "month": lambda run: run.created_at.astimezone(UTC).strftime("%Y-%m"),
}


def of_run(run: RunCost) -> Sums:
    """Return one run's figures, exact to a millionth."""
    estimated, settled, billed, cost = map(_exact, (run.estimated, run.settled, run.billed, run.cost))
    known = estimated is not None and cost is not None
    zero = Decimal(0)
    return Sums(
        runs=1,
        open=int(not run.over),
        estimated=estimated or zero,
        settled=settled or zero,
        billed=billed or zero,
        cost=cost or zero,
        difference=(cost or zero) - (estimated or zero) if known else zero,
        unestimated=int(estimated is None),
        unknown=int(run.over and cost is None),
        unbilled=int(run.over and billed is None),
    )


def total(runs: Iterable[RunCost]) -> Sums:
    """Return the figures of all runs."""
    return sum(map(of_run, runs), Sums())


def grouped(runs: Sequence[RunCost], by: str) -> dict[str, Sums]:
    """Return group -> its figures, by name; `by` is one of KEYS."""
    found: dict[str, Sums] = {}
    for run in runs:
        name = KEYS[by](run)
        found[name] = found.get(name, Sums()) + of_run(run)
    return dict(sorted(found.items()))


def reasons(runs: Iterable[RunCost]) -> dict[str, int]:
    """Return why costs are not known -> of how many runs, the most frequent first."""
    found: dict[str, int] = {}
    for run in runs:
        if run.over and run.cost is None:
            why = run.basis or "it was settled before costs were kept with their reasons"
            found[why] = found.get(why, 0) + 1
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _exact(amount: float | None) -> Decimal | None:
    return None if amount is None else Decimal(str(round(amount, 6)))
