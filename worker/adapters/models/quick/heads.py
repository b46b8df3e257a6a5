"""The models behind the columns for one row: forests and boosted trees by their fitted arrays, others as they are."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]  # ships no types
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from worker.adapters.models.quick.columns import Unusual
from worker.adapters.models.quick.trees import Trees


class Head(Protocol):
    """A model that scores one row that has been treated."""

    def predict(self, row: Any) -> NDArray[Any]:
        """Return the class, or the number."""
        ...

    def predict_proba(self, row: Any) -> NDArray[Any]:
        """Return each class's probability."""
        ...


def head_of(model: Any) -> Head:
    """Return the model for single rows. Raises TypeError for one that is not known."""
    if isinstance(model, RandomForestClassifier | RandomForestRegressor):
        return _Forest(model)
    if isinstance(model, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        return _Boosting(model)
    if isinstance(model, LogisticRegression | Ridge):
        # Quick enough by itself.
        head: Head = model
        return head
    raise TypeError(f"{type(model).__name__} is not among the models that are known")


class _Forest:
    """Adds up the trees' leaves one after the other, as scikit-learn does in one thread."""

    def __init__(self, forest: Any) -> None:
        if forest.n_outputs_ != 1:
            raise TypeError("has several outputs")
        self._forest = forest
        self._trees = Trees([estimator.tree_ for estimator in forest.estimators_])
        self._width = forest.n_classes_ if isinstance(forest, RandomForestClassifier) else 1

    def predict(self, row: Any) -> NDArray[Any]:
        if isinstance(self._forest, RandomForestRegressor):
            return self._mean(row)[:, 0]
        chosen: NDArray[Any] = self._forest.classes_.take(np.argmax(self._mean(row), axis=1), axis=0)
        return chosen

    def predict_proba(self, row: Any) -> NDArray[Any]:
        return self._mean(row)

    def _mean(self, row: Any) -> NDArray[Any]:
        dense = row.toarray() if sparse.issparse(row) else row
        with np.errstate(over="ignore"):
            values = np.ascontiguousarray(dense, dtype=np.float32)
        if not np.isfinite(values).all():
            raise Unusual
        total = self._trees.sum(values[0])[:, : self._width]
        total /= self._trees.count
        return total


class _Boosting:
    """Adds up the trees without starting threads, which costs more than a row does."""

    def __init__(self, model: Any) -> None:
        if model._preprocessor is not None:  # noqa: SLF001 - the fitted arrays have no public names
            raise TypeError("treats categories by itself")
        self._classes = getattr(model, "classes_", None)
        self._loss = model._loss  # noqa: SLF001
        self._baseline = model._baseline_prediction  # noqa: SLF001
        self._iterations = model._predictors  # noqa: SLF001
        self._categories = model._bin_mapper.make_known_categories_bitsets()  # noqa: SLF001

    def predict(self, row: Any) -> NDArray[Any]:
        raw = self._raw(row)
        if self._classes is None:
            number: NDArray[Any] = self._loss.link.inverse(raw.ravel())
            return number
        index = (raw.ravel() > 0).astype(int) if raw.shape[1] == 1 else np.argmax(raw, axis=1)
        chosen: NDArray[Any] = self._classes[index]
        return chosen

    def predict_proba(self, row: Any) -> NDArray[Any]:
        shares: NDArray[Any] = self._loss.predict_proba(self._raw(row))
        return shares

    def _raw(self, row: Any) -> NDArray[Any]:
        known, places = self._categories
        values = np.ascontiguousarray(row, dtype=np.float64)
        raw = np.zeros((1, len(self._iterations[0])), dtype=self._baseline.dtype, order="F")
        raw += self._baseline
        for trees in self._iterations:
            for place, tree in enumerate(trees):
                raw[:, place] += tree.predict(values, known, places, 1)
        return raw
