"""A forest's trees as one set of arrays, against the trees themselves."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from worker.adapters.models.quick.trees import Trees


@pytest.mark.parametrize("depth", [None, 1, 4])
@pytest.mark.parametrize("classes", [1, 2, 5])
def test_the_very_same_bits(classes: int, depth: int | None) -> None:
    """Whatever a row is, the sum is what the trees' own answers add up to, one after the other."""
    random = np.random.default_rng(classes)
    matrix = random.normal(size=(300, 6)).astype(np.float32)
    if classes == 1:
        forest = RandomForestRegressor(20, max_depth=depth, random_state=1).fit(matrix, matrix[:, 0] ** 2)
    else:
        labels = random.integers(classes, size=300)
        forest = RandomForestClassifier(20, max_depth=depth, random_state=1).fit(matrix, labels)
    fitted = [estimator.tree_ for estimator in forest.estimators_]
    trees = Trees(fitted)
    # Values of the training rows lie on thresholds' own sides; zeros and very large ones lie beyond all.
    rows = [
        *matrix[:50],
        *random.normal(size=(50, 6)).astype(np.float32),
        np.zeros(6, np.float32),
        np.full(6, 1e30, "f4"),
    ]

    for row in rows:
        expected = np.zeros((1, classes))
        for tree in fitted:
            expected += tree.predict(row[None, :])
        assert np.array_equal(trees.sum(row), expected)


def test_trees_that_are_leaves_alone() -> None:
    """A forest that has learned nothing but one class says that, whatever the row."""
    matrix = np.zeros((10, 2), np.float32)
    forest = RandomForestClassifier(3, random_state=1).fit(matrix, np.zeros(10))

    assert Trees([one.tree_ for one in forest.estimators_]).sum(matrix[0]).tolist() == [[3.0]]
