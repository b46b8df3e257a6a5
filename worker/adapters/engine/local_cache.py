"""Results of steps whose spec asks for caching, as files beside the runs: found again by key, never half written."""

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.engine.executor_input import local_path

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Hit:
    """An earlier result: its outputs as they were recorded, and the step that gave them."""

    outputs: Mapping[str, Any]
    of: str


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
            entry = json.loads(self._file(key).read_text(encoding="utf-8"))
            if all(Path(path).exists() for path in entry["files"]):
                return Hit(entry["outputs"], entry["of"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            _log.warning("the cached result %s cannot be read, its step runs: %s", self._file(key), error)
        return None

    def keep(self, key: str, outputs: Mapping[str, Any], of: str) -> None:
        """Keep a result; one that cannot be written is only told, the step has succeeded all the same."""
        uris = (local_path(one["uri"]) for many in outputs["artifacts"].values() for one in many)
        entry = {"of": of, "outputs": outputs, "files": [path for path in uris if Path(path).exists()]}
        file = self._file(key)
        fresh = file.with_suffix(f".{os.getpid()}.tmp")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_text(json.dumps(entry), encoding="utf-8")
            fresh.replace(file)
        except OSError as error:
            _log.warning("the result %s cannot be kept: %s", file, error)

    def _file(self, key: str) -> Path:
        return self.directory / key[:2] / f"{key}.json"
