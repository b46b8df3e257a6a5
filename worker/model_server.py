"""What the container of a Vertex endpoint runs: `python -m worker.model_server`, told by Vertex's `AIP_*` variables.

Exit codes: 0 asked to stop, 2 the model is not one that is served (the last line says why), 3 the port is taken.
"""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import structlog

from worker.errors import ColonyError, Rejected, TryLater
from worker.models.port import Predictor

log = structlog.get_logger()

REJECTED, TAKEN = 2, 3
_PAUSE_S = 1.0
#: How often it looks what is live.
_LOOK_S = 2.0
#: For requests in hand when it is asked to stop, in seconds.
_GRACE_S = 5


def main(environment: Mapping[str, str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the port is open at once, and healthy once the model is loaded."""
    from worker.telemetry import configure

    configure(json=True, level=os.environ.get("COLONY_LOG_LEVEL") or "info")
    environment = os.environ if environment is None else environment
    try:
        listening = _listen(environment)
    except ColonyError as error:
        print(f"cannot serve: {error}", file=sys.stderr)  # noqa: T201 - the last word of the process
        return TAKEN if isinstance(error, TryLater) else REJECTED
    return _serve(listening, environment)


def _serve(listening: socket.socket, environment: Mapping[str, str]) -> int:
    import uvicorn

    from worker.adapters.models.server.api import Served, build
    from worker.adapters.models.server.fleet import Fleet

    served, refused = Served(), threading.Event()
    api = build(
        served,
        health=environment.get("AIP_HEALTH_ROUTE") or "/health",
        predict=environment.get("AIP_PREDICT_ROUTE") or "/predict",
    )
    quiet: dict[str, Any] = {"log_config": None, "log_level": "warning", "access_log": False, "server_header": False}
    server = uvicorn.Server(uvicorn.Config(api, lifespan="off", timeout_graceful_shutdown=_GRACE_S, **quiet))

    def load() -> None:
        try:
            model = _loaded(environment)
            _follow(served, Fleet((environment.get("COLONY_MODEL_VERSION", ""), model)), environment)
        except Exception as error:
            # What cannot be loaded now never will be: whoever deployed it is to see why.
            log.exception("the model is not served", reason=str(error))
            refused.set()
            server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        # The server ends by itself when it is asked to, and then hands the signal on: to nobody.
        signal.signal(number, lambda *_: None)
    threading.Thread(target=load, name="colony-load", daemon=True).start()
    log.info("listening", host=listening.getsockname()[0], port=listening.getsockname()[1])
    server.run(sockets=[listening])
    return REJECTED if refused.is_set() else 0


def _follow(served: Any, fleet: Any, environment: Mapping[str, str]) -> None:
    """Serve what this server is told is live, where it is told of anything; as long as the process lives."""
    uri = environment.get("COLONY_LIVE_URI")
    if not uri:
        served.fleet = fleet
        return
    from worker.adapters.models.server.follower import Follower
    from worker.adapters.models.server.loading import load_artifact, storage_of
    from worker.adapters.models.skops_format import SkopsFormat
    from worker.models.live import LIMIT

    storage, format_ = storage_of(environment), SkopsFormat()
    follower = Follower(
        fleet,
        lambda: storage.read(uri, limit=LIMIT),
        lambda artifact: load_artifact(artifact, environment, format_),
        lambda new: setattr(served, "fleet", new),
    )
    # A server that comes up in the middle of a rollout must not give its own version to everybody first.
    follower.look()
    served.fleet = served.fleet or fleet
    follower.run(_LOOK_S, threading.Event())


def _loaded(environment: Mapping[str, str]) -> Predictor:
    from worker.adapters.models.server.loading import load_model
    from worker.adapters.models.skops_format import SkopsFormat

    begun = time.monotonic()
    while True:
        try:
            model = load_model(environment, SkopsFormat())
        except TryLater as error:
            log.warning("the model cannot be fetched yet", reason=str(error))
            time.sleep(_PAUSE_S)
            continue
        log.info("the model is loaded", features=list(model.metadata["kinds"]), seconds=time.monotonic() - begun)
        return model


def _listen(environment: Mapping[str, str]) -> socket.socket:
    given = environment.get("AIP_HTTP_PORT") or "8080"
    if not given.isdecimal() or int(given) > 65535:
        raise Rejected(f"{given!r} is not a port", field="AIP_HTTP_PORT", mend="set it to a number up to 65535")
    # Vertex AI reaches a container from outside, and lets nobody else in.
    address = (environment.get("COLONY_HOST") or "0.0.0.0", int(given))  # noqa: S104
    try:
        return socket.create_server(address)
    except OSError as error:
        raise TryLater(f"cannot listen on {address[0]}:{address[1]}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
