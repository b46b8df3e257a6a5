"""The demo's whole story with every Google adapter on, beside the embedded one: what is concluded is the same."""

import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.postgres import PostgresServer
from tests.story.conftest import DATA, IMPORTS, evaluation
from tests.story.google_world import Google, environment, faults, google
from tests.story.one_process import OneProcess

#: With which faults; 0 has none. `make soak` tells the story with others for ten minutes.
SEEDS = [int(word) for word in os.environ.get("COLONY_TEST_SEEDS", "0").split(",")]
#: Something was away, or the process was killed.
AGAIN = {3, None}
Run = Callable[..., object]
ENDED = {"succeeded", "failed", "cancelled"}
#: A quiet week, an undefined one, one delivered again, the drift three times, and one that is late.
EVENTS = [
    evaluation("week-1", "2002-08-08T00:00:00Z", 0.93),
    evaluation("week-2", "2002-08-22T00:00:00Z", None),
    evaluation("week-1", "2002-08-08T00:00:00Z", 0.93),
    evaluation("drift", "2002-10-01T00:00:00Z", 0.45),
    evaluation("drift", "2002-10-01T00:00:00Z", 0.45),
    evaluation("late", "2002-09-01T00:00:00Z", 0.1),
]
BAD = '{"type": "model.evaluated", "eventId": "broken", "beeId": "spam-guard", "metrics": {"f1": NaN}}'


@dataclass(frozen=True)
class Told:
    """What is to be the same in both worlds."""

    decisions: list[tuple[str, ...]]
    gates: list[dict[str, Any]]
    versions: list[tuple[Any, ...]]
    events: list[tuple[str, int]]
    dead_letters: list[str]


def told(colony: OneProcess) -> Told:
    """Read it."""
    runs = sorted(colony.rows("runs"), key=lambda run: run["asOf"])
    shown = [run["outcome"] or {"verdict": run["reason"], "gate": {}} for run in runs]
    return Told(
        decisions=[(row["eventId"], row["action"], row["reason"]) for row in colony.rows("decisions")],
        gates=[{"verdict": outcome["verdict"], "gate": outcome["gate"]} for outcome in shown],
        versions=[(row["version"], row["state"], row["champion"], row["metrics"]) for row in colony.rows("models")],
        events=[(row["type"], row["sequence"]) for row in colony.rows("events") if row["subject"] == "spam-guard"],
        dead_letters=[row["reason"] for row in colony.rows("dead-letters")],
    )


def _story(run: Run) -> None:
    """Everything up to the events: features, the first version, and a retrain that comes too early."""
    run("features", "define")
    for name, (entity, entity_id, known_at, columns) in IMPORTS.items():
        where = ("--entity", entity, "--entity-id", entity_id, "--event-time", "event_timestamp")
        only = ("--columns", columns) if columns else ()
        run("features", "import", str(DATA / f"{name}.csv.gz"), *where, "--known-at", known_at, *only)
    for key, as_of in (("first", "2002-08-01"), ("early", "2002-09-26")):
        run("trigger", "auto-retrain", "--bee", "spam-guard", "--as-of", as_of, "--wait", "--key", key)


@pytest.fixture(name="embedded", scope="module")
def _embedded(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Return what the embedded system tells of the story."""
    root = tmp_path_factory.mktemp("embedded")
    with OneProcess(environment(COLONY_HOME=str(root / "home")), root / "log.txt") as colony:
        _story(colony.run)
        for number, line in enumerate([*map(json.dumps, EVENTS), BAD]):
            path = root / f"{number}.jsonl"
            path.write_text(f"{line}\n")
            colony.run("drain", "--from", str(path))
        return told(colony)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_story_on_google(
    embedded: Told, pubsub_emulator: str, postgres_server: PostgresServer, tmp_path: Path, seed: int
) -> None:
    """Events by Pub/Sub, runs by Vertex AI, models in the bucket, a ledger on PostgreSQL: the same is concluded.

    Whatever goes wrong on the way: Vertex AI, the bucket and the ledger fail, before or after the effect of what they
    were asked for, and the worker is killed (seed 0: nothing does).
    """
    with google(pubsub_emulator, postgres_server.fresh(), tmp_path) as world:
        with faults(world, seed) if seed else nullcontext([]) as done:
            _story(partial(_patiently, world.colony))
            for event in EVENTS:
                world.published.send(event)
                _drain(world.colony)
            world.published.send_bytes(BAD.encode())
            _drain(world.colony)
        found = told(world.colony)

        assert bool(done) == bool(seed)
        assert found == embedded
        assert len(world.vertex.jobs) == 3
        _until_projected(world, len(found.versions))


def _patiently(colony: OneProcess, *words: str) -> str:
    """Run a command, again where something was away or the process was killed, and return its standard output."""
    until = time.monotonic() + 200
    while True:
        code, out = colony.attempt(*words)
        if code == 0:
            return out
        assert code in AGAIN, f"{words}: exit {code}\n{out}\n{colony.said()}"
        assert time.monotonic() < until, f"{words}\n{colony.said()}"


def _drain(colony: OneProcess) -> None:
    """Run the job again and again, as its schedule does, until every run has been seen to its end."""
    _patiently(colony, "drain", "--idle-seconds", "1")
    until = time.monotonic() + 120
    while any(run["status"] not in ENDED for run in _rows(colony, "runs")):
        assert time.monotonic() < until, colony.said()
        _patiently(colony, "drain", "--idle-seconds", "0")


def _rows(colony: OneProcess, *words: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _patiently(colony, *words, "--json").splitlines()]


def _until_projected(world: Google, number: int) -> None:
    """Wait until all versions are in the registry, and all of the endpoint's traffic goes to its champion."""
    # What has failed there is tried again after one minute, then two.
    until = time.monotonic() + 400
    while True:
        (traffic,) = world.registry.shown()["traffic"].values() or [{}]
        (versions,) = world.registry.shown()["versions"].values() or [{}]
        champions = {f"spam-guard-{key}": 100 for key, aliases in versions.items() if "champion" in aliases}
        served = {name: share for name, share in traffic.items() if share}
        if len(versions) == number and champions and served == champions:
            return
        assert time.monotonic() < until, (versions, traffic, world.colony.said())
        _patiently(world.colony, "drain", "--idle-seconds", "0")
