"""What the rest of the system asks of model storage and of the ledger's record of models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from worker.models.traffic import Traffic, all_to


@dataclass(frozen=True)
class Artifact:
    """Bytes that never change: where they are and their SHA-256 (hex)."""

    uri: str
    sha256: str


@dataclass(frozen=True)
class Scored:
    """One prediction: the class (or the number), and the positive class's probability for a binary task."""

    prediction: Any
    score: float | None


class Predictor(Protocol):
    """A loaded model."""

    #: what the model was told of itself when it was saved: features, task, trainedUntil, snapshotId …
    metadata: Mapping[str, Any]

    def predict(self, columns: Mapping[str, Sequence[Any]]) -> list[Scored]:
        """Score rows given as columns (feature -> one value per row, None where missing), in order."""
        ...


class ModelFormat(Protocol):
    """How a fitted model becomes bytes and back, without executing code on the way."""

    def dump(self, estimator: Any, metadata: Mapping[str, Any], path: Path) -> str:
        """Write the model; the same estimator and metadata give the same bytes. Returns the SHA-256."""
        ...

    def adopt(self, source: Path, metadata: Mapping[str, Any], path: Path) -> str:
        """Write a model file that was made elsewhere in our form, with what the file does not say of itself.

        Returns the SHA-256. Raises Rejected: not a model that we trust, or metadata is missing.
        """
        ...

    def load(self, path: Path, sha256: str) -> Predictor:
        """Check the hash and load. Raises Rejected if the hash differs or the content is not a model we trust."""
        ...


class ArtifactStore(Protocol):
    """Content-addressed storage of model files."""

    def put(self, path: Path) -> Artifact:
        """Store a file under its hash, atomically; the same content again is the same artifact."""
        ...

    def fetch(self, artifact: Artifact) -> Path:
        """Return a local path of the artifact, its hash checked. Raises NotFound or Rejected."""
        ...

    def verify(self) -> None:
        """Make a real write. Raises TryLater."""
        ...


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a bee's model, with where it came from.

    Attributes:
        state: `registered`, `challenger` (live beside the champion), `deployed`, `retired` or `refused`.
        metrics: the evaluation recorded at registration: metric -> value on the gate's hold-out.
        lineage: run, snapshot id, template, parameters, trained until, gate …
        forced: the reason of an operator who promoted it without a passed gate.
    """

    bee: str
    version: str
    state: str
    artifact: Artifact
    run_id: str | None
    created_at: datetime
    gate_passed: bool
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    lineage: Mapping[str, Any] = field(default_factory=dict)
    forced: str | None = None


@dataclass(frozen=True)
class Deployment:
    """One change of what is served: what replaced what, when, why and by whom.

    Attributes:
        version: the champion.
        previous: what was champion before it.
        divided: the traffic while more than the champion is live; None: the champion serves everybody.
        by: the person who asked for it; None: the loop itself.
        numbers: what it was changed on, in JSON values; empty where that was no comparison.
    """

    bee: str
    epoch: int
    version: str
    previous: str | None
    at: datetime
    reason: str
    run_id: str | None
    divided: Traffic | None = None
    by: str | None = None
    numbers: Mapping[str, Any] = field(default_factory=dict)

    @property
    def traffic(self) -> Traffic:
        """Who is served by what."""
        return self.divided or all_to(self.version)


class ModelLedger(Protocol):
    """The ledger's record of versions and deployments, inside one transaction."""

    def get(self, bee: str, version: str) -> ModelVersion | None:
        """Return one version."""
        ...

    def versions(self, bee: str | None = None) -> Sequence[ModelVersion]:
        """Return versions, oldest first."""
        ...

    def for_run(self, run_id: str) -> ModelVersion | None:
        """Return the version that a run registered."""
        ...

    def next_version(self, bee: str) -> str:
        """Return the next free number as text."""
        ...

    def add(self, version: ModelVersion) -> None:
        """Store a new version. Raises Conflict if the bee or the run has it already."""
        ...

    def set_state(self, bee: str, version: str, state: str, *, forced: str | None = None) -> None:
        """Change a version's state."""
        ...

    def kept(self) -> Sequence[tuple[str, str]]:
        """Return (bee, version) of what is deployed beside a champion, ready to be gone back to."""
        ...

    def champion(self, bee: str) -> Deployment | None:
        """Return the newest deployment: what is in production."""
        ...

    def deployments(self, bee: str | None = None) -> Sequence[Deployment]:
        """Return the changes of the champion, oldest first."""
        ...

    def deploy(self, deployment: Deployment) -> None:
        """Record a change of the champion; its epoch must be the last one plus 1 (Conflict otherwise)."""
        ...
