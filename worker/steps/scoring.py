"""How a model does on a window of labelled rows: the numbers of a `model.evaluated` event."""

from typing import Any

import numpy as np

from worker.bee import BeeSpec
from worker.features.port import TrainingTable
from worker.models.port import Predictor
from worker.steps.comparison import score
from worker.steps.metrics import STANDARD, measure_all


def score_table(predictor: Predictor, table: TrainingTable, bee: BeeSpec) -> dict[str, Any]:
    """Return `{"metrics": {name: value or None where undefined}, "sampleCount", "positiveCount"}`.

    Rows without a label are left out; `positiveCount` is None unless the task is binary.
    """
    labels = table.columns[bee.label]
    kept = [index for index, value in enumerate(labels) if value is not None]
    binary = bee.task == "binary"
    if not kept:
        names = dict.fromkeys((bee.metric, *STANDARD[bee.task]))
        return {"metrics": dict.fromkeys(names), "sampleCount": 0, "positiveCount": 0 if binary else None}
    columns = {name: [values[index] for index in kept] for name, values in table.columns.items()}
    scores = score(predictor, columns, bee)
    return {
        "metrics": measure_all(bee.metric, bee.task, scores),
        "sampleCount": len(kept),
        "positiveCount": int(np.sum(scores.truth)) if binary else None,
    }
