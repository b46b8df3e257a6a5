"""Where the policies of a backtest live: directories and apps of their own, below the data directory."""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from worker.bee import BeeSpec
from worker.cli.follow import Running
from worker.clock import VirtualClock
from worker.errors import Conflict
from worker.features.maintenance import Maintained
from worker.models.port import ModelFormat, Predictor

if TYPE_CHECKING:
    from worker.app import App

_FOLDER = "backtest"
_POLL_S = 0.05


@contextmanager
def place_of(app: "App", bee: str) -> Iterator[Path]:
    """Give a new directory for a backtest of a bee, with a copy of the embedded feature store in it.

    What an earlier one left there is gone; what this one leaves can be looked at with the ordinary commands.

    Raises:
        Conflict: another backtest of the bee is at work.
    """
    root = app.settings.home.absolute() / _FOLDER
    root.mkdir(parents=True, exist_ok=True)
    with (root / f".{bee}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Conflict(f"another backtest of {bee} is at work; wait for its end") from error
        place = root / bee
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        care = getattr(app.features, "care", None)
        if isinstance(care, Maintained):
            # Training reads keep snapshots: the user's store must not grow by what never happened.
            care.backup(place / "features")
        yield place


@contextmanager
def arm_in(place: Path, name: str, app: "App", bee: BeeSpec, clock: VirtualClock, runs: int = 1) -> Iterator["App"]:
    """Give an app of its own for a policy, its loops turning; all is local but a feature store that is elsewhere.

    Args:
        place: the backtest's directory.
        name: of the policy.
        app: the real one.
        bee: whose history it is.
        clock: the policy's.
        runs: so many are under way at once; the more, the more seldom each is looked at.
    """
    from worker.app import App

    home = place / name
    home.mkdir()
    if (place / "features").exists():
        (home / "features").symlink_to(Path("..") / "features")
    local = dict.fromkeys(("bus", "engine", "models", "metrics"), "local")
    own = {"features": app.settings.backend("features", "google"), "ledger": SecretStr(""), "webhook": SecretStr("")}
    changed = {"home": home, "pipeline_bucket": "", "poll_seconds": _POLL_S * max(runs, 1), **local, **own}
    arm = App(app.settings.model_copy(update=changed), clock)
    try:
        # To observe only is no policy whose worth could be seen.
        arm.configuration.bees = {**app.bees, bee.bee: bee.model_copy(update={"mode": "act"})}
        arm.model_format = _Remembering(arm.model_format)
        with Running(arm):
            yield arm
    finally:
        arm.close()


class _Remembering:
    """A model format that loads each file once: the same version is asked in every period."""

    def __init__(self, format_: ModelFormat) -> None:
        self._format = format_
        self._loaded: dict[str, Predictor] = {}
        self.dump, self.adopt = format_.dump, format_.adopt

    def load(self, path: Path, sha256: str) -> Predictor:
        """Return the predictor. Raises Rejected."""
        if sha256 not in self._loaded:
            self._loaded[sha256] = self._format.load(path, sha256)
        return self._loaded[sha256]
