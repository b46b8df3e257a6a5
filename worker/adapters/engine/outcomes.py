"""Reads the outcome that a run left: from a directory here, or from gs://bucket/prefix."""

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from worker.adapters.options import Options
from worker.errors import Rejected, TryLater

FILE = "outcome.json"
MAX_BYTES = 16_777_216


class OutcomeFiles:
    """Implements `worker.runs.settle.Outcomes`."""

    def __init__(self, project: str = "", endpoint: str = "") -> None:
        """Remember how buckets are reached; the client is made at the first one (its import takes a second).

        Args:
            project: the Google project.
            endpoint: `http://host:port` of a stand-in for Cloud Storage.
        """
        self._project = project
        self._endpoint = endpoint

    def read(self, output_dir: str) -> Mapping[str, Any] | None:
        """Return `outcome.json`, None if there is none. Raises Rejected if it is broken, TryLater if unreachable."""
        uri = f"{output_dir.rstrip('/')}/{FILE}"
        content = self._from_bucket(uri) if uri.startswith("gs://") else _from_file(Path(uri))
        if content is None:
            return None
        if len(content) > MAX_BYTES:
            raise Rejected(f"larger than {MAX_BYTES:,} bytes", field=uri, mend="look at the run's artifacts")
        try:
            value = json.loads(content)
        except ValueError as error:
            raise Rejected(f"not JSON: {error}", field=uri, mend="look at the run's steps") from error
        if not isinstance(value, dict):
            raise Rejected("not an object", field=uri, mend="look at the run's steps")
        return value

    def _from_bucket(self, uri: str) -> bytes | None:
        try:
            content: bytes | None = self._storage.read(uri, limit=MAX_BYTES + 1)
        except Rejected as error:
            # A right that is missing is no fault of the outcome: the run is settled once it has been granted.
            raise TryLater(str(error)) from error
        return content

    @cached_property
    def _storage(self) -> Any:
        from worker.adapters.google_storage import GoogleStorage

        return GoogleStorage(self._project, self._endpoint)


def from_options(options: Options) -> OutcomeFiles:
    """Return the reader of the settings."""
    return OutcomeFiles(options.values["project"], options.values["storage_endpoint"])


def _from_file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TryLater(f"{path} cannot be read: {error}") from error
