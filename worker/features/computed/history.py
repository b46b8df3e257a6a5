"""A history in which computed features are found like stored ones: what training and batch reads look through."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.features.columns import Column
from worker.features.computed.evaluate import Evaluation, Loss
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import Spine
from worker.features.join import Ints, Log, Rows
from worker.features.port import Definition, Value
from worker.features.training import Found, History

#: Rows that are computed at a time, those of one entity side by side: what they read is in memory no longer than that.
BLOCK_ROWS = 1 << 13


class ComputingHistory:
    """Implements worker.features.training.History on top of another one.

    Args:
        history: the stored values.
        definitions: every feature that a computed one needs, in the versions that count.
        wanted: the features that will be asked for; those of one entity are computed together and share what they read.
    """

    def __init__(self, history: History, definitions: Mapping[str, Definition], wanted: Sequence[str]) -> None:
        self._history = history
        self._definitions = definitions
        self._wanted = [definitions[name] for name in wanted if definitions[name].source == "computed"]
        self._found: dict[tuple[str, bool], tuple[Rows, dict[str, Found]]] = {}

    def codes(self, entity: str, ids: Any) -> Ints:
        """Return the code of each id, -1 where the store has never seen it."""
        return self._history.codes(entity, ids)

    def find(self, definition: Definition, rows: Rows, *, respect_known_at: bool) -> Found:
        """Return the feature's value of each row, stored or computed. Raises Rejected for a window that is too long."""
        if definition.source != "computed":
            return self._history.find(definition, rows, respect_known_at=respect_known_at)
        key = (definition.entity, respect_known_at)
        if key not in self._found or self._found[key][0] is not rows:
            wanted = [one for one in self._wanted if one.entity == definition.entity]
            self._found[key] = (rows, self._compute(wanted, rows, respect_known_at=respect_known_at))
        return self._found[key][1][definition.name]

    def _compute(self, wanted: Sequence[Definition], rows: Rows, *, respect_known_at: bool) -> dict[str, Found]:
        values: dict[str, list[Value]] = {one.name: [None] * len(rows.codes) for one in wanted}
        losses: dict[str, list[list[Loss]]] = {one.name: [] for one in wanted}
        for block in _blocks(rows):
            spine = Spine(rows.codes[block], rows.times[block])
            source = HistorySource(self._history, spine, respect_known_at=respect_known_at)
            evaluation = Evaluation(self._definitions, source, spine, respect_known_at=respect_known_at)
            places = block.tolist()
            for one in wanted:
                computed = evaluation.compute(one.name).cells.listed()
                for place, value in zip(places, computed, strict=True):
                    values[one.name][place] = value
                losses[one.name].append(evaluation.losses_of(one.name))
        return {one.name: _found(one, values[one.name], losses[one.name]) for one in wanted}

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the values of a stored feature with event time in [since, until]."""
        return self._history.log(definition, codes, since_us=since_us, until_us=until_us)

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values of a stored feature with event time in [start, end), and the entity id of each."""
        return self._history.window(definition, start_us, end_us)


def _blocks(rows: Rows) -> Iterator[Ints]:
    for first in range(0, len(rows.order), BLOCK_ROWS):
        yield rows.order[first : first + BLOCK_ROWS]


def _found(definition: Definition, values: Sequence[Value], blocks: Sequence[Sequence[Loss]]) -> Found:
    """Return a column, and what known-at took from the input that it took most from: is that nothing or everything?"""
    # Each block reads the same inputs in the same order.
    sums = [
        (sum(one.without for one in losses), sum(one.kept for one in losses)) for losses in zip(*blocks, strict=True)
    ]
    without, kept = min((found for found in sums if found[0]), key=lambda found: found[1], default=(0, 0))
    return Found(Column.of(definition.type, values), without, kept)
