"""`colony drain`: everything that is there now, then exit; the form of a Cloud Run job."""

import signal
import time
from threading import Event
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.follow import Running
from worker.cli.stopping import flag_on
from worker.errors import TryLater

WORK_LEFT = 3


@click.command("drain")
@click.option("--from", "source", help="With the local bus: read events from this file, or - for standard input.")
@click.option("--max-seconds", type=float, default=3600.0, show_default=True, help="Stop after so long.")
@click.option("--idle-seconds", type=float, default=5.0, show_default=True,
              help="A live bus counts as empty after so long without a message.")  # fmt: skip
def command(source: str | None, max_seconds: float, idle_seconds: float) -> int:
    """Take events until there are none, finish local runs (remote ones are left to the next drain), publish.

    Exits with 0 when nothing is left or SIGTERM asked to stop (the next drain goes on), with 3 when time ran out first.
    """
    stopped = flag_on(signal.SIGTERM)
    end = time.monotonic() + max_seconds
    with opened(source=source, level="info") as app, Running(app) as running:
        _schedules(app)
        taken = _take(app, idle_seconds, end, stopped)
        while running.due(remote=not app.engine.local) and time.monotonic() < end and not stopped.wait(0.05):
            pass
        left = running.due(remote=not app.engine.local)
        click.echo(f"{taken} messages taken; {'work is left' if left else 'nothing is left'}", err=True)
        return WORK_LEFT if left and not stopped.is_set() else 0


def _schedules(app: Any) -> None:
    """Ask for what is due now; the loop beside goes on looking."""
    try:
        app.scheduler.turn()
    except TryLater as error:
        click.echo(f"colony: {error}", err=True)


def _take(app: object, idle_seconds: float, end: float, stopped: Event) -> int:
    consumer = app.consumer()  # type: ignore[attr-defined]
    subscription = app.subscription  # type: ignore[attr-defined]
    taken, last = 0, time.monotonic()
    while time.monotonic() < end and not stopped.is_set() and not subscription.exhausted():
        count = consumer.turn(min(1.0, idle_seconds))
        taken += count
        if count:
            last = time.monotonic()
        elif time.monotonic() - last >= idle_seconds:
            break
    return taken
