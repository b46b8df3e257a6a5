"""Both models on parts of the hold-out: a better average must not hide that some rows are served worse."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.bee import GateSpec
from worker.errors import Rejected
from worker.steps.bootstrap import Question
from worker.steps.metrics import Scores, measure
from worker.steps.tables import Rows

_MANY_NUMBERS = 10


def compare_slices(
    question: Question, challenger: Scores, champion: Scores, rows: Rows, spec: GateSpec
) -> dict[str, list[dict[str, Any]]]:
    """Return `slices` (with `loss`, positive where the challenger is worse) and `slicesUndefined`.

    A slice in which the metric is undefined for the champion (no positives in it) is evidence of nothing.

    Raises:
        Rejected: a slice column is not in the rows.
    """
    found: dict[str, list[dict[str, Any]]] = {"slices": [], "slicesUndefined": []}
    for column in spec.slices:
        for value, indexes in parts(rows, column):
            if len(indexes) < spec.min_slice_rows:
                continue
            ours, theirs = (
                measure(question.metric, question.task, scores.take(indexes)) for scores in (challenger, champion)
            )
            gain = question.improvement(ours, theirs)
            told = {"column": column, "value": value, "rows": len(indexes), "challenger": ours, "champion": theirs}
            loss = None if gain is None else -gain
            found["slicesUndefined" if theirs is None else "slices"].append(told | {"loss": loss})
    return found


def parts(rows: Rows, column: str) -> Iterator[tuple[str, NDArray[np.intp]]]:
    """Yield each value's rows; numbers of many values are cut into quarters.

    Raises:
        Rejected: there is no such column.
    """
    if column not in rows.columns:
        raise Rejected("is not a column of the rows", field=f"gate.slices {column}", mend="name a feature")
    values = rows.columns[column]
    known = [value for value in values if value is not None]
    numeric = all(isinstance(value, int | float) and not isinstance(value, bool) for value in known)
    names = _quarters(values, known) if numeric and len(set(known)) > _MANY_NUMBERS else [*map(_name, values)]
    for name in sorted(set(names)):
        yield name, np.flatnonzero(np.array(names, dtype=object) == name)


def _quarters(values: Sequence[Any], known: Sequence[float]) -> list[str]:
    cuts = np.quantile(known, (0.25, 0.5, 0.75)).tolist()
    edges = ["", *(f"{cut:.6g}" for cut in cuts), ""]
    words = [f"{low or 'lowest'} to {high or 'highest'}" for low, high in pairwise(edges)]
    return [
        _name(None) if value is None else words[int(np.searchsorted(cuts, value, side="right"))] for value in values
    ]


def _name(value: Any) -> str:
    return "(missing)" if value is None else str(value)
