"""The candidate estimators: each a scikit-learn pipeline of column treatment and model, deterministic by its seed."""

from collections.abc import Mapping
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from worker.errors import Rejected
from worker.models.encoding import groups

BOOSTING = "hist_gradient_boosting"
#: task is a regression → candidates, the simpler first: that is who wins a tie.
ALGORITHMS: dict[bool, dict[str, Any]] = {
    False: {
        "logistic_regression": lambda seed: LogisticRegression(max_iter=1000, random_state=seed),
        "random_forest": lambda seed: RandomForestClassifier(n_estimators=200, random_state=seed, n_jobs=1),
        BOOSTING: lambda seed: HistGradientBoostingClassifier(early_stopping=False, random_state=seed),
    },
    True: {
        "ridge": lambda seed: Ridge(random_state=seed),
        "random_forest": lambda seed: RandomForestRegressor(n_estimators=200, random_state=seed, n_jobs=1),
        BOOSTING: lambda seed: HistGradientBoostingRegressor(early_stopping=False, random_state=seed),
    },
}
_LINEAR = frozenset({"logistic_regression", "ridge"})
_SPARSE_TEXT, _DENSE_TEXT = 1024, 128
_CATEGORIES = 40


def names(task: str, algorithm: str) -> list[str]:
    """Return the algorithms to try. Raises Rejected if the one asked for does not do the task."""
    known = list(ALGORITHMS[task == "regression"])
    if algorithm == "auto":
        return known
    if algorithm not in known:
        mend = f"use auto, {', '.join(known)}"
        raise Rejected(f"{algorithm!r} does not do {task}", field="trainer.algorithm", mend=mend)
    return [algorithm]


def build(
    algorithm: str, task: str, kinds: Mapping[str, str], hyperparameters: Mapping[str, Any], *, seed: int
) -> Pipeline:
    """Return an unfitted pipeline.

    Raises:
        Rejected: a hyperparameter that the algorithm does not have.
    """
    model = ALGORITHMS[task == "regression"][algorithm](seed)
    defaults = model.get_params(deep=False)
    for name, value in hyperparameters.items():
        if name not in defaults:
            field = f"trainer.hyperparameters.{name}"
            raise Rejected(f"{algorithm} has no such parameter", field=field, mend=f"use {', '.join(sorted(defaults))}")
        model.set_params(**{name: _as_declared(name, value, defaults[name])})
    return Pipeline([("columns", _columns(algorithm, kinds)), ("model", model)])


def _as_declared(name: str, value: Any, default: Any) -> Any:
    """Undo what a JSON struct does to whole numbers: 200 becomes 200.0 on its way through an engine."""
    whole = isinstance(value, float) and value.is_integer()
    counts = isinstance(default, int) or (default is None and name not in {"max_samples", "max_features"})
    return int(value) if whole and counts and not isinstance(default, bool) else value


def _columns(algorithm: str, kinds: Mapping[str, str]) -> ColumnTransformer:
    boosting = algorithm == BOOSTING
    found = groups(kinds)
    parts: list[tuple[str, Any, Any]] = []
    if found["number"]:
        parts.append(("number", "passthrough" if boosting else _numbers(algorithm), found["number"]))
    if found["category"]:
        encoder = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=_CATEGORIES, sparse_output=not boosting
        )
        parts.append(("category", encoder, found["category"]))
    for column in found["text"]:
        width = _DENSE_TEXT if boosting else _SPARSE_TEXT
        parts.append((f"text-{column}", HashingVectorizer(n_features=width, alternate_sign=False), column))
    return ColumnTransformer(parts, sparse_threshold=0.0 if boosting else 0.3)


def _numbers(algorithm: str) -> Pipeline:
    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True))
    ]
    if algorithm in _LINEAR:
        steps.append(("scale", StandardScaler()))
    return Pipeline(steps)
