"""Models as skops files: loading executes no code of theirs, makes only types on a fixed list, and checks the hash."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from worker.adapters.models.canonical import canonical, metadata_of
from worker.adapters.models.predictor import SkopsPredictor
from worker.errors import Rejected

#: What our estimators hold beyond the types that skops trusts by itself; all are plain data.
ALLOWED = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
_MALFORMED = (BadZipFile, KeyError, ValueError, TypeError, AttributeError, IndexError, ImportError, RecursionError)


class SkopsFormat:
    """Writes and reads fitted scikit-learn estimators with their metadata in one file."""

    def dump(self, estimator: Any, metadata: Mapping[str, Any], path: Path) -> str:
        """Write the model; the same estimator and metadata give the same bytes. Returns the SHA-256.

        Raises:
            Rejected: not an estimator, or one that holds a type that would not be loaded again.
        """
        import skops.io

        data = canonical(skops.io.dumps(estimator), metadata)
        _read(data)
        return _replace(path, data)

    def load(self, path: Path, sha256: str) -> SkopsPredictor:
        """Check the hash and load.

        Raises:
            Rejected: the hash differs, or the content is not a model that we trust, or has no metadata.
        """
        data = path.read_bytes()
        found = hashlib.sha256(data).hexdigest()
        if found != sha256:
            raise Rejected(f"the file's hash is {found}, not {sha256}", field="sha256", mend="restore the file")
        estimator, metadata = _read(data)
        if metadata is None:
            mend = "bring it in with: colony models adopt"
            raise Rejected("the file says nothing of its features", field="metadata", mend=mend)
        return SkopsPredictor(estimator, metadata)

    def adopt(self, source: Path, metadata: Mapping[str, Any], path: Path) -> str:
        """Write a skops file that was made elsewhere, with metadata, in our form. Returns the SHA-256.

        Args:
            source: a skops file of a scikit-learn estimator that takes its features as columns in order.
            metadata: at least `features` and `task`; `kinds` (all numbers if not given), `label`, `positive`,
                `trainedUntil`. What the file already says of itself stays, but for `trainedUntil`.
            path: where to write.

        Raises:
            Rejected: not a model that we trust, or metadata is missing.
        """
        data = source.read_bytes()
        _, own = _read(data)
        merged = {**metadata, **(own or {})}
        if metadata.get("trainedUntil"):
            merged["trainedUntil"] = metadata["trainedUntil"]
        for name in ("features", "task"):
            if not merged.get(name):
                raise Rejected("is missing", field=f"metadata.{name}", mend="give it when adopting")
        merged.setdefault("kinds", dict.fromkeys(merged["features"], "number"))
        return _replace(path, canonical(data, merged))


def _read(data: bytes) -> tuple[Any, dict[str, Any] | None]:
    import skops.io

    _refuse_untrusted(data)
    try:
        estimator, metadata = skops.io.loads(data, trusted=list(ALLOWED)), metadata_of(data)
    except _MALFORMED as error:
        raise _not_a_model(error) from error
    if not hasattr(estimator, "predict"):
        mend = "give a file written by skops.io.dump from a fitted estimator"
        raise Rejected(f"{type(estimator).__name__} is not an estimator", field="model", mend=mend)
    return estimator, metadata


def _refuse_untrusted(data: bytes) -> None:
    import skops.io

    try:
        untrusted = set(skops.io.get_untrusted_types(data=data)) - set(ALLOWED)
    except _MALFORMED as error:
        raise _not_a_model(error) from error
    if untrusted:
        mend = "use estimators of scikit-learn itself"
        raise Rejected(f"holds types that are not trusted: {', '.join(sorted(untrusted))}", field="model", mend=mend)


def _not_a_model(error: Exception) -> Rejected:
    mend = "give a file written by skops.io.dump"
    return Rejected(f"is not a model in skops format ({type(error).__name__}: {error})", field="model", mend=mend)


def _replace(path: Path, data: bytes) -> str:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return hashlib.sha256(data).hexdigest()
