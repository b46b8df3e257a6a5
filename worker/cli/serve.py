"""`colony serve`: the HTTP API."""

import contextlib
import signal

import click

from worker.cli.common import opened
from worker.cli.run import start_loops
from worker.cli.stopping import flag_on, stop_loops


@click.command("serve")
@click.option("--host", help="Where to listen (default: COLONY_HOST, 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Which port (default: COLONY_PORT, 8080; 0: any free one).")
@click.option("--with-worker", is_flag=True, help="Run the worker's loops in this process, too.")
def command(host: str | None, port: int | None, *, with_worker: bool) -> int:
    """Serve /api/mlops: health, models, predict, decisions. Until SIGTERM or SIGINT."""
    from handlers.http.server import Server

    stopped = flag_on(signal.SIGTERM, signal.SIGINT)
    with opened(level="info") as app:
        loops = start_loops(app) if with_worker else []
        chosen = app.settings.port if port is None else port
        server = Server(app.http(loops), host or app.settings.host, chosen)
        server.start()
        click.echo(f"colony: http://{host or app.settings.host}:{server.port}/api/mlops", err=True)
        with contextlib.suppress(KeyboardInterrupt):
            stopped.wait()
        server.stop()
        stop_loops(loops)
    return 0
