"""All trees of a forest as one set of arrays: one row goes down all of them at once, a level at a time."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LEAF = -1


class Trees:
    """The fitted arrays of scikit-learn's trees, one behind the other; a leaf has itself for both of its children."""

    def __init__(self, trees: Sequence[Any]) -> None:
        """Copy what is needed of fitted trees."""
        self.count = len(trees)
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        self._roots = starts[:-1]
        self._levels = max(tree.max_depth for tree in trees)
        self._feature = np.concatenate([np.maximum(tree.feature, 0) for tree in trees])
        self._threshold = np.concatenate([tree.threshold for tree in trees])
        self._children = np.concatenate([_children(tree, start) for tree, start in zip(trees, starts, strict=False)])
        self._values = np.concatenate([tree.value[:, 0, :] for tree in trees])

    def sum(self, row: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the sum of what the leaves that a row of finite numbers ends in say; shape (1, numbers of a leaf)."""
        values, nodes = row.astype(np.float64), self._roots
        for _ in range(self._levels):
            right = values.take(self._feature.take(nodes)) > self._threshold.take(nodes)
            nodes = self._children.take(2 * nodes + right)
        # One after the other, as scikit-learn adds: another order would round otherwise.
        return np.add.accumulate(self._values.take(nodes, axis=0), axis=0)[-1:].copy()


def _children(tree: Any, start: int) -> NDArray[np.int64]:
    """Return each node's left and right child by their places among all trees' nodes."""
    own = np.arange(tree.node_count)
    leaf = tree.children_left == _LEAF
    left, right = (np.where(leaf, own, side) + start for side in (tree.children_left, tree.children_right))
    return np.column_stack((left, right)).ravel()
