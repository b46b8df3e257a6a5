"""pytest plugin: the real parts that tests start themselves. Load with `pytest_plugins = ["tests.emulators"]`."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

START_S = 120.0


@pytest.fixture(name="pubsub_emulator", scope="session")
def _pubsub_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give `host:port` of a Pub/Sub emulator of the Cloud SDK, started once and ended with the session."""
    program = pubsub_program()
    if program is None:
        absent("the Pub/Sub emulator of the Cloud SDK (and java) is not on this machine")
    else:
        log = tmp_path_factory.mktemp("pubsub") / "emulator.log"
        with running(program, log) as address:
            yield address


def absent(reason: str) -> None:
    """Skip on a laptop, fail where everything has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def pubsub_program() -> Path | None:
    """Return the emulator's start script, found by CLOUDSDK_ROOT_DIR or through `gcloud` on the path."""
    root = os.environ.get("CLOUDSDK_ROOT_DIR")
    gcloud = shutil.which("gcloud")
    roots = [Path(root)] if root else []
    if gcloud:
        roots.append(Path(gcloud).resolve().parent.parent)
    found = (folder / "platform/pubsub-emulator/bin/cloud-pubsub-emulator" for folder in roots)
    program = next((path for path in found if path.exists()), None)
    return program if shutil.which("java") else None


@contextmanager
def running(program: Path, log: Path) -> Iterator[str]:
    """Run the emulator in its own process group on a free port; give `host:port` once it listens."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "--host=127.0.0.1", f"--port={port}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await_port(port, process, log)
        yield f"127.0.0.1:{port}"
    finally:
        end_group(process)


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return once the port takes connections; fail with the log if the process ends or takes too long."""
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"the emulator does not listen: {log.read_text(errors='replace')[-2000:]}")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started, gently, then for good."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=5)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
