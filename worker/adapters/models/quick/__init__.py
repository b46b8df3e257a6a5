"""One row scored at once: scikit-learn's own arithmetic on the fitted arrays, without what it spends on many rows.

Whatever is not known here, or is unusual in a row, is left to scikit-learn; what is known gives the very same bits.
"""

from contextlib import suppress
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from worker.adapters.models.quick.columns import Columns, Unusual
from worker.adapters.models.quick.heads import Head, head_of

log = structlog.get_logger()

#: How many made-up rows must come out the same before a model is scored this way.
_PROBES = 4


class Quick:
    """An estimator that scores single rows quickly; the same answers as the one that it stands for."""

    def __init__(self, estimator: Any) -> None:
        """Look at nothing yet: who scores many rows never asks for one."""
        self._estimator = estimator
        self._path: _Path | None = None
        self._looked = False

    def predict(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """Return what the estimator's own `predict` does."""
        return self._scored("predict", matrix)

    def predict_proba(self, matrix: NDArray[Any]) -> NDArray[Any]:
        """Return what the estimator's own `predict_proba` does."""
        return self._scored("predict_proba", matrix)

    @property
    def is_quick(self) -> bool:
        """Whether single rows of this estimator are scored quickly, known after the first."""
        return self._path is not None

    def _scored(self, method: str, matrix: NDArray[Any]) -> NDArray[Any]:
        path, found = self._path_for(matrix), None
        if path:
            with suppress(Unusual):
                found = getattr(path.head, method)(path.columns.row(matrix))
        scored: NDArray[Any] = getattr(self._estimator, method)(matrix) if found is None else found
        return scored

    def _path_for(self, matrix: NDArray[Any]) -> "_Path | None":
        if matrix.shape[0] != 1:
            return None
        if not self._looked:
            self._path = _path(self._estimator, matrix)
            self._looked = True
        return self._path


class _Path:
    """The column treatment and the model of a pipeline."""

    def __init__(self, columns: Columns, head: Head) -> None:
        self.columns = columns
        self.head = head


def _path(estimator: Any, matrix: NDArray[Any]) -> _Path | None:
    """Return the quick path; None for an estimator of another form, or if any probe comes out otherwise."""
    try:
        steps = list(estimator.named_steps.values())
        path = _Path(Columns(steps[0]), head_of(steps[1])) if len(steps) == 2 else None
        return path if path and _agrees(path, estimator, matrix) else None
    except Exception as error:  # noqa: BLE001 - of an estimator that is not as we know them nothing is expected
        log.info("single rows are scored by scikit-learn itself", reason=f"{type(error).__name__}: {error}"[:200])
        return None


def _agrees(path: _Path, estimator: Any, matrix: NDArray[Any]) -> bool:
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "predict"
    rows = [matrix, *_probes(matrix)]
    return all(
        np.array_equal(getattr(path.head, method)(path.columns.row(row)), getattr(estimator, method)(row))
        for row in rows
    )


def _probes(matrix: NDArray[Any]) -> list[NDArray[Any]]:
    """Return rows of the same form: numbers over many orders of magnitude, one row without any."""
    random = np.random.default_rng(0)
    rows = []
    for number in range(_PROBES):
        row = matrix.copy()
        for column in range(row.shape[1]):
            if not isinstance(row[0, column], str):
                size = 10.0 ** random.integers(-3, 6)
                row[0, column] = float("nan") if number == 0 else random.normal() * size
        rows.append(row)
    return rows
