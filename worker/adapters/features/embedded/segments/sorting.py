"""The order of a segment: by entity, event time, known-at and write sequence; pure."""

import numpy as np

from worker.features.columns import Ints

_BITS = 63


def order_of(entity: Ints, event: Ints, known: Ints, sequence: Ints) -> Ints:
    """Return the positions in order.

    Entity and event time share one key where both fit 63 bits, as they do but for huge ranges: one sort instead of
    four, which is quick on runs that are sorted already. Ties of that key are few, and sorted apart.
    """
    if len(entity) < 2:
        return np.arange(len(entity))
    first, since = int(entity.min()), int(event.min())
    width = (int(event.max()) - since).bit_length()
    if width + (int(entity.max()) - first).bit_length() > _BITS:
        return np.lexsort((sequence, known, event, entity))
    key = ((entity - first) << width) | (event - since)
    order = np.argsort(key, kind="stable")
    placed = key[order]
    same = placed[1:] == placed[:-1]
    if not same.any():
        return order
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    among = order[tied]
    order[tied] = among[np.lexsort((sequence[among], known[among], key[among]))]
    return order
