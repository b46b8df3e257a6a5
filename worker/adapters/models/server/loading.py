"""Find the model that Vertex AI names, and load it: from Cloud Storage, a mounted bucket, or this machine's disk."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from worker.errors import NotFound, Rejected, TryLater
from worker.models.port import Artifact, ModelFormat, Predictor

if TYPE_CHECKING:
    from worker.adapters.google_storage import GoogleStorage

SUFFIX = ".skops"
_HEXADECIMAL = frozenset("0123456789abcdef")


def load_model(environment: Mapping[str, str], format_: ModelFormat) -> Predictor:
    """Return the model that `AIP_STORAGE_URI` names: a folder with one .skops file in it, or that file.

    The SHA-256 that it must have is `COLONY_MODEL_SHA256`, as the registry's entry tells it, else the file's own name.

    Raises:
        Rejected: no or more than one model there, no hash to check it with, another hash, or not a model that we trust.
        TryLater: Cloud Storage cannot be reached, or nothing is there yet.
    """
    uri = environment.get("AIP_STORAGE_URI", "")
    if not uri:
        raise Rejected("is not set", field="AIP_STORAGE_URI", mend="set it to the folder of a model")
    if uri.startswith("gs://"):
        with tempfile.TemporaryDirectory(prefix="colony-model-") as directory:
            name, path = download_model(storage_of(environment), uri, Path(directory))
            return format_.load(path, _sha256(name, environment))
    path = _found(Path(uri.removeprefix("file://")))
    return format_.load(path, _sha256(path.name, environment))


def _sha256(name: str, environment: Mapping[str, str]) -> str:
    said = environment.get("COLONY_MODEL_SHA256") or name.removesuffix(SUFFIX)
    if len(said) != 64 or not _HEXADECIMAL.issuperset(said):
        mend = "set it to the SHA-256 that `colony models --json` tells of the version"
        raise Rejected(f"nothing says which hash {name} must have", field="COLONY_MODEL_SHA256", mend=mend)
    return said


def _found(path: Path) -> Path:
    if path.is_file():
        return path
    if not path.is_dir():
        # A bucket that is mounted beside may take a moment.
        raise TryLater(f"{path} is not there")
    names = [one.name for one in path.iterdir()]
    return path / only([name for name in names if name.endswith(SUFFIX)], str(path), names)


def load_artifact(artifact: Artifact, environment: Mapping[str, str], format_: ModelFormat) -> Predictor:
    """Load another version's file from where it is stored, its hash checked. Raises NotFound, Rejected, TryLater."""
    with tempfile.TemporaryDirectory(prefix="colony-model-") as directory:
        path = Path(directory) / "model.skops"
        storage_of(environment).download(artifact.uri, path)
        return format_.load(path, artifact.sha256)


def storage_of(environment: Mapping[str, str]) -> "GoogleStorage":
    """Return Cloud Storage as a server reaches it."""
    from worker.adapters.google_calls import Patience
    from worker.adapters.google_storage import GoogleStorage

    project = environment.get("GOOGLE_CLOUD_PROJECT") or environment.get("AIP_PROJECT_NUMBER", "")
    endpoint = environment.get("COLONY_STORAGE_ENDPOINT", "")
    return GoogleStorage(project, endpoint, Patience(attempt_s=30.0, total_s=60.0))


def download_model(storage: "GoogleStorage", uri: str, directory: Path) -> tuple[str, Path]:
    """Download the one model at or under a gs:// URI; return its name and the file. Raises Rejected, TryLater."""
    source = uri
    if not uri.endswith(SUFFIX):
        folder = uri.rstrip("/") + "/"
        names = [one.removeprefix(folder) for one in storage.list(folder)]
        source = folder + only([name for name in names if name.endswith(SUFFIX)], uri, names)
    target = directory / "model.skops"
    try:
        storage.download(source, target)
    except NotFound as error:
        raise Rejected(str(error), field="model", mend="name the folder of a model") from error
    return source.rpartition("/")[2], target


def only(found: Sequence[str], where: str, others: Sequence[str] = ()) -> str:
    """Return the one model of a folder. Raises Rejected."""
    if len(found) != 1:
        there = ", ".join(sorted(found or others)[:5]) or "nothing"
        mend = "put one .skops file there; a pickle or joblib file is not loaded, since loading it executes code"
        raise Rejected(f"{where} holds {len(found)} models in skops format; there is {there}", field="model", mend=mend)
    return found[0]
