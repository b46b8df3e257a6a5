"""Which version is in production while a recording goes by: from the ledger's history, or from the recording itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from worker.decide.evaluation import Evaluation, Metrics
from worker.decide.quick import QuickEvaluation
from worker.models.port import Deployment, ModelVersion


@dataclass(frozen=True)
class Standing:
    """What is known of an evaluated version: registered or not, its recorded metrics, and who is in production."""

    known: bool
    champion: str | None
    recorded: Metrics = field(default_factory=dict)


class Versions(Protocol):
    """Follows production through a recording."""

    def named(self, bee: str, version: str) -> None:
        """Take note that an event names a version, whatever else is wrong with it."""
        ...

    def standing(self, evaluation: Evaluation) -> Standing:
        """Return what is known when an evaluation came for the first time."""
        ...


class KnownVersions:
    """The ledger's versions, each in production from when it is first named, in the order of their deployment."""

    def __init__(self, versions: Sequence[ModelVersion], deployments: Sequence[Deployment]) -> None:
        """Take the ledger's history."""
        self._metrics = {(one.bee, one.version): _exact(one.metrics) for one in versions}
        self._order: dict[str, list[str]] = {}
        for deployment in deployments:
            self._order.setdefault(deployment.bee, []).append(deployment.version)
        self._position: dict[str, int] = {}
        self._standing: dict[tuple[str, str], Standing] = {}

    def named(self, bee: str, version: str) -> None:
        """Move production on to a later version of the history."""
        if (bee, version) in self._standing or (bee, version) not in self._metrics:
            return
        order = self._order.get(bee, [])
        position = order.index(version) if version in order else -1
        if position > self._position.get(bee, -1):
            self._position[bee] = position
            self._standing = {key: value for key, value in self._standing.items() if key[0] != bee}

    def standing(self, evaluation: Evaluation) -> Standing:
        """Return what the ledger knows of the evaluated version, and the champion of this moment."""
        bee, key = evaluation.bee, (evaluation.bee, evaluation.version)
        found = self._standing.get(key)
        if found is None:
            order, position = self._order.get(bee, []), self._position.get(bee, -1)
            champion = order[position] if position >= 0 else None
            found = Standing(key in self._metrics, champion, self._metrics.get(key, {}))
            if found.known:
                self._standing[key] = found
        return found


class TrustedVersions:
    """The recording's own versions: the first is in production, a newer one from its first appearance on.

    Newer is what first appears with a time not before the champion's earliest: a straggler of an older version that
    comes late does not take production back.
    """

    def __init__(self) -> None:
        """Nothing is known before the first event."""
        self._champion: dict[str, str] = {}
        self._began: dict[tuple[str, str], datetime] = {}
        self._standing: dict[tuple[str, str], Standing] = {}

    def named(self, bee: str, version: str) -> None:
        """An event counts only once it has proved well-formed."""

    def standing(self, evaluation: Evaluation) -> Standing:
        """Take the evaluation's version into the history, and return it with the baseline that it had first."""
        bee, version, at = evaluation.bee, evaluation.version, evaluation.evaluated_at
        key, champion = (bee, version), self._champion.get(bee)
        # Only the first baselines count, so that most events' digits need not be read.
        told = evaluation.baselines if isinstance(evaluation, QuickEvaluation) else evaluation.baseline
        found = self._standing.get(key)
        if found is None or at < self._began[key]:
            if found is None and (champion is None or at >= self._began[bee, champion]):
                self._champion[bee] = champion = version
            self._began[key] = at
        recorded: Metrics = {} if found is None else found.recorded
        if not told.keys() <= recorded.keys():
            exact = {name: value for name, value in evaluation.baseline.items() if value is not None}
            recorded = {**exact, **recorded}
        if found is None or found.champion != champion or found.recorded is not recorded:
            found = self._standing[key] = Standing(known=True, champion=champion, recorded=recorded)
        return found


def _exact(metrics: Mapping[str, float | None]) -> Metrics:
    return {name: None if value is None else Decimal(str(value)) for name, value in metrics.items()}
