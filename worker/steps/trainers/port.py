"""What a trainer does, whatever it trains: rows and settings in, a model file out that can be loaded and scored."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from worker.bee import BeeSpec, Space
from worker.models.port import ModelFormat, Predictor
from worker.steps.tables import Rows
from worker.steps.trainers import TRAINERS


@dataclass(frozen=True)
class Job:
    """For whom, and with what, a trainer works."""

    bee: BeeSpec
    seed: int
    models: ModelFormat


@dataclass(frozen=True)
class Wanted:
    """What to train with.

    Attributes:
        settings: in the trainer's own form; None lets it choose.
        source: where they are from, in words, for the lineage.
        folds: how many validation folds a choice takes.
        chosen: what the lineage keeps of an experiment that they won (`chosenAmong`, `chosenOn`, `chosenUntil`).
    """

    settings: Mapping[str, Any] | None
    source: str = ""
    folds: int = 3
    chosen: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """A model file.

    Attributes:
        sha256: of the file.
        metadata: what it says of itself.
        report: how it was chosen.
        simplicity: smaller is simpler, or cheaper in use; compared from the left.
    """

    sha256: str
    metadata: Mapping[str, Any]
    report: Mapping[str, Any]
    simplicity: tuple[float, ...]


@dataclass(frozen=True)
class Unlearnable:
    """Why these rows cannot teach a model anything."""

    reason: str


class Trainer(Protocol):
    """One way of making models."""

    def space(self, bee: BeeSpec) -> Sequence[tuple[Mapping[str, Any], Space]]:
        """Return what may be searched: fixed settings (an algorithm, say), and the space that goes with them."""
        ...

    def normal(self, bee: BeeSpec, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return a variant's settings in the trainer's own form; what they mean is not checked."""
        ...

    def prepare(self, bee: BeeSpec, as_of: datetime) -> Rows | None:
        """Return rows that the bee's own file holds, or None where they come from the feature store."""
        ...

    def train(self, rows: Rows, wanted: Wanted, path: Path, job: Job) -> Trained | Unlearnable:
        """Write a model file.

        Raises:
            Rejected: settings that do not fit.
        """
        ...

    def load(self, path: Path, sha256: str, job: Job) -> Predictor:
        """Return the model, its hash checked. Raises Rejected."""
        ...


def trainer_of(bee: BeeSpec) -> Trainer:
    """Return the bee's trainer."""
    trainer: Trainer = importlib.import_module(TRAINERS[bee.trainer.type]).TRAINER
    return trainer
