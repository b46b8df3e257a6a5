"""Compiles templates over the step types of `own/steps`, and runs them in the local engine."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from worker.adapters.engine.kfp_compiler import compile_template
from worker.adapters.engine.local import LocalEngine
from worker.pipelines.template import Template, parse_template
from worker.pipelines.types import StepTypes
from worker.runs.launch import root_parameters
from worker.runs.port import EngineState, Submission

OWN = Path(__file__).parent / "own"


def parse(text: str) -> Template:
    """Return a template over the step types here."""
    return parse_template(yaml.safe_load(text), types=StepTypes([OWN]))


@dataclass
class World:
    """An engine, and where its runs write."""

    engine: LocalEngine
    home: Path
    count: int = 0

    def run(self, text: str, **parameters: Any) -> "Done":
        """Run a template to its end, as launch would submit it."""
        template = parse(text)
        spec = compile_template(template)
        self.count += 1
        id_ = f"{template.name}-{self.count}"
        directory = self.home / "runs" / id_
        frozen = {"id": id_, "parameters": {**template.parameters, **parameters}, "outputDir": str(directory)}
        given = root_parameters(spec, frozen)
        self.engine.submit(Submission(id_, spec, given, str(directory), {"installation": "i", "run": id_}))
        state = until(lambda: self.engine.state(id_), lambda state: state.status.ended, timeout_s=90.0)
        return Done(state, directory)


@dataclass
class Done:
    """A run that has ended."""

    state: EngineState
    directory: Path

    @property
    def steps(self) -> dict[str, str]:
        """Each step with its state."""
        return {step.step_id: step.status.name for step in self.state.steps}

    def read(self, name: str) -> Any:
        """Return the JSON of an artifact."""
        uri = next(one["uri"] for one in self.state.artifacts if one["name"] == name)
        return json.loads(Path(uri).read_text(encoding="utf-8"))


def make(home: Path, *, max_steps: int = 3) -> World:
    """Return a world whose engine has begun."""
    environment = {"COLONY_HOME": str(home), "COLONY_CONFIG": str(OWN)}
    engine = LocalEngine(
        MemoryJournal(), lambda: datetime.now(tz=UTC), "test", max_steps=max_steps, max_runs=2, environment=environment
    )
    engine.start()
    return World(engine, home)
