"""What a step type is: its config, what it takes and gives, and the function that does it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
        lists: declared input of a list's kind -> what each run of a `foreach` step wrote, in the order of its items.
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
    lists: Mapping[str, Sequence[Path]] = field(default_factory=dict)


@dataclass(frozen=True)
class StepType:
    """A step type: one module under `worker/steps/types` declares one as `STEP`.

    Attributes:
        name: the word that templates use as `type`.
        config: the pydantic model of the step's `config`.
        inputs, outputs: artifact name -> kind; an input is wired to the newest earlier step that gives its name.
        body: does the work and returns its `values`; raising fails the step (Rejected: with its reason, not retried).
        deploys: it may hand a model over as deployable; runs of a template with such a step change the champion.
        values: name -> type (`boolean`, `integer`, `number`, `string`, `object`, `list[object]` …) of what other steps'
            `when` and `foreach` can refer to as `${steps.ID.outputs.NAME}`.
        check: what the config's own schema cannot say, called with the config as a trigger fills it; it raises Rejected
            with the place in the config as its `field` (`variants[2].name`).
        failed: a failure is a result for this type: called after the last attempt with the reason, however the
            attempt ended, it writes the outputs in the body's stead and returns the values.
    """

    name: str
    config: type[Value]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    body: Callable[[StepContext], Mapping[str, Any] | None]
    deploys: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None
    failed: Callable[[StepContext, str], Mapping[str, Any] | None] | None = None
