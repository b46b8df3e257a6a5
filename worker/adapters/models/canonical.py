"""Makes a skops file reproducible: the same estimator and metadata give the same bytes, in any process."""

import io
import json
from collections.abc import Mapping
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

#: Where our metadata lies inside the file, so that one hash covers both.
METADATA = "colony.json"
SCHEMA = "schema.json"
#: Attributes that hold a memory address; scikit-learn compares it and, when it differs, works it out again.
_ADDRESSES = frozenset({"_stop_words_id"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


def canonical(data: bytes, metadata: Mapping[str, Any]) -> bytes:
    """Return the skops file rewritten: memory addresses, times and order of entries no longer depend on the process.

    Args:
        data: a skops file.
        metadata: JSON values to keep in it. Raises ValueError for NaN and infinity.
    """
    with ZipFile(io.BytesIO(data)) as source:
        files: dict[str, str] = {}
        schema = _renamed(json.loads(source.read(SCHEMA)), {}, files)
        entries = {METADATA: _json(metadata), SCHEMA: _json(schema)}
        entries |= {new: source.read(old) for old, new in files.items()}
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression=ZIP_STORED) as target:
        for name, content in entries.items():
            target.writestr(ZipInfo(name, date_time=_EPOCH), content)
    return buffer.getvalue()


def metadata_of(data: bytes) -> dict[str, Any] | None:
    """Return the metadata kept in a file, or None if it has none. Raises BadZipFile, ValueError, TypeError."""
    with ZipFile(io.BytesIO(data)) as source:
        if METADATA not in source.namelist():
            return None
        found = json.loads(source.read(METADATA))
    if not isinstance(found, dict):
        raise TypeError(f"{METADATA} is not an object")
    return found


def _renamed(node: Any, ids: dict[int, int], files: dict[str, str]) -> Any:
    """Number objects and files in the order of their first use; immutable leaves need no identity."""
    if isinstance(node, list):
        return [_renamed(item, ids, files) for item in node]
    if not isinstance(node, dict):
        return node
    loader = node.get("__loader__")
    renamed: dict[str, Any] = {}
    for key, value in node.items():
        if key == "__id__" and loader is not None:
            if loader != "JsonNode":
                renamed[key] = ids.setdefault(value, len(ids) + 1)
        elif key == "file" and loader is not None and isinstance(value, str):
            suffix = value.rpartition(".")[2]
            renamed[key] = files.setdefault(value, f"{len(files) + 1:06d}.{suffix}")
        else:
            renamed[key] = _renamed(value, ids, files)
            if key in _ADDRESSES and isinstance(value, dict) and value.get("__loader__") == "JsonNode":
                renamed[key]["content"] = "0"
    return renamed


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
