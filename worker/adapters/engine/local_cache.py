"""Results of steps whose spec asks for caching, as files beside the runs: found again by key, never half written.

They lie in 256 directories by key. Each is bounded where something is added to it: what nobody took for long goes,
then what is beyond the number and the size, the longest unused first.
"""

import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.engine.executor_input import local_path

#: Bounds of each of the 256 directories; in all 1 GiB, 16,384 results.
_AGE_S = 30 * 86400.0
_BYTES = 4 * 2**20
_ENTRIES = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hit:
    """An earlier result: its outputs as they were recorded, and the step that gave them, `run/path`."""

    outputs: Mapping[str, Any]
    of: str

    @property
    def run_id(self) -> str:
        """The run that gave it; none takes its own, which would be there or not as it happens."""
        return self.of.partition("/")[0]


@dataclass(frozen=True)
class Cache:
    """What the runs in one directory share; one entry a file.

    Attributes:
        directory: made when the first entry is kept.
    """

    directory: Path

    @classmethod
    def beside(cls, output_dir: str) -> "Cache":
        """Return the cache of the runs that lie beside this run's directory."""
        return cls(Path(local_path(output_dir)).parent / ".cache")

    def find(self, key: str) -> Hit | None:
        """Return the result kept under a key, None if there is none or what it made is gone."""
        try:
            file = self._file(key)
            entry = json.loads(file.read_text(encoding="utf-8"))
            if all(Path(path).exists() for path in entry["files"]):
                file.touch()
                return Hit(entry["outputs"], entry["of"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("the cached result %s cannot be read, its step runs: %s", self._file(key), error)
        return None

    def keep(self, key: str, outputs: Mapping[str, Any], of: str) -> None:
        """Keep a result where there is none; one that cannot be written is only told, the step has succeeded."""
        if self.find(key):
            return  # what follows from the first one can be taken in later runs: it names the first one's artifacts
        uris = (local_path(one["uri"]) for many in outputs["artifacts"].values() for one in many)
        entry = {"of": of, "outputs": outputs, "files": [path for path in uris if Path(path).exists()]}
        file = self._file(key)
        fresh = file.with_suffix(f".{os.getpid()}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(entry), encoding="utf-8")
            fresh.replace(file)
            _bound(file)
        except OSError as error:
            _log.warning("the result %s cannot be kept: %s", file, error)

    def clear(self) -> int:
        """Forget all results, and return how many there were. Raises OSError."""
        count = sum(1 for _ in self.directory.glob("*/*.json"))
        if self.directory.exists():
            shutil.rmtree(self.directory)
        return count

    def _file(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"


def _bound(kept: Path) -> None:
    """Delete what is too much beside a result that was just kept."""
    found = [(file.stat().st_mtime, file.stat().st_size, file) for file in kept.parent.iterdir()]
    total, number, oldest = 0, 0, time.time() - _AGE_S
    for used, size, file in sorted(found, key=lambda one: (one[2] == kept, one), reverse=True):
        whole = file.suffix == ".json"  # the others are being written now, or were when a worker was killed
        total, number = total + size * whole, number + whole
        if file != kept and (used < oldest or (whole and (number > _ENTRIES or total > _BYTES))):
            file.unlink(missing_ok=True)
