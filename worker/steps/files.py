"""How steps read and write files: canonical JSON, atomic replacement, hashes, and what is told of an output."""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from worker.errors import Rejected

_GS, _GCS = "gs://", "/gcs/"


def buckets() -> Path:
    """Return the directory under which buckets are mounted: `/gcs`, as on Vertex AI, unless COLONY_BUCKETS names it."""
    return Path(os.environ.get("COLONY_BUCKETS") or _GCS)


def local_path(uri: str) -> Path:
    """Return where a URI is found on this machine: `gs://bucket/x` is mounted at `/gcs/bucket/x`."""
    for prefix in (_GS, _GCS):
        if uri.startswith(prefix):
            return buckets() / uri.removeprefix(prefix)
    if uri.startswith("file://"):
        return Path(unquote(uri.removeprefix("file://")))
    return Path(uri)


def uri_of(path: Path) -> str:
    """Return the URI of a path, the inverse of `local_path`."""
    mounted = buckets()
    return f"{_GS}{path.relative_to(mounted)}" if path.is_relative_to(mounted) else str(path)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    """Replace a file by canonical JSON, atomically and durably. Raises ValueError for NaN and infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1, sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file. Raises Rejected if it is none."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        raise Rejected(f"is not JSON: {error}", field=path.name, mend="run the pipeline again") from error
    if not isinstance(value, dict):
        raise Rejected("is not a JSON object", field=path.name, mend="run the pipeline again")
    return value


def describe(output: Path, metadata: Mapping[str, Any]) -> None:
    """Say something of an output; the engine shows it with the artifact."""
    write_json(_beside(output), dict(metadata))


def description(output: Path) -> dict[str, Any]:
    """Return what a step said of an output; empty if it said nothing."""
    path = _beside(output)
    return read_json(path) if path.exists() else {}


def _beside(output: Path) -> Path:
    return output.with_name(f"{output.name}.metadata.json")
