"""A loaded scikit-learn model that scores rows given as columns."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.errors import Rejected
from worker.models.encoding import encode
from worker.models.port import Scored

_THRESHOLD = 0.5


class SkopsPredictor:
    """A fitted estimator with what it was told of itself.

    Args:
        estimator: takes the matrix that `encode` makes.
        metadata: `features`, `kinds`, `task`; for one that we trained, `classes` maps its labels (0, 1, …) to values.
    """

    def __init__(self, estimator: Any, metadata: Mapping[str, Any]) -> None:
        # Who has an estimator has loaded scikit-learn already.
        from worker.adapters.models.quick import Quick

        self.estimator = estimator
        self.metadata = metadata
        self._scorer = Quick(estimator)

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows given as columns (feature -> one value per row, None where missing), in order.

        Raises:
            Rejected: the model cannot score them, for example one that was adopted and knows no missing values.
        """
        rows = max((len(values) for values in columns.values()), default=0)
        if rows == 0:
            return []
        try:
            return self._predict(encode(columns, self.metadata["kinds"], rows))
        except ValueError as error:
            reason = str(error).partition("\n")[0].rstrip(".")
            missing = sorted(name for name, values in columns.items() if None in values)
            mend = f"give a value for {', '.join(missing)}" if missing else "give them as the model was trained with"
            raise Rejected(f"the model cannot score this: {reason}", field="features", mend=mend) from error

    def _predict(self, matrix: Any) -> list[Scored]:
        if self.metadata["task"] == "regression":
            return [Scored(float(value), None) for value in self._scorer.predict(matrix)]
        if self.metadata["task"] == "binary" and hasattr(self.estimator, "predict_proba"):
            return self._binary(matrix)
        labels = self.metadata.get("classes")
        found = self._scorer.predict(matrix).tolist()
        return [Scored(labels[int(value)] if labels else value, None) for value in found]

    def _binary(self, matrix: Any) -> list[Scored]:
        """Compare the positive class's probability with the threshold that the metadata names (0.5 if none)."""
        threshold = self.metadata.get("threshold", _THRESHOLD)
        negative, positive, column = self._classes()
        scores = self._scorer.predict_proba(matrix)[:, column].tolist()
        return [Scored(positive if score >= threshold else negative, score) for score in scores]

    def _classes(self) -> tuple[Any, Any, int]:
        labels = self.metadata.get("classes")
        if labels:
            return labels[0], labels[1], 1
        own = self.estimator.classes_.tolist()
        wanted = self.metadata.get("positive", own[-1])
        column = next((index for index, value in enumerate(own) if value == wanted), len(own) - 1)
        return own[1 - column], own[column], column
