"""What came of each exposed entity: one value each, in the order in which the values became known; pure.

An observation counts if it was true at or after the entity's first exposure. An entity's value never changes once it
has counted, so that what was concluded from a sequence of them stays true.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from worker.abtest.exposures import Answers, Exposures, Times
from worker.abtest.measures import Floats, Measure
from worker.bee import BeeSpec
from worker.features.observed import Observed
from worker.features.spine import Spine
from worker.serving.matching import AFTER, matched
from worker.steps.comparison import scores_of

#: A label that carries the time of its own row is a little older than the answer to it.
_OWN_TIME_US = AFTER.seconds * 1_000_000

Places = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Rows:
    """Observations of exposed entities, in the order in which they became known, and what each contributes.

    Attributes:
        places: of the entities among the exposures.
        early: observations that were true before the entity's exposure: evidence of nothing.
        unanswered: observations to which no answer belongs.
    """

    places: Places
    times_us: Times
    known_us: Times
    values: Floats
    early: int = 0
    unanswered: int = 0


@dataclass(frozen=True, eq=False)
class Outcomes:
    """One value per entity, by when it was known.

    Attributes:
        places: of the entities among the exposures.
        ready_us: when each was known, rising.
        values: in the metric's own unit and direction.
        early, unanswered: as of the rows.
    """

    places: Places = field(default_factory=lambda: np.empty(0, np.intp))
    ready_us: Times = field(default_factory=lambda: np.empty(0, np.int64))
    values: Floats = field(default_factory=lambda: np.empty(0, np.float64))
    early: int = 0
    unanswered: int = 0

    def __len__(self) -> int:
        """Return how many entities have one."""
        return len(self.places)


def rows_of(measure: Measure, observed: Observed, exposed: Exposures, answers: Answers, bee: BeeSpec) -> Rows:
    """Return what each observation of an exposed entity contributes.

    Args:
        measure: the metric.
        observed: the labels, or the values of the feature that is the metric.
        exposed: who was exposed.
        answers: what the models said, for a metric of rows.
        bee: whose labels these are.
    """
    where, slack = exposed.places, 0 if measure.rows is None else _OWN_TIME_US
    places = np.fromiter((where.get(entity, -1) for entity in observed.ids), np.intp, len(observed))
    known = np.flatnonzero(places >= 0)
    late = observed.times_us[known] >= exposed.times_us[places[known]] - slack
    kept, early = known[late], int(np.sum(~late))
    if measure.rows is None:
        values = observed.values.values[kept].astype(np.float64)
        return Rows(places[kept], observed.times_us[kept], observed.known_us[kept], values, early)
    found = _matches(observed, kept, answers)
    said, rows = found[found >= 0], kept[found >= 0]
    labels = observed.values.take(rows).tolist()
    told = (
        measure.rows(scores_of([answers.scored[place] for place in said.tolist()], labels, bee)) if len(said) else None
    )
    values = np.full(len(rows), np.nan) if told is None else np.asarray(told, dtype=np.float64)
    rows, values = rows[np.isfinite(values)], values[np.isfinite(values)]
    return Rows(places[rows], observed.times_us[rows], observed.known_us[rows], values, early, int(np.sum(found < 0)))


def latencies_of(answers: Answers, exposed: Exposures) -> Rows:
    """Return how long each answer to an exposed entity took, in milliseconds; known as it was given."""
    where = exposed.places
    kept = [row for row, took in enumerate(answers.latencies_ms) if took is not None and answers.entities[row] in where]
    places = np.fromiter((where[answers.entities[row]] for row in kept), np.intp, len(kept))
    times = answers.times_us[kept]
    return Rows(places, times, times, np.array([answers.latencies_ms[row] for row in kept], dtype=np.float64))


def outcomes_of(rows: Rows, exposed: Exposures, as_of_us: int, horizon_us: int | None) -> Outcomes:
    """Return each entity's value: of its first observation, or the mean of those within the horizon once that is over.

    Of a horizon only what was known by the moment at which the entity counts is in its value.
    """
    sums: dict[int, tuple[float, int]] = {}
    ready: dict[int, int] = {}
    for place, time, known, value in _in_order(rows):
        due = known
        if horizon_us is not None:
            over = int(exposed.times_us[place]) + horizon_us
            if time >= over:
                continue
            due = max(known, over)
        elif place in sums:
            continue
        if due > as_of_us or known > ready.setdefault(place, due):
            continue
        total, count = sums.get(place, (0.0, 0))
        sums[place] = total + value, count + 1
    ranked = sorted(sums, key=lambda place: (ready[place], place))
    values = np.array([sums[place][0] / sums[place][1] for place in ranked], dtype=np.float64)
    moments = np.array([ready[place] for place in ranked], dtype=np.int64)
    return Outcomes(np.array(ranked, dtype=np.intp), moments, values, rows.early, rows.unanswered)


def _in_order(rows: Rows) -> Iterator[tuple[int, int, int, float]]:
    columns = (rows.places, rows.times_us, rows.known_us, rows.values)
    return zip(*(column.tolist() for column in columns), strict=True)


def _matches(observed: Observed, kept: Places, answers: Answers) -> Places:
    """Return the place of the answer that belongs to each observation, -1 where there is none."""
    if not len(answers) or not len(kept):
        return np.full(len(kept), -1, dtype=np.intp)
    rows = Spine.of([observed.ids[row] for row in kept.tolist()], observed.times_us[kept])
    return matched(rows, answers.entities, answers.times_us)
