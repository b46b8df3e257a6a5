import os
import resource
from pathlib import Path

import pytest

from worker.adapters.models.local import LocalArtifacts
from worker.errors import TryLater


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(b"a model")
    return path


def test_an_unwritable_directory_is_try_later(tmp_path: Path, file: Path) -> None:
    """A directory that cannot be written gives a transient error with the mend, and works once it can."""
    if os.getuid() == 0:
        pytest.skip("root may write everywhere; the full disk is tested instead")
    directory = tmp_path / "locked"
    directory.mkdir()
    directory.chmod(0o500)
    with pytest.raises(TryLater, match="writable"):
        LocalArtifacts(directory).put(file)
    directory.chmod(0o700)

    assert LocalArtifacts(directory).put(file).sha256


def test_a_full_disk_is_try_later(tmp_path: Path) -> None:
    """Without room for the file the error is transient, nothing half-written stays, and later it works."""
    big = tmp_path / "big"
    big.write_bytes(b"x" * 65536)
    store = LocalArtifacts(tmp_path / "models")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(TryLater, match="free space"):
            store.put(big)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert not [path for path in (tmp_path / "models").rglob("*") if path.is_file()]
    assert store.fetch(store.put(big)).stat().st_size == 65536
