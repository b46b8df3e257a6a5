"""`colony drain` on the emulator, against a bare loop of pull and acknowledge plus bare inserts of the same rows."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.events import messages
from tests.bench.intake import bare_inserts, put_into_production
from tests.bench.measure import Figure
from tests.emulators import pubsub_program, running
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.sql import SqlLedger

#: 100,000 is what the goal is about; the default keeps `make bench` short.
MESSAGES = int(os.environ.get("COLONY_BENCH_DRAIN", "20000"))
BATCH = 500
PROJECT = "colony-bench"
TOPIC, INTAKE, BARE = "colony-model-evaluated", "colony-model-evaluated", "bare"
PATIENCE_S = 600.0
#: As much as a program that takes one message has to do.
_SMALLEST = """
import sys
from google.pubsub_v1 import SubscriberClient
client, name = SubscriberClient(), sys.argv[1]
found = client.pull(request={"subscription": name, "max_messages": 1}, timeout=30).received_messages
client.acknowledge(request={"subscription": name, "ack_ids": [found[0].ack_id]})
status = open("/proc/self/status").read()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


@dataclass(frozen=True)
class Drained:
    """One run of `colony drain`.

    Attributes:
        first_s: from the start of the process until its first batch was in the ledger.
        each_s: for each event after that batch.
        memory_mb: the most that the process had in memory.
    """

    first_s: float
    each_s: float
    memory_mb: float


def bench(directory: Path) -> list[Figure]:
    """Return microseconds per event, seconds to the first batch, and megabytes; nothing without the emulator."""
    program = pubsub_program()
    if program is None:
        return []
    with running(program, directory / "emulator.log") as address, _emulator(address):
        _fill(MESSAGES)
        # Half before, half after: a machine that is not quiet is so for both.
        bare = _bare_loop(MESSAGES // 2)
        ours = _drain(directory)
        inserts = _inserts(directory) / BATCH
        bare = (bare + _bare_loop(MESSAGES // 2 - 1)) / (MESSAGES - 1)
        first_s, memory_mb = _smallest()
    per_event = "unary pull and acknowledge, and executemany of the rows"
    program_is = "a program that takes one message"
    return [
        Figure(
            f"drain: {MESSAGES:,} messages of the emulator", ours.each_s * 1e6, (bare + inserts) * 1e6, "µs", per_event
        ),
        Figure("drain: from its start to the first batch in the ledger", ours.first_s, first_s, "s", program_is),
        Figure("drain: the most in memory, Google's clients loaded", ours.memory_mb, memory_mb, "MB", program_is),
    ]


@contextmanager
def _emulator(address: str) -> Iterator[None]:
    before = os.environ.get("PUBSUB_EMULATOR_HOST")
    os.environ["PUBSUB_EMULATOR_HOST"] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ["PUBSUB_EMULATOR_HOST"]
        else:
            os.environ["PUBSUB_EMULATOR_HOST"] = before


def _path(kind: str, name: str) -> str:
    return f"projects/{PROJECT}/{kind}/{name}"


def _fill(number: int) -> None:
    from worker.adapters.bus.pubsub_clients import publisher, subscriber
    from worker.adapters.bus.pubsub_setup import Names, init

    names = Names(TOPIC, INTAKE, "colony-dead-letters", "colony-dead-letters-review", "colony-events")
    init(PROJECT, names)
    publishing, subscribing = publisher(), subscriber()
    wanted = {"name": _path("subscriptions", BARE), "topic": _path("topics", TOPIC), "ack_deadline_seconds": 600}
    subscribing.create_subscription(request=wanted)
    for start in range(0, number, BATCH):
        batch = [{"data": one.body, "attributes": one.attributes} for one in messages(BATCH, start)]
        publishing.publish(request={"topic": _path("topics", TOPIC), "messages": batch}, timeout=30)
    publishing.transport.close()
    subscribing.transport.close()


def _bare_loop(left: int) -> float:
    """Return the seconds that pulling and acknowledging so many takes, and nothing else."""
    from worker.adapters.bus.pubsub_clients import subscriber

    client, name = subscriber(), _path("subscriptions", BARE)
    begun = time.perf_counter()
    while left > 0:
        found = client.pull(request={"subscription": name, "max_messages": min(BATCH, left)}, timeout=30)
        receipts = [one.ack_id for one in found.received_messages]
        client.acknowledge(request={"subscription": name, "ack_ids": receipts}, timeout=30)
        left -= len(receipts)
    took = time.perf_counter() - begun
    client.transport.close()
    return took


def _drain(directory: Path) -> Drained:
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    put_into_production(ledger)
    ledger.close()
    command = [sys.executable, "-m", "worker", "drain", "--idle-seconds", "1"]
    begun = time.perf_counter()
    with (directory / "said").open("w") as said:
        process = subprocess.Popen(command, env=_environment(directory), stdout=said, stderr=said)
    try:
        return _watched(process, directory, begun)
    finally:
        if process.wait(PATIENCE_S):
            raise RuntimeError((directory / "said").read_text()[-2000:])


def _watched(process: "subprocess.Popen[bytes]", directory: Path, begun: float) -> Drained:
    reading = sqlite3.connect(f"file:{directory}/ledger.db?mode=ro", uri=True)
    first, at_first, memory_kb, taken = 0.0, 0, 0, 0
    while taken < MESSAGES and process.poll() is None:
        time.sleep(0.01)
        # The highest of a key that only grows: found by its index, while counting would disturb what is measured.
        taken = reading.execute("SELECT coalesce(max(seq), 0) FROM decisions").fetchone()[0]
        if taken and not first:
            first, at_first = time.perf_counter(), taken
        memory_kb = max(memory_kb, _memory_kb(process.pid))
    end = time.perf_counter()
    reading.close()
    return Drained(first - begun, (end - first) / max(1, taken - at_first), memory_kb / 1024)


def _memory_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def _environment(directory: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COLONY_", "GOOGLE_"))}
    local = {f"COLONY_{name}": "local" for name in ("ENGINE", "FEATURES", "MODELS", "METRICS")}
    return {
        **kept,
        **local,
        "COLONY_HOME": str(directory),
        "COLONY_LEDGER": "sqlite",
        "COLONY_LOG_LEVEL": "warning",
        "GOOGLE_CLOUD_PROJECT": PROJECT,
    }


def _inserts(directory: Path) -> float:
    ledger = SqlLedger(Database(f"sqlite:///{directory}/ledger.db"))
    try:
        return bare_inserts(directory, ledger, BATCH)
    finally:
        ledger.close()


def _smallest() -> tuple[float, float]:
    """Return the seconds and megabytes of a program that takes one message and does nothing with it."""
    begun = time.perf_counter()
    command = [sys.executable, "-c", _SMALLEST, _path("subscriptions", BARE)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return time.perf_counter() - begun, int(done.stdout) / 1024
