"""Model files in the pipeline's bucket, each under its SHA-256 in a folder of its own, as Vertex AI wants them.

`gs://BUCKET/models/SHA/SHA.skops` never changes: it is written only where there is nothing, and what is fetched is
checked against its name and kept in a cache on this machine.
"""

import hashlib
import tempfile
from pathlib import Path

from worker.adapters.google_storage import GoogleStorage, crc32c_of
from worker.adapters.models.local import LocalArtifacts
from worker.adapters.models.vertex_live import LiveObjects
from worker.adapters.options import Options
from worker.errors import NotFound, Rejected, TryLater
from worker.models.port import Artifact
from worker.models.projection import Registry

_HEXADECIMAL = frozenset("0123456789abcdef")


class VertexArtifacts:
    """Content-addressed objects; many processes on many machines may store and fetch at once.

    Args:
        storage: Cloud Storage.
        root: where the folders are, `gs://bucket/models`.
        cache: what was stored or fetched before, on this machine.
    """

    def __init__(self, storage: GoogleStorage, root: str, cache: LocalArtifacts) -> None:
        self._storage = storage
        self._root = root
        self._cache = cache

    def put(self, path: Path) -> Artifact:
        """Store a file under its hash, atomically; the same content again is the same artifact.

        Raises:
            Rejected: no such bucket, or no right to write.
            TryLater: the bucket cannot be reached, or others keep writing the same object.
        """
        kept = self._cache.put(path)
        uri = self._uri(kept.sha256)
        self._write(uri, self._cache.fetch(kept))
        return Artifact(uri=uri, sha256=kept.sha256)

    def fetch(self, artifact: Artifact) -> Path:
        """Return a path in the cache, the content's hash checked.

        Raises:
            NotFound: it is not stored.
            Rejected: its content is not what was stored.
            TryLater: the bucket cannot be reached.
        """
        uri = self._uri(artifact.sha256)
        try:
            return self._cache.fetch(artifact)
        except (NotFound, Rejected):
            # Not here, or changed here: the bucket's copy decides.
            places = dict.fromkeys([artifact.uri, uri] if artifact.uri.startswith("gs://") else [uri])
        for place in places:
            found = self._from(place, artifact.sha256)
            if found is not None:
                return found
        raise NotFound(f"no artifact {artifact.sha256} at {' or '.join(places)}")

    def folder(self, artifact: Artifact) -> str:
        """Return the artifact's folder as a gs:// URI, the artifact put there if it is elsewhere so far.

        Raises:
            NotFound, Rejected, TryLater: as `fetch` and `put`.
        """
        uri = self._uri(artifact.sha256)
        if self._storage.stat(uri) is None:
            self.put(self.fetch(artifact))
        return uri.rpartition("/")[0]

    @property
    def live(self) -> LiveObjects:
        """Where model servers are told what is live: in the same bucket."""
        return LiveObjects(self._storage, f"{self._root.rpartition('/')[0]}/serving")

    def verify(self) -> None:
        """Write a small object. Raises Rejected with the mend, or TryLater."""
        with tempfile.NamedTemporaryFile(prefix="colony-verify-") as file:
            # Only the first of all checks writes it; for the others the answer that it is there needs the same rights.
            self._storage.create(f"{self._root}/.verify", Path(file.name))

    def _uri(self, sha256: str) -> str:
        if len(sha256) != 64 or not _HEXADECIMAL.issuperset(sha256):
            raise Rejected(f"{sha256!r} is not a SHA-256", field="artifact.sha256", mend="give 64 hexadecimal digits")
        return f"{self._root}/{sha256}/{sha256}.skops"

    def _write(self, uri: str, path: Path) -> None:
        if self._storage.create(uri, path):
            return
        there = self._storage.stat(uri)
        if there and (there.size, there.crc32c) == (path.stat().st_size, crc32c_of(path)):
            return
        # Something else lies under the hash: whoever stores the right content mends it.
        if not self._storage.create(uri, path, instead_of=there.generation if there else 0):
            raise TryLater(f"{uri} was changed by somebody else meanwhile")

    def _from(self, uri: str, sha256: str) -> Path | None:
        with tempfile.TemporaryDirectory(prefix="colony-model-") as directory:
            file = Path(directory) / "model"
            try:
                self._storage.download(uri, file)
            except NotFound:
                return None
            with file.open("rb") as content:
                found = hashlib.file_digest(content, "sha256").hexdigest()
            if found != sha256:
                mend = "restore the object (bucket versioning keeps it), or roll back to another version"
                raise Rejected(f"{uri} has the hash {found}, not {sha256}", field="artifact.sha256", mend=mend)
            return self._cache.fetch(self._cache.put(file))


def from_options(options: Options) -> VertexArtifacts:
    """Return the store in the pipeline's bucket. Raises Rejected: no bucket."""
    bucket = str(options.values["pipeline_bucket"]).removeprefix("gs://").rstrip("/")
    if not bucket:
        mend = "Set it to a bucket of the project, or COLONY_MODELS=local."
        raise Rejected("models on Vertex AI need a bucket", field="PIPELINE_BUCKET", mend=mend)
    storage = GoogleStorage(options.values["project"], options.values["storage_endpoint"])
    return VertexArtifacts(storage, f"gs://{bucket}/models", LocalArtifacts(options.home / "models"))


def registry_from(options: Options, installation: str, artifacts: VertexArtifacts) -> Registry:
    """Return the registry of the settings. Raises Rejected: no project."""
    # Its clients take seconds to import: who only stores a file needs none of them.
    from worker.adapters.models import vertex_registry

    return vertex_registry.from_options(options, installation, artifacts.folder, artifacts.live)
