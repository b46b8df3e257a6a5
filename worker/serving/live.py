"""The versions that are live for a bee, all loaded before the first of them answers."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from worker.errors import NotFound
from worker.models.port import ArtifactStore, Deployment, ModelFormat, ModelVersion, Predictor

log = structlog.get_logger()

#: When a version that could not be loaded is tried again, at first and at the most.
_AGAIN_S, _LONGEST_S = 1.0, 60.0


@dataclass(frozen=True)
class Model:
    """A loaded version; `trained` is feature → the version of the definition that it was trained with."""

    version: str
    predictor: Predictor
    trained: Mapping[str, int]


@dataclass(frozen=True)
class Live:
    """What serves a bee in this process.

    Attributes:
        epoch: of the newest deployment that was looked at.
        deployment: the one that is served: the newest whose champion could be loaded.
        models: version -> model, the champion among them, and shadows.
        lacking: version -> why it could not be loaded.
        again_at: when that is tried again, by the monotonic clock.
        tries: how often it was.
    """

    epoch: int
    deployment: Deployment
    models: Mapping[str, Model]
    lacking: Mapping[str, str] = field(default_factory=dict)
    again_at: float = 0.0
    tries: int = 0

    @property
    def champion(self) -> Model:
        """The champion, which is always loaded."""
        return self.models[self.deployment.version]

    def choose(self, entity: str | None) -> tuple[Model, str | None]:
        """Return who answers for an entity (the champion for none), and whose share it is if that is not loaded."""
        if entity is None or self.deployment.divided is None:
            return self.champion, None
        version = self.deployment.divided.version_for(entity)
        found = self.models.get(version)
        return (self.champion, version) if found is None else (found, None)

    @property
    def shadows(self) -> Sequence[Model]:
        """Those that are asked beside every answer."""
        divided = self.deployment.divided
        if divided is None or not divided.shadow:
            return ()
        return [self.models[version] for version in divided.shadow if version in self.models]

    @property
    def stale(self) -> str | None:
        """The version in production, if it could not be loaded and an older deployment is served."""
        return next(iter(self.lacking)) if self.epoch != self.deployment.epoch else None


Find = Callable[[Sequence[str]], Mapping[str, ModelVersion]]
Trained = Callable[[Mapping[str, Any], Mapping[str, Any]], Mapping[str, int]]


class LiveModels:
    """Keeps the loaded versions of each bee; safe to share between threads."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        format_: ModelFormat,
        trained: Trained,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load nothing yet; `trained` says, of a lineage and a file's metadata, what a version was trained with."""
        self._artifacts = artifacts
        self._format = format_
        self._trained = trained
        self._monotonic = monotonic
        self._live: dict[str, Live] = {}
        self._locks: dict[str, threading.Lock] = {}

    def of(self, deployment: Deployment, find: Find) -> Live:
        """Return what serves a deployment.

        Whoever comes first loads what it needs; those who come meanwhile are served by what was live before. A
        deployment whose champion cannot be loaded leaves what was live before in service.

        Raises:
            NotFound, Rejected, TryLater: its champion cannot be loaded, and nothing was live before.
        """
        live = self._live.get(deployment.bee)
        if live is not None and live.epoch == deployment.epoch:
            if live.lacking and self._monotonic() >= live.again_at:
                self._retry(live, deployment, find)
            return live
        lock = self._locks.setdefault(deployment.bee, threading.Lock())
        if not lock.acquire(blocking=live is None):
            assert live is not None  # noqa: S101 - only who has something to go on with does not wait
            return live
        try:
            return self._flip(deployment, find)
        finally:
            lock.release()

    def _retry(self, live: Live, deployment: Deployment, find: Find) -> None:
        """Try what failed once more, beside the answers, by one thread alone."""
        lock = self._locks[deployment.bee]
        if not lock.acquire(blocking=False):
            return

        def load() -> None:
            try:
                if self._live[deployment.bee] is live:
                    self._live[deployment.bee] = self._loaded(live, deployment, find)
            except Exception:
                log.exception("live versions could not be loaded", bee=deployment.bee)
            finally:
                lock.release()

        threading.Thread(target=load, name="colony-load", daemon=True).start()

    def _flip(self, deployment: Deployment, find: Find) -> Live:
        live = self._live.get(deployment.bee)
        if live is None or live.epoch < deployment.epoch:
            live = self._live[deployment.bee] = self._loaded(live, deployment, find)
        return live

    def _loaded(self, before: Live | None, deployment: Deployment, find: Find) -> Live:
        traffic = deployment.traffic
        wanted = list(dict.fromkeys((deployment.version, *(name for name, _ in traffic.split), *traffic.shadow)))
        there = {} if before is None else {name: one for name, one in before.models.items() if name in wanted}
        found = find([name for name in wanted if name not in there])
        lacking: dict[str, str] = {}
        for name in wanted:
            if name in there:
                continue
            try:
                there[name] = self._load(deployment.bee, name, found.get(name))
            except Exception as error:
                if name == deployment.version and before is None:
                    raise
                lacking[name] = f"{type(error).__name__}: {error}"[:500]
                log.warning("a live version cannot be loaded", bee=deployment.bee, version=name, why=lacking[name])
        return self._with(before, Live(deployment.epoch, deployment, there, lacking))

    def _with(self, before: Live | None, new: Live) -> Live:
        """Say when to try again what is lacking; without its champion a deployment does not begin."""
        if not new.lacking:
            return new
        tries = before.tries + 1 if before is not None and before.epoch == new.epoch else 1
        again_at = self._monotonic() + min(_AGAIN_S * 2 ** min(tries - 1, 10), _LONGEST_S)
        if new.deployment.version in new.lacking and before is not None:
            only = {new.deployment.version: new.lacking[new.deployment.version]}
            return replace(before, epoch=new.epoch, lacking=only, again_at=again_at, tries=tries)
        return replace(new, again_at=again_at, tries=tries)

    def _load(self, bee: str, name: str, version: ModelVersion | None) -> Model:
        if version is None:
            raise NotFound(f"version {name} of {bee} is not registered")
        predictor = self._format.load(self._artifacts.fetch(version.artifact), version.artifact.sha256)
        _warm(predictor)
        return Model(name, predictor, self._trained(version.lineage, predictor.metadata))


def _warm(predictor: Predictor) -> None:
    """Let a model score a row of nothing, so that the first who asks it does not wait for what it looks up once."""
    names = predictor.metadata.get("features") or ()
    # One that knows no missing values cannot, and needs not.
    with suppress(Exception):
        predictor.predict({name: [None] for name in names})
