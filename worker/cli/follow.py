"""Follow a run on a terminal: its steps as they change, then its verdict with the gate's numbers."""

import sys
import time
from collections.abc import Callable
from typing import Any, Self

import click

from worker.cli.stopping import stop_loops
from worker.engine.state import Status
from worker.loops import Loop
from worker.runs.lifecycle import Run, Verdict

_MARKS = {
    Status.SUCCEEDED: click.style("✓", fg="green"),
    Status.FAILED: click.style("✗", fg="red"),
    Status.CANCELLED: click.style("■", fg="yellow"),
    Status.SKIPPED: "↷",
    Status.RUNNING: "…",
}
GOOD = set(Verdict) - {Verdict.FAILED, Verdict.CANCELLED}


def follow(app: Any, run_id: str, *, quiet: bool = False) -> Run:
    """Wait until a run is settled, telling each step's change; the loops must be running in some process."""
    say: Callable[[str], None] = (lambda _: None) if quiet else click.echo
    told: dict[str, Status] = {}
    while True:
        with app.ledger.begin(write=False) as transaction:
            run: Run = transaction.runs.get(run_id)
            steps = transaction.runs.steps(run_id)
        for step in steps:
            if told.get(step.step_id) != step.status and (step.status.ended or step.status is Status.RUNNING):
                told[step.step_id] = step.status
                _tell(step, say)
        if run.settled:
            for line in verdict_lines(run):
                say(line)
            return run
        time.sleep(0.1)


def _tell(step: Any, say: Callable[[str], None]) -> None:
    if step.status.ended:
        say(step_line(step))
    elif sys.stdout.isatty():
        # Overwritten by the same step's end: a file or a pipe would keep both.
        click.echo(step_line(step) + "\r", nl=False)


def step_line(step: Any, width: int = 18) -> str:
    """Return a step's state in one line; `width` is that of its name's column."""
    took = f"{(step.ended_at - step.started_at).total_seconds():6.2f} s" if step.ended_at and step.started_at else ""
    again = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    error = f"  {step.error}" if step.error else ""
    return f"      {_MARKS.get(step.status, ' ')} {step.step_id:<{width}} {step.status.value:<10}{took}{again}{error}"


def verdict_lines(run: Run) -> list[str]:
    """Return the run's end in words: verdict, the gate's numbers, the cost."""
    verdict = run.verdict.value if run.verdict else run.status.value
    colour = (
        "green" if run.verdict in {Verdict.DEPLOYED, Verdict.COMPLETED} else "yellow" if run.verdict in GOOD else "red"
    )
    lines = [f"      → {click.style(verdict.upper(), fg=colour, bold=True)}"]
    outcome = run.outcome or {}
    gate = outcome.get("gate") or {}
    if gate:
        lines += [f"        {line}" for line in gate_lines(gate)]
    reason = run.error or (outcome.get("reason") if run.verdict is not Verdict.DEPLOYED else "")
    if reason:
        lines.append(f"        {'' if run.verdict is Verdict.COMPLETED else 'because: '}{reason}")
    cost = (outcome.get("cost") or {}).get("cpuSeconds")
    if cost is not None:
        lines.append(f"        cost: {cost:.1f} CPU seconds")
    return lines


def gate_lines(gate: Any) -> list[str]:
    """Return the gate's numbers in words."""

    def shown(name: str) -> str:
        value = gate.get(name)
        return f"{value:.3f}" if isinstance(value, int | float) else "undefined"

    opponent = "naive baseline" if gate.get("baseline") else "champion"
    confidence = gate.get("confidence")
    level = f"{confidence:.0%}" if isinstance(confidence, int | float) else "?"
    positives = "" if gate.get("positives") is None else f" ({gate['positives']} positive)"
    rows = f"{gate.get('metric')} on {gate.get('rows')} unseen rows{positives}"
    interval = f"difference {shown('difference')}, {level} interval {shown('lower')} to {shown('upper')}"
    return [
        f"{rows}: {opponent} {shown('champion')}, challenger {shown('challenger')}",
        f"{interval}, must lie above {shown('margin')}",
    ]


class Running:
    """Starts engine and loops for the time of a `with` block."""

    def __init__(self, app: Any) -> None:
        """Nothing is started yet."""
        self._app = app
        self.loops: list[Loop] = []

    def __enter__(self) -> Self:
        """Start."""
        self._app.engine.start()
        self.loops = self._app.loops()
        for loop in self.loops:
            loop.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the loops; what they had in hand is finished or taken up by the next process."""
        stop_loops(self.loops)

    def settle(self, *, remote: bool = False) -> None:
        """Wait until nothing is due: every run settled (remote ones only launched), every event published."""
        while self.due(remote=remote):
            time.sleep(0.05)

    def due(self, *, remote: bool = False) -> bool:
        """Tell whether something is left to do here."""
        with self._app.ledger.begin(write=False) as transaction:
            runs = transaction.runs.list(settled=False)
            waiting = bool(transaction.outbox.waiting())
        pending = any(run.status is Status.PENDING for run in runs)
        return waiting or pending or (bool(runs) and not remote)
