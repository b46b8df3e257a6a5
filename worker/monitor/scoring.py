"""A version's scores on labelled rows: by what it said when they were served, where that is logged, else asked now."""

from collections.abc import Sequence
from datetime import datetime

from worker.bee import BeeSpec
from worker.features.port import FeatureStore
from worker.models.port import Predictor, Scored
from worker.monitor.period import Period
from worker.monitor.rows import Rows
from worker.serving.logged import Logged
from worker.serving.matching import BEFORE
from worker.steps.comparison import score, scores_of
from worker.steps.metrics import Scores, joined

#: So many rows are scored at once, so that many more do not take more memory.
_AT_ONCE = 50_000

Said = Sequence[Scored | None]


def served(
    store: FeatureStore, bee: BeeSpec, version: str, labelled: Rows, window: Period, as_of: datetime
) -> list[Scored | None]:
    """Return what a version said of each labelled row of the window when it was served, None where it was not.

    Args:
        store: where predictions are logged.
        bee: whose.
        version: whose answers count.
        labelled: all labelled rows from before the window on: an entity's label has the predictions since its last.
        window: which rows are asked about.
        as_of: what was logged later is not there.
    """
    rows, log = labelled.of_period(window), Logged(store, bee)
    if not len(rows) or not log.exists:
        return [None] * len(rows)
    upto = labelled.within(window.start - BEFORE, window.end)
    said = dict(
        zip(upto.kept.tolist(), log.answers(upto.spine, version, as_of, since=window.start - BEFORE), strict=True)
    )
    return [said[place] for place in rows.kept.tolist()]


def scores(predictor: Predictor, rows: Rows, said: Said, bee: BeeSpec) -> Scores:
    """Return the scores of rows; those of which nothing was said are scored now, with the features of their time."""
    # The numbers of classes are told by all rows together.
    size = len(rows) if bee.task == "multiclass" else _AT_ONCE
    parts = zip(rows.parts(size), range(0, len(rows), size), strict=True)
    return joined([_part(predictor, part, said[first : first + size], bee) for part, first in parts])


def _part(predictor: Predictor, rows: Rows, said: Said, bee: BeeSpec) -> Scores:
    columns = rows.lists((*bee.features, bee.label))
    unsaid = [row for row, answer in enumerate(said) if answer is None]
    if len(unsaid) == len(said):
        return score(predictor, columns, bee)
    asked = {name: [columns[name][row] for row in unsaid] for name in bee.features}
    found = dict(zip(unsaid, predictor.predict(asked) if unsaid else (), strict=True))
    answers = [found[row] if answer is None else answer for row, answer in enumerate(said)]
    return scores_of(answers, columns[bee.label], bee)
