"""The engine's one thread: claims runs, starts their steps, hears of ends, keeps leases, and stops in good order."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from worker.adapters.engine.local_run import ClaimedRun
from worker.adapters.engine.local_spawn import Exited
from worker.adapters.engine.local_steps import Bell, Steps
from worker.clock import Clock
from worker.engine.plan import Again, Launch, Progress
from worker.engine.port import Claim, Journal
from worker.engine.state import Status
from worker.errors import ColonyError, LeaseLost, NotFound, TryLater

#: How often the journal is asked for what other processes submitted or cancelled.
POLL_S = 0.2
#: How long to wait after the journal could not be reached.
_PAUSE_S = 0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Limits:
    """How much at a time, and how long things may take."""

    max_steps: int
    max_runs: int
    lease_s: float
    memory_bytes: int | None
    cancel_grace_s: float
    step_s: float | None = None


class Loop:
    """Drives claimed runs; all its state belongs to its thread but the two flags and the bell."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        owner: str,
        limits: Limits,
        *,
        environment: Mapping[str, str],
        preload: Sequence[str],
    ) -> None:
        """Remember what the thread will need."""
        self._journal, self._clock, self._owner, self._limits = journal, clock, owner, limits
        self._environment = environment
        self._steps = Steps(preload)
        self._runs: dict[str, ClaimedRun] = {}
        self._poll_at = self._renew_at = 0.0
        self._thread: threading.Thread | None = None
        self._stop_grace_s: float | None = None
        self._prodded = False
        self._bell = Bell()

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._thread is None:
            self._stop_grace_s = None
            self._bell.open()
            self._thread = threading.Thread(target=self._work, name="local-engine", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        """Look at the journal now: something was submitted or cancelled."""
        self._prodded = True
        self._bell.ring()

    def close(self, grace_s: float) -> None:
        """End the steps, release the claims, and wait until that is done."""
        if self._thread is not None:
            self._stop_grace_s = grace_s
            self.wake()
            self._thread.join()
            self._thread = None
            self._bell.close()

    def _work(self) -> None:
        try:
            while self._stop_grace_s is None:
                self._guarded(self._turn)
            self._guarded(self._wind_down)
        finally:
            self._steps.close()
            self._runs.clear()

    def _guarded(self, work: Callable[[], None]) -> None:
        """Do one turn; a fault that is nobody's in particular is logged, and the next turn comes a little later."""
        try:
            work()
        except TryLater as error:
            _log.warning("the engine waits: %s", error)
            self._steps.wait(_PAUSE_S, self._bell)
        except Exception:  # noqa: BLE001 (the thread's last frame: logged, and the loop goes on)
            _log.exception("the engine met a fault")
            self._steps.wait(_PAUSE_S, self._bell)

    def _turn(self) -> None:
        now = time.monotonic()
        self._hear()
        if now >= self._renew_at:
            self._renew()
        if now >= self._poll_at or self._prodded:
            self._prodded = False
            self._poll_at = now + POLL_S
            self._look_for_cancels()
            self._claim()
        for run in list(self._runs.values()):
            if now >= run.due:
                self._drive(run)
        wake_at = min(self._poll_at, self._renew_at, *(run.due for run in self._runs.values()))
        self._steps.wait(wake_at - time.monotonic(), self._bell)

    def _hear(self) -> None:
        if self._steps.hear():
            self._feed()

    def _feed(self) -> None:
        """A place for a step is free: let the runs that wait for one look."""
        for run in self._runs.values():
            if run.hungry:
                run.due = 0.0

    def _renew(self) -> None:
        claims = [run.claim for run in self._runs.values()]
        self._renew_at = time.monotonic() + self._limits.lease_s / 3
        held = set(self._journal.renew(claims, lease_s=self._limits.lease_s))
        for claim in claims:
            if claim not in held:
                self._let_go(self._runs[claim.run_id])

    def _claim(self) -> None:
        free = self._limits.max_runs - len(self._runs)
        if free > 0:
            for claim in self._journal.claim(self._owner, limit=free, lease_s=self._limits.lease_s):
                self._begin(claim)

    def _begin(self, claim: Claim) -> None:
        """Take over a run. Whatever fails here, the lease runs out and the run is claimed again."""
        job = self._journal.job(claim.run_id)
        if job is None:
            raise NotFound(f"the journal lost run {claim.run_id}")
        try:
            run = ClaimedRun(job, claim, self._journal, self._clock)
            run.resume()
        except LeaseLost:
            return
        except TryLater:
            raise
        except ColonyError as error:
            self._journal.record(claim, [], Status.FAILED, str(error))
            return
        self._runs[claim.run_id] = run
        if run.has_own_steps:
            self._steps.warm()

    def _look_for_cancels(self) -> None:
        going_on = [run.job.run_id for run in self._runs.values() if not run.cancelling]
        for run_id in self._journal.to_cancel(going_on) if going_on else ():
            self._runs[run_id].cancelling = True
            self._runs[run_id].due = 0.0

    def _drive(self, run: ClaimedRun) -> None:
        """Take a run as far as it goes now; what cannot be written yet is not acted on."""
        try:
            self._advance(run)
        except LeaseLost:
            self._let_go(run)
        except TryLater as error:
            _log.warning("run %s waits: %s", run.job.run_id, error)
            run.due = time.monotonic() + _PAUSE_S
        except Exception as error:  # noqa: BLE001 (one run's fault must not stop the others)
            _log.exception("run %s met a fault", run.job.run_id)
            self._abandon(run, f"the engine failed: {error!r}")

    def _advance(self, run: ClaimedRun) -> None:
        run.settle()
        progress = run.progress()
        run.note(progress)
        run.due, run.hungry = float("inf"), False
        if run.cancelling:
            self._end_steps(run, self._limits.cancel_grace_s, spare=run.sheltered)
        self._end_overdue(run)
        for launch in progress.launches:
            self._launch(run, launch)
        for again in progress.again:
            self._try_again(run, again)
        if not run.running and progress.status.ended:
            self._finish(run, progress)
        else:
            run.flush()
            self._start(run)

    def _try_again(self, run: ClaimedRun, again: Again) -> None:
        now = time.monotonic()
        due = run.retry_at.setdefault(again.path, now + again.wait_s)
        if due <= now:
            run.try_again(again)
            del run.retry_at[again.path]
            due = 0.0
        run.due = min(run.due, due)

    def _launch(self, run: ClaimedRun, launch: Launch) -> None:
        now = time.monotonic()
        if launch.path in run.running:
            return
        due = run.retry_at.setdefault(launch.path, now + launch.wait_s)
        if due > now:
            run.due = min(run.due, due)
        elif len(self._steps) + sum(len(one.ready) for one in self._runs.values()) >= self._limits.max_steps:
            run.hungry = True
        else:
            del run.retry_at[launch.path]
            if not run.prepare(launch, self._environment, self._limits.memory_bytes):
                run.due = 0.0

    def _start(self, run: ClaimedRun) -> None:
        """Start the steps whose beginning is in the journal, but those that a cancellation has overtaken."""
        ready, run.ready = run.ready, []
        for launch, command in ready:
            if run.cancelling and not launch.sheltered:
                run.hear(launch.path, Exited(launch.path, None, "cancelled"))
                continue
            self._steps.start(run, launch, command)
            if self._limits.step_s is not None:
                due = time.monotonic() + self._limits.step_s
                run.deadlines[launch.path] = (due, signal.SIGTERM)
                run.due = min(run.due, due)

    def _end_overdue(self, run: ClaimedRun) -> None:
        """Send TERM to the steps that take longer than they may, and KILL once the grace is over."""
        now = time.monotonic()
        for path, (due, number) in list(run.deadlines.items()):
            if path not in run.running:
                del run.deadlines[path]
            elif due > now:
                run.due = min(run.due, due)
            else:
                run.overdue[path] = f"took longer than {self._limits.step_s:g} s"
                self._steps.signal(run, number, spare=run.running.keys() - {path})
                again = now + self._limits.cancel_grace_s if number is signal.SIGTERM else float("inf")
                run.deadlines[path] = (again, signal.SIGKILL)
                run.due = min(run.due, again)

    def _end_steps(self, run: ClaimedRun, grace_s: float, *, spare: Collection[str] = ()) -> None:
        """Send TERM to the run's steps but the spared ones, and KILL once the grace is over."""
        now = time.monotonic()
        if run.kill_at is None:
            run.kill_at = now + grace_s
            self._steps.signal(run, signal.SIGTERM, spare=spare)
        if now >= run.kill_at and not run.killed:
            run.killed = True
            self._steps.signal(run, signal.SIGKILL, spare=spare)
        if not run.killed:
            run.due = min(run.due, run.kill_at)

    def _finish(self, run: ClaimedRun, progress: Progress) -> None:
        status = run.finish(progress)
        self._runs.pop(run.job.run_id)
        self._poll_at = 0.0
        _log.info("run %s %s", run.job.run_id, status)

    def _let_go(self, run: ClaimedRun) -> None:
        """Kill what still runs here of a run that another process has taken over."""
        _log.warning("run %s was taken over by another process", run.job.run_id)
        self._forget(run)

    def _abandon(self, run: ClaimedRun, error: str) -> None:
        self._forget(run)
        with suppress(LeaseLost):
            self._journal.record(run.claim, [], Status.FAILED, error)

    def _forget(self, run: ClaimedRun) -> None:
        self._steps.forget(run)
        self._runs.pop(run.job.run_id, None)
        self._feed()

    def _wind_down(self) -> None:
        """End all steps within the grace, record them as to be done again, and release the claims."""
        grace_s = self._stop_grace_s or 0.0
        for run in self._runs.values():
            run.closing, run.kill_at = True, None
            self._end_steps(run, grace_s)
        give_up = time.monotonic() + grace_s + _PAUSE_S * 4
        while self._steps and time.monotonic() < give_up:
            self._steps.wait(POLL_S / 4, self._bell)
            self._hear()
            for run in self._runs.values():
                self._end_steps(run, grace_s)
        for run in list(self._runs.values()):
            try:
                run.settle()
                run.flush()
                self._journal.release(run.claim)
            except ColonyError as error:
                _log.warning("run %s could not be handed back, its lease will run out: %s", run.job.run_id, error)
