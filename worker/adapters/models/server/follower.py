"""Keep a server's fleet as it is told: look at one small object every few seconds, load what is new, then switch."""

import threading
from collections.abc import Callable

import structlog

from worker.adapters.models.server.fleet import Fleet
from worker.errors import ColonyError
from worker.models.live import Live, decoded
from worker.models.port import Artifact, Predictor

log = structlog.get_logger()


class Follower:
    """Follows what is told.

    Args:
        fleet: what serves so far.
        read: returns what is told, None if nothing; raises Rejected, TryLater.
        load: loads a version's file, its hash checked; raises Rejected, TryLater.
        switch: called with each new fleet.
    """

    def __init__(
        self,
        fleet: Fleet,
        read: Callable[[], bytes | None],
        load: Callable[[Artifact], Predictor],
        switch: Callable[[Fleet], None],
    ) -> None:
        self._fleet = fleet
        self._read = read
        self._load = load
        self._switch = switch
        self._seen: bytes | None = None
        self._said = ""

    def look(self) -> None:
        """Look once; whatever goes wrong is said, and what serves goes on as it was."""
        try:
            told = self._read()
            if told is None or told == self._seen:
                return
            whole = self._follow(decoded(told))
        except ColonyError as error:
            self._say("cannot learn what is live; it serves as before", str(error))
            return
        if whole:
            self._seen, self._said = told, ""

    def run(self, every_s: float, stop: threading.Event) -> None:
        """Look until stopped."""
        while not stop.wait(every_s):
            try:
                self.look()
            except Exception as error:
                log.exception("cannot learn what is live", reason=str(error))

    def _follow(self, live: Live) -> bool:
        """Switch to what is live as far as it can be loaded; return whether all of it could."""
        models, lacking = {}, {}
        for version, artifact in live.artifacts.items():
            try:
                models[version] = self._model(version, artifact)
            except ColonyError as error:
                lacking[version] = str(error)
        if live.champion not in models:
            self._say(f"version {live.champion} cannot be loaded; it serves as before", lacking[live.champion])
            return False
        if (self._fleet.live, self._fleet.models.keys()) != (live, models.keys()):
            self._fleet = Fleet(self._fleet.own, live, models)
            self._switch(self._fleet)
            log.info("traffic", epoch=live.epoch, split=dict(live.traffic.split), champion=live.champion)
        for version, reason in lacking.items():
            self._say(f"version {version} cannot be loaded; the champion serves its share", reason)
        return not lacking

    def _model(self, version: str, artifact: Artifact) -> Predictor:
        name, own = self._fleet.own
        if version == name:
            return own
        live = self._fleet.live
        if live and live.artifacts.get(version) == artifact and version in self._fleet.models:
            return self._fleet.models[version]
        return self._load(artifact)

    def _say(self, what: str, reason: str) -> None:
        """Log a fault once, not with every look."""
        if self._said != f"{what}: {reason}":
            log.warning(what, reason=reason)
        self._said = f"{what}: {reason}"
