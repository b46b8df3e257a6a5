"""What a step type is: its config, what it takes and gives, and the function that does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.bee import BeeSpec, Value
from worker.features.port import FeatureStore
from worker.models.port import ArtifactStore, ModelFormat


@dataclass(frozen=True)
class Ports:
    """What a step body may reach: no ledger, no bus, no configuration."""

    features: FeatureStore
    artifacts: ArtifactStore
    models: ModelFormat


@dataclass(frozen=True)
class StepContext:
    """Everything one execution of a step may read, and where it writes.

    Attributes:
        config: the step's own settings, validated by its type.
        run: the run's frozen parameters (`id, template, bee, parameters, asOf, seed, champion, …`).
        bee: `run["bee"]`, parsed; None for a run without a bee.
        inputs: declared input -> file or directory that an earlier step wrote.
        outputs: declared output -> path to write (its directory exists).
        output_dir: the run's directory; `outcome.json` lies there.
    """

    config: Any
    run: Mapping[str, Any]
    bee: BeeSpec | None
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    output_dir: Path
    ports: Ports


@dataclass(frozen=True)
class StepType:
    """A step type: one module under `worker/steps/types` declares one as `STEP`.

    Attributes:
        name: the word that templates use as `type`.
        config: the pydantic model of the step's `config`.
        inputs, outputs: artifact name -> kind; an input is wired to the newest earlier step that gives its name.
        body: does the work; raising fails the step (Rejected: with its reason, not to be retried).
        deploys: it may hand a model over as deployable; runs of a template with such a step change the champion.
    """

    name: str
    config: type[Value]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    body: Callable[[StepContext], None]
    deploys: bool = False
