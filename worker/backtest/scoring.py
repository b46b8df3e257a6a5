"""What the versions that served answered, and how good that was: per period, and over all rows so far; pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from worker.backtest.serving import Serving
from worker.bee import BeeSpec
from worker.models.port import Predictor, Scored
from worker.monitor.rows import Rows
from worker.steps.comparison import score
from worker.steps.metrics import Scores, measure

#: So many rows are answered at once.
_AT_ONCE = 50_000


@dataclass(frozen=True)
class Point:
    """One period of one policy.

    Attributes:
        value, cumulative: the metric on the period's rows, and on all rows until its end; None where undefined.
        served: the versions that served in it, in words.
    """

    value: float | None
    cumulative: float | None
    served: str


@dataclass
class _Given:
    """Answers that are there already, where a model is asked."""

    answers: list[Scored]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:  # noqa: ARG002 - a predictor's signature
        return self.answers


def scores_of(rows: Rows, serving: Serving, load: Callable[[str], Predictor], bee: BeeSpec) -> Scores:
    """Return labels and the answers of whatever version served each row; rows are in order of time.

    Args:
        rows: with the bee's features and label.
        serving: what served whom.
        load: gives a version's model.
        bee: whose rows they are.
    """
    spine = rows.spine
    versions = serving.versions(spine.ids.to_pylist(), spine.times_us)
    answers: list[Scored] = [Scored(None, None)] * len(rows)
    for version in dict.fromkeys(versions.tolist()):
        places = np.flatnonzero(versions == version)
        predictor, kept = load(version), Rows(rows.table, rows.kept[places])
        for first, part in zip(range(0, len(kept), _AT_ONCE), kept.parts(_AT_ONCE), strict=True):
            found = predictor.predict(part.lists(bee.features))
            for place, answer in zip(places[first : first + len(part)].tolist(), found, strict=True):
                answers[place] = answer
    return score(_Given(answers), rows.lists((bee.label,)), bee)


def curve(scores: Scores, ends: Sequence[int], metric: str, task: str) -> list[tuple[float | None, float | None]]:
    """Return the metric on each period's rows, and on all rows until its end, undefined ones as None.

    Args:
        scores: in order of time.
        ends: how many rows lie before the end of each period.
        metric: its name.
        task: the bee's.
    """
    begins = [0, *ends[:-1]]
    return [
        (measure(metric, task, _part(scores, begin, end)), measure(metric, task, _part(scores, 0, end)))
        for begin, end in zip(begins, ends, strict=True)
    ]


def _part(scores: Scores, begin: int, end: int) -> Scores:
    return scores.take(np.arange(begin, end))
