"""Chooses among candidates by time-ordered validation inside the training part, and fits the best one on all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.errors import Rejected
from worker.models.encoding import encode, groups, kind_of
from worker.steps import candidates
from worker.steps.labels import classes_of, encode_labels
from worker.steps.metrics import Scores, check, joined, measure
from worker.steps.tables import Rows
from worker.steps.trainers.port import Unlearnable

_MIN_ROWS = 20


@dataclass(frozen=True)
class Plan:
    """What to try; with one algorithm nothing is chosen, and it is validated only for the report (0 folds: not).

    Attributes:
        source: where the hyperparameters are from, in words; `bee` or `defaults` if not given.
    """

    algorithm: str
    hyperparameters: Mapping[str, Any]
    folds: int
    seed: int
    source: str = ""


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator, what is kept with it, and how it was chosen."""

    estimator: Any
    metadata: dict[str, Any]
    report: dict[str, Any]


@dataclass(frozen=True)
class _Task:
    """The rows as an estimator takes them."""

    matrix: NDArray[Any]
    target: NDArray[Any]
    kinds: dict[str, str]
    classes: list[Any]
    bee: BeeSpec


def fit_best(rows: Rows, bee: BeeSpec, plan: Plan) -> Fitted | Unlearnable:
    """Return the best candidate, fitted on all rows (in time order); the same rows and seed give the same model.

    Raises:
        Rejected: an unknown metric, algorithm or hyperparameter.
    """
    check(bee.metric, bee.task)
    hyperparameters, source = _hyperparameters(plan)
    names = candidates.names(bee.task, plan.algorithm)
    if len(rows) < _MIN_ROWS:
        return Unlearnable(f"too few rows: {len(rows)} to train on, {_MIN_ROWS} needed")
    task = _prepare(rows, bee)
    if bee.task != "regression" and len(np.unique(task.target)) < 2:
        return Unlearnable(f"one class only: each of the {len(rows)} training rows has the label {task.classes[0]!r}")
    with threadpool_limits(limits=1):
        validated = {name: _validate(name, task, hyperparameters if len(names) == 1 else {}, plan) for name in names}
        best = _best(validated, lower_is_better=bee.lower_is_better)
        estimator = _fit(best, task, hyperparameters, plan.seed)
    told = {
        "algorithm": best,
        "hyperparameters": dict(hyperparameters),
        "hyperparametersFrom": source,
        "validation": validated,
    }
    report = {"metric": bee.metric, "folds": plan.folds, "rows": len(rows), **told}
    return Fitted(estimator, _metadata(rows, task, plan.seed) | told, report)


def refit(metadata: Mapping[str, Any], rows: Rows, bee: BeeSpec, *, seed: int) -> Fitted:
    """Return the model that `metadata` describes, fitted anew on other rows."""
    task = _prepare(rows, bee)
    told = {name: metadata[name] for name in ("algorithm", "hyperparameters", "hyperparametersFrom", "validation")}
    with threadpool_limits(limits=1):
        estimator = _fit(told["algorithm"], task, told["hyperparameters"], seed)
    return Fitted(estimator, _metadata(rows, task, seed) | told | {"refit": True}, {})


def _hyperparameters(plan: Plan) -> tuple[Mapping[str, Any], str]:
    """Return the hyperparameters and where they are from; they need an algorithm that they belong to."""
    if plan.hyperparameters and plan.algorithm == "auto":
        mend = "name the algorithm that they belong to"
        raise Rejected("algorithm: auto chooses its own", field="trainer.hyperparameters", mend=mend)
    return plan.hyperparameters, plan.source or ("bee" if plan.hyperparameters else "defaults")


def _prepare(rows: Rows, bee: BeeSpec) -> _Task:
    types = rows.facts.get("types", {})
    labels = rows.columns[bee.label]
    kinds = {name: kind_of(rows.columns[name], types.get(name)) for name in bee.features}
    classes = classes_of(labels, bee)
    matrix = encode(rows.columns, kinds, len(rows))
    return _Task(matrix, encode_labels(labels, classes, bee), kinds, classes, bee)


def _metadata(rows: Rows, task: _Task, seed: int) -> dict[str, Any]:
    return {
        "features": list(task.bee.features),
        "kinds": task.kinds,
        "task": task.bee.task,
        "label": task.bee.label,
        "positive": task.bee.positive if task.bee.task == "binary" else None,
        "classes": task.classes,
        "threshold": 0.5,
        "constants": _constants(task),
        "trainedFrom": to_text(min(rows.times)),
        "trainedUntil": to_text(max(rows.times)),
        "rows": len(rows),
        "snapshotId": rows.facts.get("snapshotId"),
        "definitions": dict(rows.facts.get("definitions", {})),
        "seed": seed,
        "library": f"scikit-learn {sklearn.__version__}",
    }


def _constants(task: _Task) -> dict[str, Any]:
    """Return what a prediction without any feature would say, as the naive opponent of a first model."""
    if task.bee.task == "regression":
        return {"mean": float(np.mean(task.target)), "median": float(np.median(task.target))}
    return {"shares": [float(np.mean(task.target == index)) for index in range(len(task.classes))]}


def _fit(name: str, task: _Task, hyperparameters: Mapping[str, Any], seed: int, rows: slice = slice(None)) -> Any:
    estimator = candidates.build(name, task.bee.task, task.kinds, hyperparameters, seed=seed)
    try:
        return estimator.fit(_with_values(name, task, rows), task.target[rows])
    except ValueError as error:
        if not hyperparameters:
            raise
        raise Rejected(str(error), field="trainer.hyperparameters", mend="give values it accepts") from error


def _with_values(name: str, task: _Task, rows: slice) -> NDArray[Any]:
    """Return the rows; for boosting, which fails on a column that has no value at all, with a single zero in each."""
    matrix: NDArray[Any] = task.matrix[rows]
    if name != candidates.BOOSTING:
        return matrix
    numbers = groups(task.kinds)["number"]
    empty = [column for column in numbers if np.isnan(matrix[:, column].astype(np.float64)).all()]
    if empty:
        # One value of a column teaches nothing: no split leaves enough rows on both of its sides.
        matrix = matrix.copy()
        matrix[0, empty] = 0.0
    return matrix


def _validate(name: str, task: _Task, hyperparameters: Mapping[str, Any], plan: Plan) -> float | None:
    """Return the metric over all validation rows: each fold learns from the rows before it, and is scored once."""
    size = len(task.target) // (plan.folds + 1)
    parts = []
    for fold in range(plan.folds):
        start = len(task.target) - (plan.folds - fold) * size
        if task.bee.task != "regression" and len(np.unique(task.target[:start])) < 2:
            continue
        estimator = _fit(name, task, hyperparameters, plan.seed, slice(start))
        parts.append(_scores(estimator, task, slice(start, start + size)))
    if not parts:
        return None
    return measure(task.bee.metric, task.bee.task, joined(parts))


def _scores(estimator: Any, task: _Task, rows: slice) -> Scores:
    matrix, truth = task.matrix[rows], task.target[rows]
    if task.bee.task == "binary":
        score = estimator.predict_proba(matrix)[:, 1]
        return Scores(truth == 1, score >= 0.5, score)
    return Scores(truth, estimator.predict(matrix))


def _best(validated: Mapping[str, float | None], *, lower_is_better: bool) -> str:
    """Return the best candidate, the simpler of equals; one whose metric is undefined is worse than any other."""

    def worth(name: str) -> tuple[bool, float]:
        value = validated[name]
        return (False, 0.0) if value is None else (True, -value if lower_is_better else value)

    return max(validated, key=worth)
