"""The naive opponent of a bee's first model: the constant prediction that the metric likes best."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.steps.bootstrap import Question
from worker.steps.metrics import Scores, measure


def naive_scores(question: Question, told: Mapping[str, Any], truth: NDArray[Any]) -> Scores:
    """Return the scores of the best constant, chosen on the very rows that judge: the hardest naive opponent.

    Args:
        question: the metric and its direction.
        told: a model's metadata, whose `constants` say what was frequent in its training rows.
        truth: the labels of the hold-out.
    """
    if question.task == "generation":
        return Scores(truth, np.zeros(len(truth)))  # an answer that says nothing
    options = list(_constants(question.task, told["constants"], truth))

    def worth(scores: Scores) -> float:
        value = measure(question.metric, question.task, scores)
        if value is None:
            return -np.inf
        return -value if question.lower_is_better else value

    return max(options, key=worth)


def _constants(task: str, told: Any, truth: NDArray[Any]) -> Iterator[Scores]:
    if task == "regression":
        for name in ("mean", "median"):
            yield Scores(truth, np.full(len(truth), told[name]))
    elif task == "binary":
        prior = np.full(len(truth), told["shares"][1])
        for value in (False, True):
            yield Scores(truth, np.full(len(truth), value), prior)
    else:
        for value in np.unique(truth):
            yield Scores(truth, np.full(len(truth), value))
