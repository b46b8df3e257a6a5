"""A journal in memory, for tests of the engine that are not about storage."""

import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from worker.engine.port import Claim, Job, TaskRecord
from worker.engine.state import Status
from worker.errors import LeaseLost


class MemoryJournal:
    """`worker.engine.port.Journal` within one process."""

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self.records: dict[str, dict[str, TaskRecord]] = {}
        self.leases: dict[str, tuple[int, float]] = {}
        self.history: list[tuple[str, str, Status, int]] = []
        self.calls = 0

    def create(self, job: Job) -> bool:
        """Store a new job."""
        with self._lock:
            if job.run_id in self.jobs:
                return False
            self.jobs[job.run_id] = job
            self.records[job.run_id] = {}
            self.leases[job.run_id] = (0, 0.0)
            return True

    def job(self, run_id: str) -> Job | None:
        """Return a job."""
        self.calls += 1
        return self.jobs.get(run_id)

    def tasks(self, run_id: str) -> Sequence[TaskRecord]:
        """Return the tasks."""
        return list(self.records.get(run_id, {}).values())

    def claim(self, owner: str, *, limit: int, lease_s: float) -> Sequence[Claim]:
        """Lease jobs."""
        del owner
        self.calls += 1
        with self._lock:
            now = time.monotonic()
            free = [i for i, job in self.jobs.items() if not job.status.ended and self.leases[i][1] <= now][:limit]
            for run_id in free:
                self.leases[run_id] = (self.leases[run_id][0] + 1, now + lease_s)
            return [Claim(run_id, self.leases[run_id][0]) for run_id in free]

    def renew(self, claims: Sequence[Claim], *, lease_s: float) -> Sequence[Claim]:
        """Extend leases."""
        with self._lock:
            held = [claim for claim in claims if self.leases[claim.run_id][0] == claim.epoch]
            for claim in held:
                self.leases[claim.run_id] = (claim.epoch, time.monotonic() + lease_s)
            return held

    def release(self, claim: Claim) -> None:
        """Give a lease back."""
        with self._lock:
            if self.leases[claim.run_id][0] == claim.epoch:
                self.leases[claim.run_id] = (claim.epoch + 1, 0.0)

    def record(
        self, claim: Claim, tasks: Sequence[TaskRecord], status: Status | None = None, error: str | None = None
    ) -> None:
        """Store tasks' states, and the job's."""
        with self._lock:
            if self.leases[claim.run_id][0] != claim.epoch:
                raise LeaseLost(claim.run_id)
            for task in tasks:
                self.records[claim.run_id][task.path] = task
                self.history.append((claim.run_id, task.path, task.status, task.attempt))
            if status is not None:
                self.jobs[claim.run_id] = replace(self.jobs[claim.run_id], status=status, error=error)
                if status.ended:
                    self.leases[claim.run_id] = (claim.epoch + 1, 0.0)

    def to_cancel(self, run_ids: Sequence[str]) -> Collection[str]:
        """Return those marked for cancellation."""
        self.calls += 1
        return {run_id for run_id in run_ids if run_id in self.jobs and self.jobs[run_id].cancel_requested}

    def request_cancel(self, run_id: str) -> None:
        """Mark for cancellation."""
        with self._lock:
            job = self.jobs[run_id]
            if not job.status.ended:
                waits = job.status is Status.QUEUED and self.leases[run_id][1] <= time.monotonic()
                status = Status.CANCELLED if waits else job.status
                self.jobs[run_id] = replace(job, cancel_requested=True, status=status)

    def take_over(self, run_id: str) -> None:
        """Do as if another process had claimed the run."""
        with self._lock:
            self.leases[run_id] = (self.leases[run_id][0] + 1, time.monotonic() + 3600)
