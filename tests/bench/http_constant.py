"""A process of its own: bare Starlette that answers with a constant, behind the very uvicorn that the colony has.

`python -m tests.bench.http_constant FILE` answers with the file's bytes and prints its port.
"""

import sys
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.http.access import Access
from handlers.http.server import Server


def main(file: Path) -> None:
    """Serve until killed."""
    body = file.read_bytes()

    async def constant(_: Request) -> Response:
        return Response(body, media_type="application/json")

    app = Starlette(routes=[Route("/constant", constant, methods=["GET", "POST"])])
    # `guarded`, which it is not: so that nothing of ours stands before it.
    app.state.access = Access(guarded=True)
    server = Server(app, "127.0.0.1", 0)  # type: ignore[arg-type]
    server.start()
    print(server.port, flush=True)
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
