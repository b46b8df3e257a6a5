"""What the model servers of an endpoint are told: one small object per bee in the pipeline's bucket.

An endpoint's own split is drawn anew for each request; what is read from here lets every server give an entity to the
same version, and turns a roll-back into one write that they see within seconds.
"""

import tempfile
from pathlib import Path

from worker.adapters.google_storage import GoogleStorage
from worker.errors import TryLater
from worker.models.live import LIMIT
from worker.models.projection import Told


class LiveObjects:
    """Objects below `root`, a gs:// URI without a slash at its end."""

    def __init__(self, storage: GoogleStorage, root: str) -> None:
        """Use a client; nothing is called yet."""
        self._storage = storage
        self._root = root

    def uri(self, name: str) -> str:
        """Return where a bee's servers look."""
        return f"{self._root}/{name}/live.json"

    def read(self, name: str) -> Told:
        """Return what they see, marked by its generation. Raises Rejected, TryLater."""
        there = self._storage.stat(self.uri(name))
        if there is None:
            return Told()
        # Changed in between, it is newer than its mark says: a write in its place fails, and all begins anew.
        return Told(self._storage.read(self.uri(name), limit=LIMIT), there.generation)

    def write(self, name: str, content: bytes, instead_of: Told) -> None:
        """Let them see this instead.

        Raises:
            Rejected: no right to write.
            TryLater: not reachable, or another worker wrote meanwhile.
        """
        uri = self.uri(name)
        with tempfile.NamedTemporaryFile(prefix="colony-live-") as file:
            Path(file.name).write_bytes(content)
            if not self._storage.create(uri, Path(file.name), instead_of=instead_of.mark):
                raise TryLater(f"{uri} was written by another worker meanwhile")
