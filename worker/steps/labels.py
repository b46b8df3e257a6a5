"""Label values and the numbers that estimators learn: booleans, class numbers or plain numbers."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from worker.bee import BeeSpec
from worker.errors import Rejected


def classes_of(values: Sequence[Any], bee: BeeSpec) -> list[Any]:
    """Return the label values that stand for 0, 1, …; none for a regression.

    Raises:
        Rejected: a binary task whose label has more than one value beside the positive one.
    """
    if bee.task == "regression":
        return []
    counts = Counter(values)
    if bee.task == "multiclass":
        return sorted(counts, key=lambda value: (str(type(value)), value))
    others = [value for value in counts if value != bee.positive]
    if len(others) > 1:
        mend = "use task: multiclass, or a label with two values"
        raise Rejected(f"has the values {sorted(map(repr, counts))}", field=f"label {bee.label}", mend=mend)
    return [*others, bee.positive] if bee.positive in counts else others


def encode_labels(values: Sequence[Any], classes: Sequence[Any], bee: BeeSpec) -> NDArray[Any]:
    """Return labels as numbers; for a binary task 1 is the positive class, a class never seen is -1."""
    if bee.task == "regression":
        return np.array([float(value) for value in values])
    if bee.task == "binary":
        return np.array([int(value == bee.positive) for value in values], dtype=np.int64)
    places = {value: index for index, value in enumerate(classes)}
    return np.array([places.get(value, -1) for value in values], dtype=np.int64)
