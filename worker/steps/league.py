"""Several models on the same rows: each one's value with its interval, the paired differences, and who wins."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.steps.bootstrap import Question, bounds, draws
from worker.steps.metrics import Scores, measure


@dataclass(frozen=True)
class Entrant:
    """One model.

    Attributes:
        order: what decides between those that the rows cannot tell apart, compared from the left; less wins.
    """

    name: str
    scores: Scores
    order: tuple[float, ...] = ()


@dataclass(frozen=True)
class Level:
    """How sure a difference must be, and how often rows are drawn to find out."""

    confidence: float
    resamples: int
    seed: int


@dataclass(frozen=True)
class Table:
    """The values of all entrants, and those of every resample, row by row the same draw for all."""

    question: Question
    level: Level
    values: Mapping[str, float | None]
    resampled: Mapping[str, Sequence[float | None]]

    def interval(self, name: str) -> tuple[float | None, float | None]:
        """Return the percentile interval of one entrant's own value."""
        return bounds(self.resampled[name], self.level.confidence)

    def against(self, name: str, other: str) -> dict[str, Any]:
        """Return by how much one is better than another (negative: worse), with the paired interval and its word."""
        difference = self.question.improvement(self.values[name], self.values[other])
        pairs = zip(self.resampled[name], self.resampled[other], strict=True)
        lower, upper = bounds([self.question.improvement(*pair) for pair in pairs], self.level.confidence)
        return {"difference": difference, "lower": lower, "upper": upper, "word": _word(difference, lower, upper)}


def tabulate(question: Question, entrants: Sequence[Entrant], level: Level) -> Table:
    """Return the table of models that were scored on the same rows, in the same order."""
    values = {item.name: measure(question.metric, question.task, item.scores) for item in entrants}
    resampled: dict[str, list[float | None]] = {item.name: [] for item in entrants}
    for picked in draws(entrants[0].scores.truth, question.task, resamples=level.resamples, seed=level.seed):
        for item in entrants:
            resampled[item.name].append(measure(question.metric, question.task, item.scores.take(picked)))
    return Table(question, level, values, resampled)


@dataclass(frozen=True)
class Result:
    """Who wins: `best` has the best value; `level_with_best` are those that the rows cannot tell from it."""

    winner: str
    best: str
    level_with_best: tuple[str, ...]
    words: str


def decide(table: Table, entrants: Sequence[Entrant], how: str) -> Result | None:
    """Return the winner, None if nobody's value is defined.

    Args:
        table: holds all of `entrants`, and may hold others.
        entrants: who may win.
        how: what `order` stands for, in words (`simplest`, `cheapest`).
    """
    known = [item for item in entrants if table.values[item.name] is not None]
    if not known:
        return None
    best = max(known, key=lambda item: (_worth(table, item.name), [-part for part in item.order]))
    peers = [item for item in known if item is best or table.against(item.name, best.name)["word"] != "worse"]
    winner = min(peers, key=lambda item: (item.order, -_worth(table, item.name), item.name))
    others = tuple(item.name for item in peers if item is not best)
    return Result(winner.name, best.name, others, _said(table, known, best.name, others, winner.name, how))


def _worth(table: Table, name: str) -> float:
    value = table.values[name]
    if value is None:
        raise AssertionError(f"{name} has no value")
    return -value if table.question.lower_is_better else value


def _word(difference: float | None, lower: float | None, upper: float | None) -> str:
    if difference is None:
        return "undefined"
    if lower is not None and lower > 0:
        return "better"
    if upper is not None and upper < 0:
        return "worse"
    return "tie" if difference == lower == upper == 0 else "within the noise"


def _said(table: Table, known: Sequence[Entrant], best: str, peers: Sequence[str], winner: str, how: str) -> str:
    metric, confidence = table.question.metric, f"{table.level.confidence:.0%}"
    if len(known) == 1:
        return f"{best} is the only variant that can be compared"
    if not peers:
        return (
            f"{best} is better than every other variant: no {confidence} interval of a difference in {metric} holds 0"
        )
    if all(table.against(name, best)["word"] == "tie" for name in peers):
        words = f"{best} and {', '.join(peers)} are a tie in {metric}"
    else:
        words = (
            f"{best} has the best {metric}, but the difference to {', '.join(peers)} lies within the noise "
            f"({confidence} interval)"
        )
    return f"{words}; {winner} is the {how} of them and wins"
