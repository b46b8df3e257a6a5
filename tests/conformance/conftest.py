"""Runs all micro-pipelines in one engine, several at a time; the tests look at what came of each."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.case import Case
from tests.worker.adapters.engine.memory_journal import MemoryJournal
from tests.worker.adapters.engine.waiting import until
from worker.adapters.engine.local import LocalEngine
from worker.engine.inputs import Bound
from worker.runs.port import EngineState, Submission


class Suite:
    """One engine; each case is compiled and submitted once, in the order in which the tests ask or before."""

    def __init__(self, root: Path) -> None:
        """Start the engine."""
        self.root = root
        self.journal = MemoryJournal()
        self.engine = LocalEngine(
            self.journal,
            lambda: datetime.now(tz=UTC),
            "conformance",
            max_steps=4,
            max_runs=12,
            environment={},
            lease_s=30.0,
            cancel_grace_s=0.5,
        )
        self.engine.start()
        self.submitted: dict[str, Path] = {}
        self.cancelled: set[str] = set()

    def submit(self, run_id: str, case: Case) -> None:
        """Submit a case's run, unless that was done."""
        if run_id in self.submitted:
            return
        tmp = self.submitted[run_id] = self.root / run_id
        tmp.mkdir()
        (tmp / "given").write_text("what was there")
        spec = compiled(case.pipeline)
        self.engine.submit(Submission(run_id, spec, case.given(tmp), str(tmp / "out"), {"run": run_id}))

    def ended(self, run_id: str, case: Case) -> EngineState:
        """Wait for the end of a run."""
        if case.cancel_at and run_id not in self.cancelled:
            self.cancelled.add(run_id)
            until((self.submitted[run_id] / case.cancel_at).exists)
            self.engine.cancel(run_id)
        return until(lambda: self.engine.state(run_id), lambda state: state.status.ended, timeout_s=60)

    def outputs(self, run_id: str) -> Bound:
        """Return the pipeline's own outputs."""
        return self.engine.outputs(run_id)


def compiled(function: Any) -> dict[str, Any]:
    """Return the spec of a pipeline function."""
    from google.protobuf import json_format
    from kfp import dsl

    name = function.__name__.replace("_", "-")
    spec: dict[str, Any] = json_format.MessageToDict(dsl.pipeline(name=name)(function).pipeline_spec)
    return spec


@pytest.fixture(name="suite", scope="session")
def _suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    suite = Suite(tmp_path_factory.mktemp("conformance"))
    try:
        yield suite
    finally:
        suite.engine.close(grace_s=0.2)
