"""The column treatment of our pipelines for one row: the same numbers as scikit-learn's ColumnTransformer makes."""

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]  # ships no types
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

Part = Callable[[NDArray[Any]], Any]
#: How many combinations of categories are remembered, for each encoder.
_REMEMBERED = 4096


class Unusual(Exception):
    """A row that scikit-learn would look at more closely: it is asked itself."""


class Columns:
    """A fitted ColumnTransformer for single rows. Raises TypeError for a form that is not known."""

    def __init__(self, transformer: Any) -> None:
        """Take the fitted parts."""
        self._sparse = bool(transformer.sparse_output_)
        self._parts = [_part(fitted, columns) for _, fitted, columns in transformer.transformers_ if _taken(fitted)]

    def row(self, matrix: NDArray[Any]) -> Any:
        """Return the treated row, dense of floats or sparse. Raises Unusual."""
        parts = [part(matrix) for part in self._parts]
        if self._sparse:
            return sparse.hstack(parts).tocsr()
        dense = [part.toarray() if sparse.issparse(part) else part for part in parts]
        return dense[0] if len(dense) == 1 else np.hstack(dense)


def _taken(fitted: Any) -> bool:
    return not (isinstance(fitted, str) and fitted == "drop")


def _part(fitted: Any, columns: Any) -> Part:
    if isinstance(fitted, HashingVectorizer) and isinstance(columns, int):
        # It looks up nothing that was learned, and reads one column of texts.
        return lambda matrix: fitted.transform(matrix[:, columns])
    if isinstance(fitted, OneHotEncoder):
        return _categories(fitted, columns)
    if fitted == "passthrough" or (isinstance(fitted, FunctionTransformer) and fitted.func is None):
        return partial(_floats, columns=columns)
    if isinstance(fitted, Pipeline):
        return _numbers(list(fitted.named_steps.values()), columns)
    raise TypeError(f"{type(fitted).__name__} is not among the treatments that are known")


def _floats(matrix: NDArray[Any], columns: Any) -> NDArray[Any]:
    found: NDArray[Any] = matrix[:, columns].astype(np.float64)
    if np.isinf(found).any():
        raise Unusual
    return found


def _categories(encoder: Any, columns: Any) -> Part:
    """Return the encoder's own answers, each kept for when the same categories come again."""

    @lru_cache(maxsize=_REMEMBERED)
    def answer(categories: tuple[str, ...]) -> Any:
        return encoder.transform(np.array([categories], dtype=object))

    return lambda matrix: answer(tuple(matrix[0, columns]))


def _numbers(steps: list[Any], columns: Any) -> Part:
    """Return imputation by a constant for each column, flags of what was missing, and scaling if there is any."""
    imputer, scaler = steps[0], steps[1] if len(steps) > 1 else None
    known = isinstance(imputer, SimpleImputer) and imputer.strategy == "median" and imputer.keep_empty_features
    if not known or len(steps) > 2 or not np.isnan(imputer.missing_values):
        raise TypeError("is no imputation that is known")
    if scaler is not None and not (isinstance(scaler, StandardScaler) and scaler.with_mean and scaler.with_std):
        raise TypeError("is no scaling that is known")
    fill = imputer.statistics_
    flagged = imputer.indicator_.features_ if imputer.indicator_ is not None else None

    def treat(matrix: NDArray[Any]) -> NDArray[Any]:
        values = _floats(matrix, columns)
        missing = np.isnan(values)
        values = np.where(missing, fill, values)
        if flagged is not None:
            values = np.hstack((values, missing[:, flagged]))
        if scaler is not None:
            values -= scaler.mean_
            values /= scaler.scale_
        return values

    return treat
