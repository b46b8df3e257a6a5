"""Model files in a directory of this machine, each under its SHA-256; written once, never changed."""

import errno
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.adapters.options import Options
from worker.errors import NotFound, Rejected, TryLater
from worker.models.port import Artifact

_TRANSIENT = {
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EMFILE,
    errno.ENFILE,
}  # fmt: skip


class LocalArtifacts:
    """Content-addressed files; many processes may store and fetch at once.

    Args:
        directory: where they lie; made at the first `put`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory.absolute()

    def put(self, path: Path) -> Artifact:
        """Store a file under its hash, atomically; the same content again is the same artifact.

        Raises:
            TryLater: the disk is full or the directory not writable.
        """
        with _transient(self._directory):
            sha256 = _hash(path)
            target = self._target(sha256)
            if not target.exists() or _hash(target) != sha256:
                self._copy(path, target)
        return Artifact(uri=target.as_uri(), sha256=sha256)

    def fetch(self, artifact: Artifact) -> Path:
        """Return the artifact's path, its hash checked.

        Raises:
            NotFound: it is not stored here.
            Rejected: its content is not what was stored.
        """
        target = self._target(artifact.sha256)
        if not target.exists():
            raise NotFound(f"no artifact {artifact.sha256} in {self._directory}")
        with _transient(self._directory):
            found = _hash(target)
        if found != artifact.sha256:
            mend = "restore the file from a backup, or roll back to another version"
            raise Rejected(f"{target} has the hash {found}, not {artifact.sha256}", field="artifact.sha256", mend=mend)
        return target

    def verify(self) -> None:
        """Store and fetch a small file. Raises TryLater with the mend."""
        with _transient(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._directory, prefix=".verify-") as file:
                file.write(b"verify")
                file.flush()
                os.fsync(file.fileno())

    def _target(self, sha256: str) -> Path:
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise Rejected(f"{sha256!r} is not a SHA-256", field="artifact.sha256", mend="give 64 hexadecimal digits")
        return self._directory / sha256[:2] / f"{sha256}.skops"

    def _copy(self, source: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".put-")
        try:
            with os.fdopen(handle, "wb") as file, source.open("rb") as content:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(target)
            _sync_directory(target.parent)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def from_options(options: Options) -> LocalArtifacts:
    """Return the store under the data directory."""
    return LocalArtifacts(options.home / "models")


def registry_from(_options: Options, _installation: str, _artifacts: LocalArtifacts) -> None:
    """Return no registry: the ledger's record is all there is."""


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_directory(directory: Path) -> None:
    """Make a rename durable."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _transient(directory: Path) -> Iterator[None]:
    """Turn a full or unwritable disk into TryLater, naming what to mend."""
    try:
        yield
    except OSError as error:
        if error.errno not in _TRANSIENT:
            raise
        raise TryLater(f"{directory}: {error.strerror}; free space or make it writable") from error
