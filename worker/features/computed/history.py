"""A history in which computed features are found like stored ones: what training and batch reads look through."""

from collections.abc import Mapping, Sequence
from typing import Any

from worker.features.columns import Column
from worker.features.computed.evaluate import Evaluation
from worker.features.computed.source import HistorySource
from worker.features.computed.windows import Spine
from worker.features.join import Ints, Log, Rows
from worker.features.port import Definition
from worker.features.training import Found, History


class ComputingHistory:
    """Implements worker.features.training.History on top of another one.

    Args:
        history: the stored values.
        definitions: every feature that a computed one needs, in the versions that count.
    """

    def __init__(self, history: History, definitions: Mapping[str, Definition]) -> None:
        self._history = history
        self._definitions = definitions
        self._evaluations: dict[tuple[str, bool], tuple[Rows, Evaluation]] = {}

    def codes(self, entity: str, ids: Any) -> Ints:
        """Return the code of each id, -1 where the store has never seen it."""
        return self._history.codes(entity, ids)

    def find(self, definition: Definition, rows: Rows, *, respect_known_at: bool) -> Found:
        """Return the feature's value of each row, stored or computed."""
        if definition.source != "computed":
            return self._history.find(definition, rows, respect_known_at=respect_known_at)
        evaluation = self._evaluation(definition.entity, rows, respect_known_at=respect_known_at)
        column = Column.of(definition.type, evaluation.compute(definition.name).cells.listed())
        # The input of which known-at left the least tells whether it left nothing.
        losses = [loss for loss in evaluation.losses_of(definition.name) if loss.without]
        worst = min(losses, key=lambda loss: loss.kept, default=None)
        return Found(column, worst.without if worst else 0, worst.kept if worst else 0)

    def _evaluation(self, entity: str, rows: Rows, *, respect_known_at: bool) -> Evaluation:
        """Return the evaluation of these rows, the same for all features of the entity: they share their inputs."""
        key = (entity, respect_known_at)
        held = self._evaluations.get(key)
        if held is None or held[0] is not rows:
            spine = Spine(rows.codes, rows.times)
            source = HistorySource(self._history, spine, respect_known_at=respect_known_at)
            evaluation = Evaluation(self._definitions, source, spine, respect_known_at=respect_known_at)
            held = self._evaluations[key] = (rows, evaluation)
        return held[1]

    def log(self, definition: Definition, codes: Ints, *, since_us: int | None, until_us: int) -> Log:
        """Return the values of a stored feature with event time in [since, until]."""
        return self._history.log(definition, codes, since_us=since_us, until_us=until_us)

    def window(self, definition: Definition, start_us: int, end_us: int) -> tuple[Log, Sequence[str]]:
        """Return all values of a stored feature with event time in [start, end), and the entity id of each."""
        return self._history.window(definition, start_us, end_us)
