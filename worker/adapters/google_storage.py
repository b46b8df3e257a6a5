"""Objects in Cloud Storage by their gs:// URIs: written under a precondition, read, listed; errors in our own words."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, MENDS, Patience, meaning
from worker.errors import Rejected, TryLater

_BLOCK = 1 << 20
_MENDS: Mapping[type[Exception], str] = {
    exceptions.Forbidden: "Grant roles/storage.objectUser on the bucket to the service account.",
    exceptions.Unauthorized: MENDS[exceptions.Unauthenticated],
    exceptions.BadRequest: "Check the bucket's name and the object's.",
}


@dataclass(frozen=True)
class Stat:
    """What an object is, without its content: `crc32c` is base64 as Cloud Storage writes it."""

    generation: int
    size: int
    crc32c: str


class GoogleStorage:
    """A client, made at the first call; thread-safe.

    Args:
        project: the Google project, for quota and billing.
        endpoint: `http://host:port` of a stand-in that takes no credentials; empty for the service itself.
        patience: of one request (`attempt_s`) and of all its attempts (`total_s`).
    """

    def __init__(self, project: str, endpoint: str = "", patience: Patience | None = None) -> None:
        self._project = project
        self._endpoint = endpoint
        self._patience = patience or Patience(attempt_s=30.0, total_s=60.0)

    def stat(self, uri: str) -> Stat | None:
        """Return what an object is, None if there is none. Raises Rejected, TryLater."""
        blob = self._blob(uri)
        with _translated(uri):
            try:
                blob.reload(**self._patiently)
            except exceptions.NotFound:
                return None
        return Stat(int(blob.generation), int(blob.size), str(blob.crc32c))

    def create(self, uri: str, source: Path, *, instead_of: int = 0) -> bool:
        """Write an object from a file, whole or not at all.

        Args:
            uri: where.
            source: the file.
            instead_of: the generation that it replaces; 0: there must be none.

        Returns:
            False if another generation is there: somebody else's, or our own of an attempt whose answer was lost.

        Raises:
            Rejected: no such bucket, or no right to write.
            TryLater: not reachable for as long as patience lasts.
        """
        blob = self._blob(uri)
        with _translated(uri):
            try:
                blob.upload_from_filename(
                    str(source),
                    content_type="application/octet-stream",
                    if_generation_match=instead_of,
                    checksum="crc32c",
                    **self._patiently,
                )
            except exceptions.PreconditionFailed:
                return False
            except exceptions.NotFound as error:
                mend = "Create the bucket (deploy/terraform does), or correct PIPELINE_BUCKET."
                raise Rejected(error.message, field=uri, mend=mend) from error
        return True

    def download(self, uri: str, target: Path) -> None:
        """Write an object's content to a file. Raises NotFound, Rejected, TryLater."""
        blob = self._blob(uri)
        with _translated(uri):
            blob.download_to_filename(str(target), checksum="crc32c", **self._patiently)

    def read(self, uri: str, *, limit: int) -> bytes | None:
        """Return an object's first `limit` bytes, None if there is no such object. Raises Rejected, TryLater."""
        blob = self._blob(uri)
        with _translated(uri):
            try:
                content: bytes = blob.download_as_bytes(end=limit - 1, **self._patiently)
            except exceptions.NotFound:
                return None
            except exceptions.RequestRangeNotSatisfiable:
                # An empty object has no first byte.
                return b""
        return content

    def list(self, prefix: str) -> Sequence[str]:
        """Return the URIs of the objects under a prefix, in order. Raises NotFound (no bucket), Rejected, TryLater."""
        bucket, name = parted(prefix)
        with _translated(prefix):
            found = self._client.list_blobs(bucket, prefix=name, **self._patiently)
            return [f"gs://{bucket}/{blob.name}" for blob in found]

    @cached_property
    def _client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        if self._endpoint:
            options = {"api_endpoint": self._endpoint}
            anonymous: Any = AnonymousCredentials
            return storage.Client(self._project or "local", anonymous(), client_options=options)
        with _translated("Cloud Storage"):
            return storage.Client(self._project or None)

    @property
    def _patiently(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        patience = self._patience
        again = DEFAULT_RETRY.with_delay(patience.first_pause_s, patience.longest_pause_s)
        return {"timeout": patience.attempt_s, "retry": again.with_timeout(patience.total_s)}

    def _blob(self, uri: str) -> Any:
        bucket, name = parted(uri)
        return self._client.bucket(bucket).blob(name)


def parted(uri: str) -> tuple[str, str]:
    """Return bucket and object name of a gs:// URI. Raises Rejected."""
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    if not uri.startswith("gs://") or not bucket:
        raise Rejected(f"{uri!r} is not a gs:// URI", field="uri", mend="write it as gs://bucket/path")
    return bucket, name


def crc32c_of(path: Path) -> str:
    """Return a file's CRC32C in base64, as Cloud Storage tells an object's."""
    import google_crc32c

    checksum: Any = google_crc32c.Checksum  # it has no types
    checksum = checksum()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            checksum.update(block)
    return base64.b64encode(checksum.digest()).decode()


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise what Google's client and the HTTP library below it raise as errors of ours."""
    from google.cloud.storage.exceptions import DataCorruption, InvalidResponse

    try:
        yield
    except GOOGLE as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) and error.cause else error
        raise meaning(what, cause, _MENDS) from error
    except (OSError, DataCorruption, InvalidResponse) as error:
        # The HTTP library's errors are OSErrors, as a full disk's is.
        raise TryLater(f"{what}: {error}") from error
