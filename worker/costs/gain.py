"""What the loop gained for its money: each version that went into production, its metric before and after, its cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.costs.summary import RunCost, total

#: So many of the windows nearest to a deployment, on either side, are what was measured before and after it.
WINDOWS = 5


@dataclass(frozen=True)
class Measured:
    """What one window's evaluation said of the metric of a version in production; samples None: not told."""

    at: datetime
    value: float
    samples: int | None = None


@dataclass(frozen=True)
class Change:
    """One version that went into production, and everything that is known of it.

    Attributes:
        at: when.
        lower_is_better: of the metric.
        gate: what the gate scored: the champion before, the version; None: undefined.
        before, after: evaluations of the one before until then, newest first; of the version since, oldest first.
        runs: every run that was made for it: all attempts of its incident; None: no run made it.
        forced: an operator's reason, where the gate was not passed.
    """

    bee: str
    version: str
    previous: str | None
    at: datetime
    metric: str
    lower_is_better: bool
    gate: tuple[float | None, float | None] = (None, None)
    before: Sequence[Measured] = ()
    after: Sequence[Measured] = ()
    runs: Sequence[RunCost] | None = None
    forced: str | None = None


@dataclass(frozen=True)
class Pair:
    """A metric before and after, and by how much it got better; None: undefined.

    Attributes:
        gain: positive where the metric got better, whichever its direction.
        windows: how many data windows stand behind before and after, where those were measured.
    """

    before: float | None = None
    after: float | None = None
    gain: float | None = None
    windows: tuple[int, int] | None = None

    def told(self, cost: float | None) -> dict[str, Any]:
        """Return it for JSON, with the gain for a unit of money; undefined where there is no cost to divide by."""
        told = {"before": self.before, "after": self.after, "gain": self.gain, "gainPerCost": per(self.gain, cost)}
        return told | ({} if self.windows is None else {"windows": list(self.windows)})


@dataclass(frozen=True)
class Gain:
    """What one change of production gained by the gate's numbers and by what was measured since, and its cost.

    Attributes:
        cost: of all its runs; None: there were none, or one of them is not known.
        why: why the cost is not known.
    """

    change: Change
    gate: Pair
    measured: Pair
    runs: int
    cost: float | None
    why: str = ""

    @property
    def best(self) -> Pair:
        """What counts: what was measured in production, before that what the gate saw."""
        return self.measured if self.measured.gain is not None else self.gate

    def told(self) -> dict[str, Any]:
        """Return it for JSON."""
        change = self.change
        return {
            "beeId": change.bee,
            "version": change.version,
            "previous": change.previous,
            "deployedAt": change.at.isoformat().replace("+00:00", "Z"),
            "metric": change.metric,
            "lowerIsBetter": change.lower_is_better,
            "gate": self.gate.told(self.cost),
            "measured": self.measured.told(self.cost),
            "gain": self.best.gain,
            "runs": self.runs,
            "cost": self.cost,
            "costUnknown": self.why or None,
            "gainPerCost": per(self.best.gain, self.cost),
            "forced": change.forced,
        }


def gain(change: Change) -> Gain:
    """Return what a change of production gained."""
    lower = change.lower_is_better
    gate = _pair(*change.gate, lower=lower)
    before, after = list(change.before)[:WINDOWS], list(change.after)[:WINDOWS]
    measured = _pair(_mean(before), _mean(after), lower=lower, windows=(len(before), len(after)))
    runs = change.runs
    if runs is None:
        return Gain(change, gate, measured, 0, None, "no run of this colony made it")
    sums = total(runs)
    unsure = sums.unknown + sums.open
    if unsure or not runs:
        return Gain(change, gate, measured, len(runs), None, f"the cost of {unsure} of its runs is not known")
    return Gain(change, gate, measured, len(runs), float(sums.cost))


def per(gained: float | None, cost: float | None) -> float | None:
    """Return a gain for a unit of money; None where one of them is undefined, or nothing was spent."""
    return None if gained is None or not cost or cost < 0 else gained / cost


def _pair(before: float | None, after: float | None, *, lower: bool, windows: tuple[int, int] | None = None) -> Pair:
    better = None if before is None or after is None else (before - after if lower else after - before)
    return Pair(before, after, better, windows)


def _mean(measured: Sequence[Measured]) -> float | None:
    """Return the mean weighted by samples, where every window told them; None without windows."""
    if not measured:
        return None
    told = all(one.samples for one in measured)
    weights = [float(one.samples or 0) if told else 1.0 for one in measured]
    return sum(one.value * weight for one, weight in zip(measured, weights, strict=True)) / sum(weights)
