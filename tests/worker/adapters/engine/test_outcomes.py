"""The outcome that a run left, from a directory and from a bucket: there, not there, broken, or not reachable yet."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.google_storage import StorageFault, StorageServer, storage_server
from worker.adapters.engine.outcomes import MAX_BYTES, OutcomeFiles
from worker.errors import Rejected, TryLater

OUTCOME = {"run": "r", "verdict": "deployable", "reason": "größer"}
Put = Callable[[bytes], str]


@pytest.fixture(name="bucket")
def _bucket() -> Iterator[StorageServer]:
    with storage_server("bucket") as server:
        yield server


@pytest.fixture(name="outcomes")
def _outcomes(bucket: StorageServer) -> OutcomeFiles:
    return OutcomeFiles("p", bucket.url)


@pytest.fixture(name="put", params=["directory", "bucket"])
def _put(request: pytest.FixtureRequest, bucket: StorageServer, tmp_path: Path) -> Put:
    """Give what leaves an outcome's bytes in either place, and returns the run's directory."""

    def put(content: bytes) -> str:
        if request.param == "bucket":
            bucket.put("gs://bucket/runs/r/outcome.json", content)
            return "gs://bucket/runs/r"
        (tmp_path / "outcome.json").write_bytes(content)
        return str(tmp_path)

    return put


def test_an_outcome_is_read(put: Put, outcomes: OutcomeFiles) -> None:
    """What a run left is read, from a directory or a bucket, with or without a slash at the end of its name."""
    directory = put(json.dumps(OUTCOME).encode())

    assert outcomes.read(directory) == OUTCOME
    assert outcomes.read(f"{directory}/") == OUTCOME


def test_no_outcome(outcomes: OutcomeFiles, tmp_path: Path) -> None:
    """A run that left nothing has no outcome."""
    assert outcomes.read(str(tmp_path)) is None
    assert outcomes.read("gs://bucket/runs/none") is None


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "not JSON"), (b'{"run":', "not JSON"), (b"\xff", "not JSON"), (b"[1]", "not an object")],
)
def test_a_broken_outcome(put: Put, outcomes: OutcomeFiles, content: bytes, words: str) -> None:
    """What is no JSON object is refused with what it is, an empty file, too."""
    with pytest.raises(Rejected, match=words):
        outcomes.read(put(content))


def test_an_outcome_that_is_too_large(put: Put, outcomes: OutcomeFiles) -> None:
    """Of more than 16 MiB no more is read than tells so."""
    with pytest.raises(Rejected, match="larger than"):
        outcomes.read(put(b" " * (MAX_BYTES + 2)))


@pytest.mark.parametrize("status", [503, 500, 429, 408, 0])
def test_a_bucket_that_is_away_for_a_moment(bucket: StorageServer, outcomes: OutcomeFiles, status: int) -> None:
    """A fault of the service or a cut connection is tried again at once."""
    bucket.put("gs://bucket/runs/r/outcome.json", json.dumps(OUTCOME).encode())
    bucket.fail(StorageFault(status))

    assert outcomes.read("gs://bucket/runs/r") == OUTCOME


def test_a_bucket_that_may_not_be_read(bucket: StorageServer, outcomes: OutcomeFiles) -> None:
    """A right that is missing is no fault of the outcome: it is tried later, and what to grant is told."""
    bucket.forbidden = True

    with pytest.raises(TryLater, match="roles/storage"):
        outcomes.read("gs://bucket/runs/r")
