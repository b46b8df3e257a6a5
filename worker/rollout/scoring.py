"""Two versions' answers on the rows of a rollout: a process reads and scores each once, however often it looks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from worker.bee import BeeSpec
from worker.errors import Rejected
from worker.features.observed import Observed
from worker.features.port import FeatureStore, Reader, TrainingRequest
from worker.features.spine import Spine
from worker.models.port import ArtifactStore, ModelFormat, ModelVersion, Predictor, Scored
from worker.monitor.rows import Rows
from worker.serving.logged import Logged

#: So many rows are scored at once, so that many more do not take more memory.
_AT_ONCE = 20_000
Row = tuple[str, int]
Answers = tuple[Scored, Scored]


@dataclass(frozen=True)
class Pair:
    """Whose answers are compared: what a bee's champion and its challenger say of rows since a time."""

    bee: BeeSpec
    champion: ModelVersion
    challenger: ModelVersion
    since: datetime

    @property
    def key(self) -> tuple[Any, ...]:
        """What makes it another pair; a version's state may change, its model never does."""
        versions = ((one.version, one.artifact.sha256) for one in (self.champion, self.challenger))
        return self.bee, *versions, self.since


@dataclass
class Scorer:
    """Scores a pair's rows, and keeps what it scored.

    What both versions said when a row was served counts, where both were asked then and it was logged; else both are
    asked now, with the features that were known at the row's time.
    """

    pair: Pair
    features: FeatureStore
    predictors: tuple[Predictor, Predictor]
    _answers: dict[Row, Answers] = field(default_factory=dict, init=False)

    @classmethod
    def load(cls, pair: Pair, features: FeatureStore, artifacts: ArtifactStore, format_: ModelFormat) -> "Scorer":
        """Load both models. Raises NotFound or Rejected: a file is gone, or is not what was registered."""

        def loaded(version: ModelVersion) -> Predictor:
            return format_.load(artifacts.fetch(version.artifact), version.artifact.sha256)

        return cls(pair, features, (loaded(pair.champion), loaded(pair.challenger)))

    def answers(self, rows: Observed, as_of: datetime) -> list[Answers]:
        """Return champion's and challenger's answer to each row; what was logged later is not there.

        Raises:
            Rejected, TryLater: the rows cannot be read.
        """
        keys: list[Row] = list(zip(rows.ids, rows.times_us.tolist(), strict=True))
        new = [key for key in keys if key not in self._answers]
        for first in range(0, len(new), _AT_ONCE):
            self._add(new[first : first + _AT_ONCE], as_of)
        return [self._answers[key] for key in keys]

    def forget(self) -> None:
        """Read and score everything anew."""
        self._answers.clear()

    def _add(self, keys: Sequence[Row], as_of: datetime) -> None:
        said = self._logged(keys, as_of)
        asked = [key for key, both in zip(keys, said, strict=True) if both is None]
        self._answers.update((key, both) for key, both in zip(keys, said, strict=True) if both is not None)
        if asked:
            self._answers.update(zip(asked, self._asked(asked), strict=True))

    def _logged(self, keys: Sequence[Row], as_of: datetime) -> list[Answers | None]:
        log, spine, since = Logged(self.features, self.pair.bee), _spine(keys), self.pair.since
        challenger = log.answers(spine, self.pair.challenger.version, as_of, since=since)
        if not any(challenger):
            return [None] * len(keys)
        champion = log.answers(spine, self.pair.champion.version, as_of, since=since)
        both = zip(champion, challenger, strict=True)
        return [None if ours is None or theirs is None else (ours, theirs) for ours, theirs in both]

    def _asked(self, keys: Sequence[Row]) -> list[Answers]:
        bee = self.pair.bee
        request = TrainingRequest(
            bee.entity, bee.features, bee.entities, spine=_spine(keys), respect_known_at=bee.respect_known_at
        )
        table = self.features.values_at(request, reader=Reader(f"rollout:{bee.bee}", "batch"))
        columns, pair = Rows.of(table).lists(bee.features), self.pair
        versions = zip((pair.champion, pair.challenger), self.predictors, strict=True)
        champion, challenger = (_predicted(version, predictor, columns) for version, predictor in versions)
        return list(zip(champion, challenger, strict=True))


def _predicted(version: ModelVersion, predictor: Predictor, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
    """Return a version's answers. Raises Rejected, whatever is wrong with it: the other bees' rollouts go on."""
    try:
        return predictor.predict(columns)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        reason = f"version {version.version} of {version.bee} cannot answer: {type(error).__name__}: {error}"
        raise Rejected(reason, field="version", mend="roll it back, and look at what it was trained with") from error


def _spine(keys: Sequence[Row]) -> Spine:
    return Spine.of([entity for entity, _ in keys], np.array([time for _, time in keys], dtype=np.int64))


@dataclass
class Scorers:
    """The scorers of a process: of each bee the one of its newest pair.

    Attributes:
        features: asked for when it is needed.
    """

    features: Callable[[], FeatureStore]
    artifacts: ArtifactStore
    format: ModelFormat
    _held: dict[str, Scorer] = field(default_factory=dict, init=False)

    def of(self, pair: Pair) -> Scorer:
        """Return a pair's scorer, with what it has scored already. Raises NotFound, Rejected, TryLater."""
        held = self._held.get(pair.bee.bee)
        if held is None or held.pair.key != pair.key:
            held = self._held[pair.bee.bee] = Scorer.load(pair, self.features(), self.artifacts, self.format)
        return held

    def drop(self, bee: str) -> None:
        """Forget a bee whose rollout is over."""
        self._held.pop(bee, None)
