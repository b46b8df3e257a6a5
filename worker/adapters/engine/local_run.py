"""One run that this process leads: what is recorded, what runs, and what an ended step means."""

import signal
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from worker.adapters.engine import local_command, local_lightweight
from worker.adapters.engine.local_cache import Cache
from worker.adapters.engine.local_files import AttemptFiles
from worker.adapters.engine.local_spawn import Command, Exited, Started
from worker.adapters.engine.local_state import facts_of
from worker.clock import Clock
from worker.engine import executor_input, importer
from worker.engine.cache_key import cache_key
from worker.engine.container import Container
from worker.engine.graph import build
from worker.engine.inputs import bind_root
from worker.engine.plan import Again, Launch, Progress
from worker.engine.port import Claim, Job, Journal, TaskRecord
from worker.engine.progress import evaluate, retries
from worker.engine.results import Memo
from worker.engine.state import Status
from worker.errors import Rejected

#: The exit code by which our own steps say that trying again is of no use.
_REJECTED = 2
#: Of how many steps that may start a run knows at a time; each end of one brings up the next.
_ENOUGH = 16


@dataclass(frozen=True)
class Running:
    """A step that was started: what it is, and what its process was told."""

    component: str
    files: AttemptFiles
    told: Mapping[str, Any]
    own: bool
    sheltered: bool
    cache: str | None = None


class ClaimedRun:
    """The state of a claimed run, ahead of the journal by what `flush` has not written yet.

    Nothing is acted on before it is flushed: all changes of one turn are one transaction.
    """

    def __init__(self, job: Job, claim: Claim, journal: Journal, clock: Clock) -> None:
        """Read what has been recorded. Raises Rejected if the job cannot be executed at all, TryLater."""
        self.job, self.claim = job, claim
        self.graph = build(job.spec)
        self.given = bind_root(self.graph.spec, job.parameters)
        self.facts = facts_of(job)
        self.cache = Cache.beside(job.output_dir)
        self.records = {record.path: record for record in journal.tasks(job.run_id)}
        self.running: dict[str, Running] = {}
        self.ready: list[tuple[Launch, Command]] = []
        self.heard: deque[tuple[str, Started | Exited]] = deque()
        self.retry_at: dict[str, float] = {}
        self.deadlines: dict[str, tuple[float, signal.Signals]] = {}
        self.overdue: dict[str, str] = {}
        self.due = 0.0
        self.hungry = False
        self.cancelling = job.cancel_requested
        self.closing = False
        self.kill_at: float | None = None
        self.killed = False
        self._memo = Memo(_ENOUGH)
        self._journal, self._clock = journal, clock
        self._unwritten: list[TaskRecord] = []
        self._begins = False

    @property
    def has_own_steps(self) -> bool:
        """Whether any step is this project's own."""
        containers = (container for _, container in self.graph.containers())
        return any(local_command.is_own_step((*container.command, *container.args)) for container in containers)

    @property
    def sheltered(self) -> set[str]:
        """The paths of the running steps that a cancellation does not end."""
        return {path for path, running in self.running.items() if running.sheltered}

    def resume(self) -> None:
        """Take over from whoever led the run before: its steps are ended, what they were at is to be done again."""
        for record in list(self.records.values()):
            if record.status is Status.RUNNING:
                AttemptFiles.of(self.job.output_dir, record.path, record.attempt).end_orphan()
                self._requeue(record)
        self._begins = True

    def hear(self, path: str, event: Started | Exited) -> None:
        """Take note of what became of a step's process; `settle` records it. From its start nothing follows."""
        self.heard.append((path, event))
        if isinstance(event, Exited):
            self.due = 0.0

    def progress(self) -> Progress:
        """Return what follows from the records."""
        return evaluate(
            self.graph,
            self.given,
            self.records,
            self.facts,
            cancelling=self.cancelling,
            fail_fast=self.job.fail_fast,
            memo=self._looked_into(),
        )

    def _looked_into(self) -> Memo:
        """Return what is known from earlier looks; steps that wait to be tried again keep no other from being seen."""
        waiting = sum(one.status is Status.PENDING and one.attempt > 1 for one in self.records.values())
        self._memo.enough = _ENOUGH + waiting
        return self._memo

    def note(self, progress: Progress) -> None:
        """Record the steps that will not run, and why."""
        for leaf in progress.leaves:
            known = self.records.get(leaf.path)
            if leaf.status in (Status.SKIPPED, Status.FAILED) and (known is None or known.status is not leaf.status):
                self.record(TaskRecord(leaf.path, leaf.status, ended_at=self._clock(), error=leaf.error))

    def try_again(self, again: Again) -> None:
        """Record that a failed DAG begins anew; its steps' earlier attempts stay on record."""
        self.record(TaskRecord(again.path, Status.PENDING, again.attempt, error=again.error))

    def prepare(self, launch: Launch, environment: Mapping[str, str], memory_bytes: int | None) -> bool:
        """Note that a step begins, and in `ready` how to start it once that is flushed; False if it ended already."""
        command = self._begun(launch, environment, memory_bytes)
        if command is not None:
            self.ready.append((launch, command))
        return command is not None

    def _begun(self, launch: Launch, environment: Mapping[str, str], memory_bytes: int | None) -> Command | None:
        begun = TaskRecord(launch.path, Status.RUNNING, launch.attempt, started_at=self._clock())
        executor = self.graph.executor(launch.component)
        key = self._cache_key(launch)
        hit = self.cache.find(key) if key else None
        if hit and hit.run_id != self.job.run_id:
            said = f"taken from {hit.of}, which did the same\n"
            ended = replace(begun, status=Status.SUCCEEDED, ended_at=self._clock(), outputs=hit.outputs, log_tail=said)
            self.record(ended)
            return None
        if executor.container:
            command = self._prepare(launch, executor.container, begun, environment, memory_bytes)
            if command and key:
                self.running[launch.path] = replace(self.running[launch.path], cache=key)
            return command
        component = self.graph.component(launch.component)
        try:
            if executor.importer:
                outputs = importer.outputs(executor.importer, component, launch.bound.parameters)
                self.record(replace(begun, status=Status.SUCCEEDED, ended_at=self._clock(), outputs=outputs))
        except Rejected as error:
            self.record(replace(begun, status=Status.FAILED, ended_at=self._clock(), error=str(error)))
        return None

    def _cache_key(self, launch: Launch) -> str | None:
        """Return under which key an earlier result may be taken, None if none may."""
        caching = launch.caching
        if not caching.enable_cache or self.graph.executor(launch.component).importer:
            return None
        return cache_key(self.graph, launch.component, launch.bound, caching.cache_key)

    def _prepare(
        self,
        launch: Launch,
        container: Container,
        begun: TaskRecord,
        environment: Mapping[str, str],
        memory_bytes: int | None,
    ) -> Command | None:
        files = AttemptFiles.of(self.job.output_dir, launch.path, launch.attempt)
        component = self.graph.component(launch.component)
        try:
            told = executor_input.build(component, launch.bound, files.uri)
            facts = self.facts.of_task(launch.task, launch.path)
            argv = executor_input.command_line(container, told, facts, launch.bound.late)
            container = local_command.placed(container, launch.bound.aside, launch.path)
            files.prepare()
            lightweight = local_lightweight.read(container)
            if lightweight:
                files.source.write_text(argv[lightweight.source], encoding="utf-8")
        except Rejected as error:
            self.record(replace(begun, status=Status.FAILED, ended_at=self._clock(), error=str(error)))
            return None
        except OSError as error:
            self._fail(begun, f"cannot write to {files.directory}: {error.strerror or error}", None, final=False)
            return None
        self.record(begun)
        own = local_command.is_own_step(argv)
        if lightweight:
            argv = local_lightweight.module_line(argv, len(container.command), str(files.source))
        self.running[launch.path] = Running(launch.component, files, told, own, launch.sheltered)
        return Command(
            argv=argv[2:] if own else argv if lightweight else local_command.program(argv),
            module=own or lightweight is not None,
            environment=local_command.environment(environment, container),
            log=files.log,
            identity=files.identity,
            memory_bytes=local_command.memory_bytes(container.resources, launch.path) or memory_bytes,
        )

    def settle(self) -> None:
        """Note what has been heard of the steps, in order."""
        while self.heard:
            path, event = self.heard[0]
            if isinstance(event, Started):
                # No change of state: it is written with the next one, and the attempt's own directory has it already.
                self.records[path] = replace(self.records[path], pid=event.pid)
            else:
                self._settle_exit(path, event)
                del self.running[path]
            self.heard.popleft()

    def finish(self, progress: Progress) -> Status:
        """Record how the run ended: by its steps, or cancelled with every step that had not."""
        status, error = progress.status, progress.error
        if not status.ended or status is Status.CANCELLED:
            for leaf in progress.leaves:
                known = self._known(leaf.path)
                if not leaf.status.ended or (leaf.status is Status.CANCELLED and not known.status.ended):
                    self.record(replace(known, status=Status.CANCELLED, ended_at=self._clock()))
            status, error = Status.CANCELLED, "cancelled"
        self._write(status, error)
        return status

    def record(self, task: TaskRecord) -> None:
        """Note a step's state, to be written by the next `flush`."""
        self._unwritten.append(task)
        self.records[task.path] = task

    def flush(self) -> None:
        """Write what has been noted. Raises LeaseLost, TryLater: then it is still to be written."""
        if self._unwritten or self._begins:
            self._write(Status.RUNNING if self._begins else None)

    def _write(self, status: Status | None, error: str | None = None) -> None:
        self._journal.record(self.claim, self._unwritten, status, error)
        self._unwritten, self._begins = [], False

    def _known(self, path: str) -> TaskRecord:
        return self.records.get(path) or TaskRecord(path, Status.PENDING)

    def _requeue(self, record: TaskRecord) -> None:
        """Record that an attempt was cut short by its worker's end: it is done again, and does not count."""
        error = "cut short when its worker ended"
        self.record(TaskRecord(record.path, Status.PENDING, record.attempt, error=error, log_tail=record.log_tail))

    def _settle_exit(self, path: str, event: Exited) -> None:
        running, record = self.running[path], self.records[path]
        tail = running.files.tail()
        ended = replace(record, exit_code=event.code, ended_at=self._clock(), log_tail=tail)
        overdue = self.overdue.pop(path, None)
        if overdue and not self.closing:
            self._fail(ended, overdue, event.code, final=False)
        elif event.code == 0:
            try:
                outputs = running.files.outputs(self.graph.component(running.component), running.told)
            except Rejected as error:
                self._fail(ended, f"bad output: {error}", 0, final=False)
                return
            self.record(replace(ended, status=Status.SUCCEEDED, outputs=outputs))
            if running.cache:
                self.cache.keep(running.cache, outputs, f"{self.job.run_id}/{path}")
        elif self.closing:
            self._requeue(ended)
        elif self.cancelling and not running.sheltered:
            self.record(replace(ended, status=Status.CANCELLED, error="cancelled"))
        else:
            final = running.own and event.code == _REJECTED
            self._fail(ended, event.error or _reason(event.code, tail), event.code, final=final)

    def _fail(self, record: TaskRecord, error: str, code: int | None, *, final: bool) -> None:
        """Record a failed attempt: PENDING for the next one while there are retries left, else FAILED."""
        error += AttemptFiles.of(self.job.output_dir, record.path, record.attempt).shortage()
        if final or record.attempt > retries(self.graph, record.path):
            failed = replace(record, status=Status.FAILED, ended_at=self._clock(), exit_code=code, error=error)
        else:
            text = f"attempt {record.attempt}: {error}"
            failed = TaskRecord(
                record.path, Status.PENDING, record.attempt + 1, exit_code=code, error=text, log_tail=record.log_tail
            )
        self.record(failed)


def _reason(code: int | None, tail: str) -> str:
    """Return why a step failed, in one line: how it ended, and the last line of its log."""
    if code is not None and code < 0:
        try:
            how = f"killed by {signal.Signals(-code).name}"
        except ValueError:
            how = f"killed by signal {-code}"
    else:
        how = f"exit code {code}"
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return f"{how}: {lines[-1][:500]}" if lines else how
