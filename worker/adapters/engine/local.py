"""The embedded pipeline engine: executes compiled specs on this machine, one process per step."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from worker.adapters.engine import local_command, local_state
from worker.adapters.engine.local_files import make_output_dir
from worker.adapters.engine.local_loop import Limits, Loop
from worker.adapters.options import Options
from worker.clock import Clock, to_us
from worker.engine import graph as graphs
from worker.engine.inputs import Bound, bind_root
from worker.engine.port import CREATED, Job, Journal
from worker.engine.values import check_json
from worker.errors import Conflict, NotFound, Rejected
from worker.runs.port import EngineState, Submission


class LocalEngine:
    """`worker.runs.port.PipelineEngine` on this machine; processes that share a journal share the work."""

    local = True

    def __init__(  # noqa: PLR0913 (settings, each by its name)
        self,
        journal: Journal,
        clock: Clock,
        owner: str,
        *,
        max_steps: int,
        max_runs: int,
        environment: Mapping[str, str],
        lease_s: float = 10.0,
        memory_bytes: int | None = None,
        cancel_grace_s: float = 5.0,
        step_timeout_s: float | None = None,
        preload: Sequence[str] = (local_command.PRELOAD,),
    ) -> None:
        """Remember the settings; nothing runs before `start`.

        Args:
            journal: where jobs and steps are recorded.
            clock: gives the times that are recorded.
            owner: names this process in leases.
            max_steps: how many steps run here at a time.
            max_runs: how many runs are led from here at a time.
            environment: what steps get besides this process's own environment.
            lease_s: after how long without a sign of life another process may take a run over.
            memory_bytes: limit of a step that its spec gives none, None for none.
            cancel_grace_s: how long a step may take to end after TERM.
            step_timeout_s: how long an attempt of a step may take, None for as long as it likes.
            preload: modules that the process for our own steps loads once.
        """
        self._journal, self._clock = journal, clock
        limits = Limits(max_steps, max_runs, lease_s, memory_bytes, cancel_grace_s, step_timeout_s)
        self._loop = Loop(journal, clock, owner, limits, environment={**os.environ, **environment}, preload=preload)

    def submit(self, submission: Submission) -> None:
        """Hand a run over, durably; a second time with the same labels is a success.

        Raises:
            Rejected: the spec has something that the engine does not know (with its path), or a parameter is wrong.
            Conflict: the id exists with other labels.
            TryLater: the directory or the journal cannot be written now.
        """
        for part, value in (("spec", submission.spec), ("parameters", submission.parameters)):
            _check_json(value, part)
        graph = graphs.build(submission.spec)
        bind_root(graph.spec, submission.parameters)
        local_command.check(graph)
        output_dir = _absolute(submission.output_dir)
        labels = {**submission.labels, CREATED: str(to_us(self._clock()))}
        job = Job(submission.run_id, submission.spec, submission.parameters, output_dir, labels)
        known = self._journal.job(submission.run_id)
        if known is None:
            make_output_dir(output_dir)
            if self._journal.create(job):
                self._loop.wake()
                return
            known = self._journal.job(submission.run_id)
        if known is None or {**known.labels, CREATED: labels[CREATED]} != labels:
            raise Conflict(f"there is a run {submission.run_id!r} with other labels")

    def state(self, run_id: str) -> EngineState:
        """Return the live state. Raises NotFound, TryLater."""
        return local_state.state_of(self._job(run_id), self._journal.tasks(run_id))

    def outputs(self, run_id: str) -> Bound:
        """Return the outputs of the pipeline itself, once it has succeeded. Raises NotFound, TryLater."""
        return local_state.outputs_of(self._job(run_id), self._journal.tasks(run_id))

    def glance(self, installation: str, run_ids: Sequence[str]) -> None:
        """Do nothing: a look at one run takes no longer."""

    def cancel(self, run_id: str) -> None:
        """Ask for cancellation; cancelling an ended run changes nothing. Raises NotFound, TryLater."""
        self._job(run_id)
        self._journal.request_cancel(run_id)
        self._loop.wake()

    def start(self) -> None:
        """Begin executing submitted runs in this process."""
        self._loop.start()

    def close(self, *, grace_s: float = 5.0) -> None:
        """Stop executing here: steps get TERM, after the grace KILL; claims are released, so that others resume."""
        self._loop.close(grace_s)

    def verify(self) -> None:
        """Read the journal. Raises TryLater."""
        self._journal.job("")

    def _job(self, run_id: str) -> Job:
        job = self._journal.job(run_id)
        if job is None:
            raise NotFound(f"there is no run {run_id!r}")
        return job


def _check_json(value: Any, field: str) -> None:
    try:
        check_json(value)
    except ValueError as error:
        raise Rejected(str(error), field=field) from error


def _absolute(output_dir: str) -> str:
    return output_dir if "://" in output_dir else str(Path(output_dir).absolute())


def from_options(options: Options) -> LocalEngine:
    """Return the engine of the settings. Raises Rejected if there is nowhere to keep its state."""
    if options.journal is None:
        raise Rejected("the local engine needs a ledger", field="COLONY_LEDGER", mend="set it to a database URL")
    return LocalEngine(
        options.journal,
        options.clock,
        options.owner,
        max_steps=int(options.values["max_steps"]),
        max_runs=int(options.values["max_runs"]),
        environment=options.environment,
        memory_bytes=int(options.values.get("step_memory_mb") or 0) * 2**20 or None,
        step_timeout_s=float(options.values.get("step_timeout_s") or 0.0) or None,
        # Renewed all the while, unlike the ledger's leases: half of theirs is as safe, and resumes sooner.
        lease_s=float(options.values["lease_seconds"]) / 2,
    )
