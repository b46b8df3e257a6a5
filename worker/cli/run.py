"""`colony run`: the long-lived worker; ends well on SIGTERM within 8 seconds."""

import signal
from functools import partial
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.probes import Probes, probing
from worker.cli.stopping import flag_on, stop_loops
from worker.heap import settle
from worker.ledger import Ledger
from worker.loops import Loop


@click.command("run")
@click.option("--from", "source", help="With the local bus: read events from this file, or - for standard input.")
@click.option("--http/--no-http", "http", default=False, help="Serve the HTTP API as well (COLONY_HOST, COLONY_PORT).")
def command(source: str | None, *, http: bool) -> int:
    """Take events, decide, launch and watch runs, deploy what passed its gate, publish. Until SIGTERM or SIGINT.

    With COLONY_HEALTH_PORT, /healthz, /livez and /readyz answer there from the start on.
    """
    with probing() as probes, opened(source=source, level="info") as app:
        work(app, probes, http=http)
    return 0


def work(app: Any, probes: Probes, *, http: bool) -> None:
    """Run every loop until a signal asks to stop."""
    stopped = flag_on(signal.SIGTERM, signal.SIGINT)
    app.verify()
    loops: list[Loop] = []
    server = None
    if http:
        from handlers.http.server import Server

        # Built first: an address that may not be listened on is refused before anything runs.
        server = Server(app.http(loops), app.settings.host, app.settings.port)
    loops += start_loops(app)
    probes.watch(loops, partial(unsettled, app.ledger))
    if server:
        server.start()
        click.echo(f"colony: http://{app.settings.host}:{server.port}/api/mlops", err=True)
    click.echo("colony: running; stop with Ctrl-C", err=True)
    stopped.wait()
    click.echo("colony: stopping", err=True)
    for loop in loops:
        loop.stop()
    if server:
        server.stop()
    stop_loops(loops)


def unsettled(ledger: Ledger) -> int:
    """Ask the ledger something small. Raises TryLater."""
    with ledger.begin(write=False) as transaction:
        return transaction.runs.unsettled()


def start_loops(app: Any) -> list[Loop]:
    """Start the engine, the intake and the loops behind it."""
    app.engine.start()
    consumer = app.consumer()
    loops: list[Loop] = [app.loop("intake", lambda: consumer.turn(1.0), idle_s=0.2), *app.lasting_loops()]
    settle()
    for loop in loops:
        loop.start()
    return loops
