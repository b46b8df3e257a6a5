import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.emulators import free_port
from tests.worker.cli.test_start import HEAVY
from worker.cli.probes import STUCK_S, Probes
from worker.errors import TryLater
from worker.loops import Loop

ROOT = Path(__file__).parents[3]


def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, Any]]:
    """Return status and body of a probe."""
    request = Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read() or b"{}")
    except HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


def until(found: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found():
            return
        time.sleep(0.02)
    pytest.fail("it did not happen in time")


@pytest.fixture(name="port")
def _port() -> int:
    return free_port()


@pytest.fixture(name="probes")
def _probes(port: int) -> Iterator[Probes]:
    """Give probes that listen."""
    probes = Probes(port)
    probes.start()
    yield probes
    probes.close()


@pytest.fixture(name="loop")
def _loop() -> Iterator[Loop]:
    """Give a loop that turns and does nothing."""
    loop = Loop("intake", lambda: 0, idle_s=0.01)
    loop.start()
    yield loop
    loop.stop()
    loop.join()


def test_it_answers_before_anything_is_there(probes: Probes, port: int) -> None:
    """While the start goes on the process is alive, and not ready; other paths are not found."""
    assert ask(port, "/healthz") == (200, {"status": "ok", "away": []})
    assert ask(port, "/livez")[0] == 200
    assert ask(port, "/readyz") == (503, {"status": "unavailable", "away": ["start"]})
    assert ask(port, "/metrics")[0] == 404
    assert ask(port, "/healthz?x=1", "HEAD") == (200, {})


def test_it_is_ready_once_loops_turn_and_the_ledger_answers(probes: Probes, port: int, loop: Loop) -> None:
    """A ledger that is away makes the worker unready, and neither dead nor restarted."""
    away: list[str] = []

    def ledger() -> None:
        if away:
            raise TryLater("the database is away")

    probes.watch([loop], ledger)
    assert ask(port, "/readyz") == (200, {"status": "ok", "away": []})
    away.append("x")
    assert ask(port, "/readyz") == (503, {"status": "unavailable", "away": ["ledger"]})
    assert ask(port, "/livez")[0] == 200


def test_a_fault_makes_it_unready_only_where_the_loop_is_vital(probes: Probes, port: int, loop: Loop) -> None:
    """What a faulty policy beside the one in force does is told elsewhere."""
    probes.watch([loop], lambda: None)
    loop._turn = lambda: (_ for _ in ()).throw(TryLater("Pub/Sub is away"))
    until(lambda: ask(port, "/readyz") == (503, {"status": "unavailable", "away": ["colony-intake"]}))

    loop.vital = False
    assert ask(port, "/readyz")[0] == 200


def test_a_loop_that_hangs_or_has_ended_is_dead(probes: Probes, port: int) -> None:
    """A turn beyond all patience, or a thread that is gone: only a new process mends that."""
    go = threading.Event()
    loop = Loop("runs", lambda: int(go.wait(60)) * 0, idle_s=0.01)
    probes.watch([loop], lambda: None)
    assert ask(port, "/livez")[1]["away"] == ["colony-runs"]
    loop.start()
    until(lambda: loop.turning_since is not None)
    assert ask(port, "/livez")[0] == 200

    loop.turning_since = time.monotonic() - STUCK_S - 1
    assert ask(port, "/livez") == (503, {"status": "unavailable", "away": ["colony-runs"]})
    assert ask(port, "/readyz")[0] == 503

    go.set()
    until(lambda: ask(port, "/livez")[0] == 200)
    loop.stop()
    loop.join()


def test_a_port_that_is_taken_is_said_so(probes: Probes, port: int) -> None:
    """The setting is named."""
    with pytest.raises(TryLater, match=f"COLONY_HEALTH_PORT {port}"):
        Probes(port).start()


def test_without_a_port_nothing_listens() -> None:
    """The default is none."""
    probes = Probes(0)
    probes.start()
    assert probes._server is None
    probes.close()


def test_nothing_heavy_is_loaded_before_the_port_answers(port: int) -> None:
    """What a start-up probe waits for is a fraction of a second of imports, whatever the adapters load after it."""
    program = (
        "import json, sys\n"
        "import worker.cli.run\n"
        "from worker.cli.probes import probing\n"
        "from urllib.request import urlopen\n"
        "with probing():\n"
        f"    print(json.dumps([urlopen('http://127.0.0.1:{port}/healthz').status, sorted(sys.modules)]))\n"
    )
    variables = {"PATH": "", "COLONY_HEALTH_PORT": str(port), "COLONY_HOME": "nowhere"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=variables, capture_output=True, text=True, check=True, timeout=60
    )

    status, loaded = json.loads(done.stdout)
    assert status == 200
    assert set(HEAVY) & set(loaded) == set()


def test_run_answers_on_the_port_of_the_settings(tmp_path: Path, port: int) -> None:
    """`colony run` is alive, then ready, and stops with 0."""
    variables = {"PATH": "", "COLONY_HEALTH_PORT": str(port), "COLONY_HOME": str(tmp_path / "home")}
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "run"], cwd=ROOT, env=variables, stderr=subprocess.PIPE, text=True
    )

    def status(path: str) -> int:
        assert process.poll() is None
        try:
            return ask(port, path)[0]
        except (URLError, ConnectionError):
            return 0

    try:
        until(lambda: status("/healthz") == 200)
        until(lambda: status("/readyz") == 200)
        assert status("/livez") == 200
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    assert process.returncode == 0, told
