"""Reads the outcome that a run left: from a directory here, or from gs://bucket/prefix."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.errors import Rejected, TryLater

FILE = "outcome.json"
MAX_BYTES = 16_777_216


class OutcomeFiles:
    """Implements `worker.runs.settle.Outcomes`."""

    def read(self, output_dir: str) -> Mapping[str, Any] | None:
        """Return `outcome.json`, None if there is none. Raises Rejected if it is broken, TryLater if unreachable."""
        uri = f"{output_dir.rstrip('/')}/{FILE}"
        content = _from_bucket(uri) if uri.startswith("gs://") else _from_file(Path(uri))
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


def _from_file(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TryLater(f"{path} cannot be read: {error}") from error


def _from_bucket(uri: str) -> bytes | None:
    from google.api_core.exceptions import GoogleAPICallError, NotFound
    from google.auth.exceptions import GoogleAuthError
    from google.cloud import storage  # type: ignore[attr-defined, unused-ignore]

    bucket, _, name = uri.removeprefix("gs://").partition("/")
    try:
        content: bytes = storage.Client().bucket(bucket).blob(name).download_as_bytes(end=MAX_BYTES, timeout=30)
    except NotFound:
        return None
    except (GoogleAPICallError, GoogleAuthError, OSError) as error:
        raise TryLater(f"{uri} cannot be read: {error}") from error
    return content
