"""Adopt a model that the colony already has: registered and in production without a gate, which its record says."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from worker.bee import BeeSpec
from worker.clock import to_text
from worker.errors import Conflict, Rejected
from worker.ledger import Ledger
from worker.models.port import ArtifactStore, Deployment, ModelFormat, ModelVersion

MAX_VERSION = 128


@dataclass(frozen=True)
class AdoptModel:
    """The command.

    Attributes:
        baseline: metric -> value, what its evaluations are compared with.
        trained_until: newest event time it was trained on; the gate needs it later.
        origin: where the file was taken from, if from a registry elsewhere.
    """

    bee: str
    version: str
    file: Path
    baseline: Mapping[str, float] = field(default_factory=dict)
    trained_until: datetime | None = None
    origin: str | None = None


def adopt_model(
    command: AdoptModel,
    ledger: Ledger,
    artifacts: ArtifactStore,
    format_: ModelFormat,
    bees: Mapping[str, BeeSpec],
    now: datetime,
) -> ModelVersion:
    """Store the file, register it and put it into production.

    Raises:
        Rejected: unknown bee, a file that is not a model we load, or no `trained_until`.
        Conflict: the version exists, or the bee has a champion already.
    """
    if command.bee not in bees:
        raise Rejected(f"there is no bee {command.bee!r}", field="bee", mend="add its file to config/bees first")
    if command.trained_until is None:
        raise Rejected("is missing", field="trainedUntil", mend="say until when its training data reached")
    if not 0 < len(command.version) <= MAX_VERSION or not command.version.isprintable():
        raise Rejected(
            "is not a version", field="version", mend=f"use 1 to {MAX_VERSION} printable characters, as its events do"
        )
    if not command.file.is_file():
        raise Rejected(f"{command.file} is not a file", field="artifact", mend="give the path of a .skops file")
    bee = bees[command.bee]
    told = {
        "features": list(bee.features),
        "task": bee.task,
        "label": bee.label,
        "positive": bee.positive,
        "trainedUntil": to_text(command.trained_until),
    }
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "model.skops"
        sha256 = format_.adopt(command.file, told, ours)
        predictor = format_.load(ours, sha256)
        features = list(predictor.metadata["features"])
        # A model that wants its columns by name, or in another number, must not be in production before that shows.
        predictor.predict({name: [0.0] for name in features})
        artifact = artifacts.put(ours)
    version = ModelVersion(
        bee=command.bee,
        version=command.version,
        state="deployed",
        artifact=artifact,
        run_id=None,
        created_at=now,
        gate_passed=False,
        metrics=dict(command.baseline),
        lineage={
            "adopted": True,
            "trainedUntil": to_text(command.trained_until),
            "features": features,
            **({"vertexModel": command.origin} if command.origin else {}),
        },
    )
    with ledger.begin() as transaction:
        transaction.lock([command.bee])
        if transaction.models.champion(command.bee):
            raise Conflict(f"{command.bee} has a model in production already; let a run replace it, or promote one")
        transaction.models.add(version)
        reason = "adopted: it was in production before this system"
        transaction.models.deploy(Deployment(command.bee, 1, command.version, None, now, reason, None))
        data = {
            "beeId": command.bee,
            "version": command.version,
            "previous": None,
            "runId": None,
            "reason": reason,
            "deployedAt": to_text(now),
            "metrics": dict(command.baseline),
            "gate": None,
            "artifact": {"uri": artifact.uri, "sha256": artifact.sha256},
        }
        transaction.outbox.add(command.bee, "model.deployed", f"{command.bee}/{command.version}", 1, now, data)
    return version
