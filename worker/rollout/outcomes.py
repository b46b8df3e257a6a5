"""Evidence from outcomes: champion and challenger on the very same rows whose labels came in since a rollout began."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from worker.clock import to_us
from worker.evidence.running import Running
from worker.features.observed import Observed
from worker.rollout import told
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import Rollout
from worker.rollout.row_metrics import RowMetric, row_metric
from worker.rollout.scoring import Pair, Scorers
from worker.steps.comparison import scores_of
from worker.steps.metrics import Scores

#: No more rows are scored: by then every difference that matters is proven.
MOST_ROWS = 200_000


@dataclass(frozen=True, eq=False)
class Paired:
    """Both versions on the same rows, in the order in which their labels became known.

    Attributes:
        task: of the bee.
        times_us: when each row was, also of those beyond the first `MOST_ROWS`, which are not scored.
    """

    task: str
    times_us: NDArray[np.int64]
    champion: Scores
    challenger: Scores

    def since(self, moment: datetime) -> int:
        """Return how many outcomes there are of rows from a moment on."""
        return int(np.count_nonzero(self.times_us >= to_us(moment)))

    def compared(self, metric: RowMetric, *, lower_is_better: bool, confidence: float, planned: int) -> Compared:
        """Return what the rows say of a metric.

        Args:
            metric: of rows.
            lower_is_better: its direction.
            confidence: of the interval, which is valid however often it is looked at.
            planned: rows at which it is narrowest, chosen before the first.
        """
        champion, challenger = metric.of(self.champion), metric.of(self.challenger)
        nothing = Compared(metric.name, source="outcomes", asymptotic=metric.bounds is None)
        if champion is None or challenger is None:
            return nothing
        gained = (champion - challenger) if lower_is_better else (challenger - champion)
        # A model may answer with something that no number can be made of; that row says nothing of either.
        kept = np.isfinite(gained)
        if not kept.any():
            return nothing
        stream = Running.of(metric.difference_bounds, planned=planned).add(gained[kept])
        lower, upper = stream.interval(1 - confidence).finite()
        return replace(
            nothing,
            count=stream.count,
            champion=float(np.mean(champion[kept])),
            challenger=float(np.mean(challenger[kept])),
            difference=stream.mean,
            lower=lower,
            upper=upper,
        )


@dataclass(frozen=True)
class Outcomes:
    """Reads what has come in, and scores it."""

    scorers: Scorers

    def paired(self, pair: Pair, as_of: datetime, *, fresh: bool = False) -> Paired:
        """Return both versions on what is known as of a time; what this process scored before is not scored again.

        Args:
            pair: whose rows, since when.
            as_of: rows that were later, and labels that became known later, are not there.
            fresh: read and score every row anew.

        Raises:
            Rejected, NotFound: the rows or a model cannot be read.
            TryLater: the feature store is away.
        """
        bee, scorer = pair.bee, self.scorers.of(pair)
        if fresh:
            scorer.forget()
        rows = scorer.features.observations(
            bee.entity, bee.label, start=pair.since, end=as_of, respect_known_at=bee.respect_known_at
        )
        scored = _first(rows, MOST_ROWS)
        answers, labels = scorer.answers(scored, as_of), scored.values.tolist()
        champion, challenger = (scores_of([both[side] for both in answers], labels, bee) for side in (0, 1))
        return Paired(bee.task, rows.times_us, champion, challenger)


def evidence(
    rollout: Rollout, paired: Paired | None, as_of: datetime, served: Mapping[str, Compared] | None = None
) -> Evidence:
    """Return what is known of a rollout: by outcomes what rows can tell, by the events of both versions all else.

    What both tell of is told by whichever rests on more.

    Args:
        rollout: whose plan says what is compared.
        paired: both versions on the rows since it began; None where no row can be read.
        as_of: of the look.
        served: guards of which the prediction log tells.
    """
    heard = told.evidence(rollout, as_of)
    logged = {name: one for name, one in (served or {}).items() if one.known}
    heard = replace(heard, guards={**heard.guards, **logged})
    if paired is None:
        return heard
    guards = {name: _of_guard(rollout, paired, name) for name in rollout.plan.guards}
    counts = {name: one.count for name, one in heard.guards.items()}
    better = {name: one for name, one in guards.items() if one.known and one.count >= counts.get(name, 0)}
    found = replace(heard, guards={**heard.guards, **better})
    primary = _compared(rollout, paired, rollout.primary.metric, lower_is_better=rollout.primary.lower_is_better)
    # Whichever rests on more: labels may be few here where events tell of many, as of a monitor elsewhere.
    if not primary.known or primary.count < heard.primary.count:
        return found
    return replace(found, primary=primary, step_outcomes=paired.since(rollout.step_at))


def _of_guard(rollout: Rollout, paired: Paired, name: str) -> Compared:
    return _compared(rollout, paired, name, lower_is_better=rollout.plan.guards[name].lower_is_better)


def _compared(rollout: Rollout, paired: Paired, name: str, *, lower_is_better: bool) -> Compared:
    metric = row_metric(name, paired.task)
    if metric is None:
        return Compared(name)
    planned = sum(step.min_outcomes for step in rollout.plan.planned)
    confidence = rollout.plan.confidence
    return paired.compared(metric, lower_is_better=lower_is_better, confidence=confidence, planned=planned)


def _first(rows: Observed, most: int) -> Observed:
    if len(rows) <= most:
        return rows
    return Observed(rows.ids[:most], rows.times_us[:most], rows.known_us[:most], rows.values.take(slice(0, most)))
