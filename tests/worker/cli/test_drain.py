"""`colony drain` on a stand-in for Pub/Sub: what it takes, when it ends, and what its exit code says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.google_pubsub import PubSubServer
from tests.google_server import Fault
from tests.worker import world
from worker.adapters.ledger.sql import SqlLedger

Here = Callable[..., tuple[int, str, str]]
INTAKE = "projects/p/subscriptions/colony-model-evaluated"
LETTERS = "projects/p/subscriptions/colony-dead-letters-review"
LOCAL = dict.fromkeys(("ENGINE", "FEATURES", "MODELS", "METRICS"), "local")
PATIENCE_S = 60.0


def _settings(server: PubSubServer) -> Mapping[str, str]:
    ours = {f"COLONY_{name}": value for name, value in {**LOCAL, "LEDGER": "sqlite"}.items()}
    return {**ours, "GOOGLE_CLOUD_PROJECT": "p", "PUBSUB_EMULATOR_HOST": server.address}


@pytest.fixture(name="bus")
def _bus(here: Here, monkeypatch: pytest.MonkeyPatch, ledger: SqlLedger) -> Iterator[PubSubServer]:
    """Give a Pub/Sub as `colony pubsub init` makes it, to which the environment points."""
    assert ledger
    server = PubSubServer(scale=0.01)
    for name, value in _settings(server).items():
        monkeypatch.setenv(name, value)
    code, said, _ = here("pubsub", "init")
    assert (code, said.count("made "), said.count("gcloud ")) == (0, 5, 4)
    yield server
    server.close()


def _send(server: PubSubServer, number: int, *, poison: int = 0) -> None:
    sent = [world.message(f"e-{each}", world.healthy()) for each in range(number)]
    messages = [{"data": one.body, "attributes": one.attributes} for one in sent]
    messages += [{"data": f"poison {each}".encode()} for each in range(poison)]
    server.publisher().publish(request={"topic": "projects/p/topics/colony-model-evaluated", "messages": messages})


def _taken(ledger: SqlLedger) -> int:
    with ledger.begin(write=False) as transaction:
        return sum(1 for _ in transaction.decisions.list())


def test_all_that_is_there_is_taken(here: Here, bus: PubSubServer, ledger: SqlLedger) -> None:
    """Everything is handled and acknowledged, poison lies in both dead letters, and the exit code is 0."""
    _send(bus, 5, poison=2)

    code, _, said = here("drain", "--idle-seconds", "1")

    assert code == 0, said
    assert "7 messages taken; nothing is left" in said
    assert _taken(ledger) == 5
    assert bus.left(INTAKE) == 0
    assert bus.left(LETTERS) == 2
    reasons = [one.attributes["colony-dead-letter-reason"] for one in bus.messages(LETTERS)]
    assert all("not JSON" in reason for reason in reasons)
    assert {one.attributes["colony-dead-letter-deliveries"] for one in bus.messages(LETTERS)} == {"1"}


@pytest.mark.parametrize(("most", "code", "left"), [(3, 3, 2), (5, 0, 0)])
def test_so_many_messages(here: Here, bus: PubSubServer, ledger: SqlLedger, most: int, code: int, left: int) -> None:
    """It stops after so many messages; the exit code tells whether others are left, and those are given back."""
    _send(bus, 5)

    ended, _, said = here("drain", "--idle-seconds", "1", "--max-messages", str(most))

    assert ended == code, said
    assert _taken(ledger) == most
    assert bus.left(INTAKE) == left
    assert bus.leased(INTAKE) == []


def test_no_time_is_left(here: Here, bus: PubSubServer, ledger: SqlLedger) -> None:
    """When time is up before the bus was found empty, work may be left, and the exit code says so."""
    _send(bus, 5)

    ended, _, said = here("drain", "--max-seconds", "0")

    assert ended == 3
    assert "work is left" in said
    assert _taken(ledger) + bus.left(INTAKE) >= 5


def test_what_failed_is_waited_for(here: Here, bus: PubSubServer, ledger: SqlLedger) -> None:
    """A bus that is away for a moment is not an empty bus: all is taken when it is back."""
    _send(bus, 5)
    bus.fail("Pull", *[Fault()] * 3)

    ended, _, said = here("drain", "--idle-seconds", "0")

    assert ended == 0, said
    assert _taken(ledger) == 5


def test_a_subscription_that_is_not_there(here: Here, bus: PubSubServer) -> None:
    """What a person has to mend is told at once, with the command that does, and is no `work is left`."""
    bus.queues.clear()

    ended, _, said = here("drain")

    assert ended == 2
    assert "colony pubsub init" in said


def test_asked_to_stop_while_a_pull_hangs(bus: PubSubServer, home: Path) -> None:
    """On SIGTERM it ends by itself, with work left, although Pub/Sub does not answer."""
    bus.fail("Pull", *[Fault(hangs_s=PATIENCE_S)] * 8)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COLONY_", "GOOGLE_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "worker", "drain"],
        cwd=Path(__file__).parents[3],
        env={**inherited, **_settings(bus), "COLONY_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + PATIENCE_S
    while not bus.count("Pull") and time.monotonic() < end:
        time.sleep(0.02)

    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=PATIENCE_S)[1]

    # What ends it by force ends it with 0.
    assert process.returncode == 3, said
    assert "work is left" in said
