"""Versions that are asked beside the answer: scored in the background, on the values that the answer was made of."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from worker.bee import BeeSpec
from worker.features.port import Value
from worker.serving.live import Model
from worker.serving.losses import Losses
from worker.serving.port import Told
from worker.serving.served import Answer, Served


class Entry(NamedTuple):
    """One prediction that was served and is to be logged: a tuple, since one is made while somebody waits."""

    bee: BeeSpec
    entity: str
    time: datetime
    served: Served
    features: Mapping[str, Value]
    shadows: Sequence[Model] = ()


class Shadows:
    """Asks shadows; what they cannot answer is counted and told, and concerns nobody else."""

    def __init__(self, told: Told) -> None:
        """`told` counts."""
        self._told = told
        self._losses = Losses("a shadow could not answer")

    def ask(self, entries: Sequence[Entry]) -> None:
        """Put the shadows' answers beside those that were given."""
        groups: defaultdict[tuple[str, str], list[tuple[Model, Entry]]] = defaultdict(list)
        for entry in entries:
            for model in entry.shadows:
                groups[entry.bee.bee, model.version].append((model, entry))
        for (bee, version), asked in groups.items():
            self._ask(bee, version, asked[0][0], [entry for _, entry in asked])

    def _ask(self, bee: str, version: str, model: Model, entries: Sequence[Entry]) -> None:
        try:
            answers = _answers(model, entries)
        except Exception:  # noqa: BLE001 - one row may be to blame: each is asked alone
            answers = [self._alone(bee, version, model, entry) for entry in entries]
        failed = 0
        for entry, answer in zip(entries, answers, strict=True):
            if answer is None:
                failed += 1
            else:
                entry.served.answers[version] = answer
        if failed < len(entries):
            self._told.shadowed(bee, version, len(entries) - failed, failed=False)
        if failed:
            self._told.shadowed(bee, version, failed, failed=True)

    def _alone(self, bee: str, version: str, model: Model, entry: Entry) -> Answer | None:
        try:
            return _answers(model, [entry])[0]
        except Exception as error:  # noqa: BLE001 - whatever a shadow does, the answer has been given
            self._losses.add(1, f"{type(error).__name__}: {error}"[:500], bee=bee, version=version)
            return None


def _answers(model: Model, entries: Sequence[Entry]) -> list[Answer | None]:
    names: tuple[Any, ...] = entries[0].bee.features
    columns = {name: [entry.features.get(name) for entry in entries] for name in names}
    found = model.predictor.predict(columns)
    if len(found) != len(entries):
        raise ValueError(f"{len(found)} answers to {len(entries)} questions")
    return [Answer(one.prediction, one.score) for one in found]
