"""The directory of segment files: maps them when they are asked for, and keeps the maps of those used last."""

import threading
from collections import OrderedDict
from pathlib import Path

from worker.adapters.features.embedded.segments.format import File

#: Maps kept open; each holds a file descriptor.
_KEPT = 256


class Gone(Exception):
    """A file that this transaction lists was merged away by now; a new transaction lists what took its place."""


class Archive:
    """The files of one store; safe to share between threads."""

    def __init__(self, directory: Path) -> None:
        """Take the directory; it is made when the first file is written."""
        self.directory = directory
        self._lock = threading.Lock()
        self._open: OrderedDict[str, File] = OrderedDict()

    def path(self, name: str) -> Path:
        """Return where a file lies."""
        return self.directory / name

    def file(self, name: str) -> File:
        """Return a mapped file.

        Raises:
            Gone: it is not there.
            Damaged: it is not what was written.
        """
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                self._open.move_to_end(name)
                return found
        try:
            mapped = File(self.path(name))
        except FileNotFoundError as error:
            raise Gone(name) from error
        with self._lock:
            self._open[name] = mapped
            while len(self._open) > _KEPT:
                self._open.popitem(last=False)
        return mapped

    def unlink(self, names: list[str]) -> None:
        """Remove files that are no longer listed; whoever has them mapped reads on."""
        with self._lock:
            for name in names:
                self._open.pop(name, None)
        for name in names:
            self.path(name).unlink(missing_ok=True)

    def forget_maps(self) -> None:
        """Let go of all maps."""
        with self._lock:
            self._open.clear()
