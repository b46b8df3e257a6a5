"""Reads the policy anew when its file changes: a faulty one changes nothing, and says so until it is mended."""

from collections.abc import Callable
from pathlib import Path

import structlog

from worker.app.configuration import Configuration
from worker.errors import Rejected
from worker.loops import Loop

log = structlog.get_logger()

EVERY_S = 1.0


class PolicyWatch(Loop):
    """A loop of its own, since it is to look as often while something is wrong.

    A faulty file does not make the process unready: it goes on by the policy that it has.
    """

    vital = False

    def __init__(self, configuration: Configuration, failed: Callable[[str], None] = lambda _: None) -> None:
        """Watch the files that the policy in force was read from, or would be."""
        super().__init__("policy", self.look, idle_s=EVERY_S, failed=failed)
        self._configuration = configuration
        self._seen = self._stamp()

    def run(self) -> None:
        """Look once a second until stopped."""
        while not self._stopped.wait(self._idle_s):
            self.look()

    def look(self) -> int:
        """Take a changed policy over; return 1 if there was one."""
        stamp = self._stamp()
        if stamp == self._seen:
            return 0
        self._seen = stamp
        before = self._configuration.policy.version
        try:
            after = self._configuration.reload_policy().version
        except Rejected as error:
            self.fault = f"the policy {before} stays in force, the new one is faulty: {error}"
            log.warning("policy refused", reason=str(error), kept=before)
            self._tell(self.name)
            return 0
        self.fault = None
        log.info("policy taken over", version=after, before=before)
        return 1

    def _stamp(self) -> list[tuple[str, int, int, int]]:
        """Return what changes when one of the files is written, replaced, made or removed."""
        return [_stamp(directory / "policy.yaml") for directory in self._configuration.directories]


def _stamp(path: Path) -> tuple[str, int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0, 0
    return str(path), found.st_mtime_ns, found.st_size, found.st_ino
