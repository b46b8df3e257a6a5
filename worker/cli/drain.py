"""`colony drain`: everything that is there now, then exit; the form of a Cloud Run job."""

import signal
import time
from collections.abc import Callable
from threading import Event
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.drained import Intake
from worker.cli.follow import Running
from worker.cli.stopping import flag_on
from worker.errors import TryLater
from worker.heap import settle

WORK_LEFT = 3
#: How long intake may fail without a break before a job stops paying for the attempt.
_FAULT_S = 60.0


@click.command("drain")
@click.option("--from", "source", help="With the local bus: read events from this file, or - for standard input.")
@click.option("--max-seconds", type=click.FloatRange(min=0), default=3600.0, show_default=True,
              help="Stop after so long.")  # fmt: skip
@click.option("--idle-seconds", type=click.FloatRange(min=0), default=5.0, show_default=True,
              help="A live bus counts as empty after so long without a message.")  # fmt: skip
@click.option("--max-messages", type=click.IntRange(min=1), help="Stop after so many messages.")
def command(source: str | None, max_seconds: float, idle_seconds: float, max_messages: int | None) -> int:
    """Take events until there are none, finish local runs (remote ones are left to the next drain), publish.

    Exits with 0 when nothing is left, with 3 when it stopped first (time, messages, SIGTERM, or a part that is away),
    and with another code for an error.
    """
    stopped = flag_on(signal.SIGTERM)
    end = time.monotonic() + max_seconds
    with opened(source=source, level="info") as app:
        app.verify()
        with Running(app) as running:
            _due(app.scheduler.turn)
            _due(app.verifier.turn)
            _due(app.ab_watch.turn)
            intake = Intake(app, idle_seconds, max_messages)
            settle()
            left = _work(app, intake, running, end, stopped)
        click.echo(f"{intake.taken} messages taken; {'work is left' if left else 'nothing is left'}", err=True)
        return WORK_LEFT if left else 0


def _due(turn: Callable[[], int]) -> int:
    """Do what is due now, and return how much that was; the loop beside goes on looking."""
    try:
        return turn()
    except TryLater as error:
        click.echo(f"colony: {error}", err=True)
        return 0


def _work(app: Any, intake: Intake, running: Running, end: float, stopped: Event) -> bool:
    """Work until all is done or it is time to stop, and tell whether something is left. Raises TryLater."""
    remote = not app.engine.local
    loop = app.loop("intake", intake.turn, idle_s=0.05)
    # It is stopped together with the others: they share the time there is.
    running.loops.append(loop)
    loop.start()
    well = time.monotonic()
    while time.monotonic() < end and not stopped.is_set():
        # Events that came are evidence, too: only when that takes nothing on is all done.
        looked = intake.done.is_set() and not running.due(remote=remote)
        if looked and not _due(app.verifier.turn) and not _due(app.ab_watch.turn):
            break
        well = time.monotonic() if loop.fault is None else well
        if time.monotonic() - well > _FAULT_S and not intake.done.is_set():
            raise TryLater(str(loop.fault))
        stopped.wait(0.05)
    return not intake.done.is_set() or intake.left or running.due(remote=remote)
