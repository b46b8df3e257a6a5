"""The model file of a bee that generates: its settings as canonical JSON, checked by the same hash as any model."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from worker.errors import Rejected
from worker.generation import GenerationSettings
from worker.steps.files import sha256_of, write_json

_FORM = "colony/generation-settings/1"


def write_settings(settings: GenerationSettings, metadata: Mapping[str, Any], path: Path) -> str:
    """Write the file and return its SHA-256; the same settings and metadata give the same bytes."""
    write_json(path, {"form": _FORM, "settings": settings.model_dump(by_alias=True), "metadata": dict(metadata)})
    return sha256_of(path)


def read_settings(path: Path, sha256: str) -> tuple[GenerationSettings, dict[str, Any]]:
    """Return settings and metadata.

    Raises:
        Rejected: the hash differs, or the file holds something else.
    """
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != sha256:
        raise Rejected(f"the file's hash is {found}, not {sha256}", field="sha256", mend="restore the file")
    try:
        content = json.loads(data)
        if content["form"] != _FORM:
            raise Rejected(f"is of the form {content['form']!r}", field="model", mend=f"give one of {_FORM}")
        return GenerationSettings.model_validate(content["settings"]), dict(content["metadata"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise Rejected(f"is not a file of settings: {error!r}", field="model", mend="run the pipeline again") from error
