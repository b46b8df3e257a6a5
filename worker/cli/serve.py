"""`colony serve`: the HTTP API."""

import contextlib
import signal
from typing import Any

import click

from worker.cli.common import opened
from worker.cli.run import start_loops
from worker.cli.stopping import flag_on, stop_loops
from worker.loops import Loop


@click.command("serve")
@click.option("--host", help="Where to listen (default: COLONY_HOST, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Which port (default: COLONY_PORT, 8080; 0: any free one).")
@click.option("--with-worker", is_flag=True, help="Run the worker's loops in this process, too.")
def command(host: str | None, port: int | None, *, with_worker: bool) -> int:
    """Serve /api/mlops: pipelines, models, predict, decisions, health, metrics. Until SIGTERM or SIGINT.

    On loopback whoever is on this machine may do everything. Beyond it callers show a token (`colony tokens create`) or
    a Google ID token (COLONY_AUTH_AUDIENCE, COLONY_AUTH_EMAILS); without one of the two the server does not start.
    """
    from handlers.http.server import Server

    stopped = flag_on(signal.SIGTERM, signal.SIGINT)
    with opened(level="info") as app:
        where = host or app.settings.host
        app.checks()["configuration"]()
        _begin_features(app)
        loops: list[Loop] = []
        server = Server(app.http(loops, where), where, app.settings.port if port is None else port)
        if with_worker:
            loops += start_loops(app)
        server.start()
        click.echo(f"colony: http://{where}:{server.port}/api/mlops", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
        for loop in loops:
            loop.stop()
        server.stop()
        stop_loops(loops)
    return 0


def _begin_features(app: Any) -> None:
    """Let a feature store that begins on this machine begin with the features of the configuration.

    Only then: what is deleted stays deleted, and definitions on Google are changed by `colony features define` alone.
    """
    if app.settings.backend("features", "google") == "local" and not (app.settings.home / "features").exists():
        defined = app.define_features()
        click.echo(f"colony: a new feature store, with the {len(defined)} features of the configuration", err=True)
