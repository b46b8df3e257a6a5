"""A small colony for tests: one bee, a real ledger, hand-written engine, outcomes, topic and subscription."""
# ruff: noqa: ARG002 - fakes have the whole signature of their port

import json
import sqlite3
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from handlers.commands.operator import Operator
from handlers.events import event_handlers
from handlers.events.context import EventContext
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.migrate import upgrade
from worker.adapters.ledger.sql import SqlLedger
from worker.bee import BeeSpec
from worker.decide.policy import Policy
from worker.engine.state import Status
from worker.errors import NotFound, TryLater
from worker.intake.envelope import Event
from worker.intake.port import Message
from worker.intake.receive import EventHandler
from worker.models.port import Artifact, Deployment, ModelVersion
from worker.pipelines.parameters import Parameter
from worker.pipelines.shape import Resources, Retry
from worker.pipelines.template import Step, Template
from worker.pipelines.types import load_type
from worker.publish.port import Outgoing
from worker.runs.lifecycle import Run, run_id
from worker.runs.port import EngineState, Submission
from worker.runs.request import request_run
from worker.steps.types import STEPS

NOW = datetime(2002, 10, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BEE = BeeSpec.model_validate(
    {
        "bee": "spam-guard",
        "entity": "content",
        "entities": {"user": "user_id"},
        "label": "label",
        "features": ["spam_probability", "user_reputation_score"],
        "metric": "f1",
        "evidence": {"minSamples": 50, "minPositives": 20},
    }
)
OTHER = BEE.model_copy(update={"bee": "other-bee", "metric": "loss"})
BEES = {bee.bee: bee for bee in (BEE, OTHER)}


@cache
def _migrated() -> bytes:
    """Return the file of a database that holds the schema and nothing else: to migrate takes ten times a copy."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "ledger.db")
        database = Database(f"sqlite:///{file}")
        upgrade(database)
        database.close()
        with closing(sqlite3.connect(file)) as connection:
            # In memory there is no log to write ahead.
            connection.execute("PRAGMA journal_mode = DELETE")
        return file.read_bytes()


def new_ledger(directory: Path) -> SqlLedger:
    """Return a ledger in a file of its own, which is made if it is not there."""
    file = directory / "ledger.db"
    if not file.exists():
        file.write_bytes(_migrated())
    return SqlLedger(Database(f"sqlite:///{file}"))


def memory_ledger() -> SqlLedger:
    """Return a ledger in memory."""
    database = Database("sqlite://")
    with database.engine.connect() as connection:
        made = connection.connection.driver_connection
        assert isinstance(made, sqlite3.Connection)
        made.deserialize(_migrated())
    return SqlLedger(database)


def handlers(
    ledger: SqlLedger, bees: Mapping[str, BeeSpec] = BEES, policy: Policy | None = None
) -> Mapping[str, EventHandler]:
    """Return the real event handlers for the given bees."""
    return event_handlers(EventContext(lambda: bees, lambda: policy or Policy(), ledger.installation))


def operator(ledger: SqlLedger, now: datetime = NOW, bees: Mapping[str, BeeSpec] = BEES) -> Operator:
    """Return a person who acts on a ledger."""
    return Operator("ada", ledger, bees, Policy(), now)


def now_for(_event: Event | None) -> datetime:
    """Every event is handled at NOW."""
    return NOW


def data(**changes: Any) -> dict[str, Any]:
    """Return a bad evaluation of version 1: f1 fell by half."""
    return {
        "beeId": BEE.bee,
        "modelVersion": "1",
        "evaluatedAt": "2002-10-01T00:00:00Z",
        "window": {"id": "2002-09-30", "sampleCount": 437, "positiveCount": 90},
        "metrics": {"f1": 0.45},
        "baseline": {"f1": 0.9},
        **changes,
    }


def healthy(**changes: Any) -> dict[str, Any]:
    """Return a good evaluation of version 1."""
    return data(metrics={"f1": 0.91}, **changes)


def message(id_: str, body: Mapping[str, Any] | bytes | None = None, *, source: str = "//monitor") -> Message:
    """Return a delivery of a CloudEvent in binary mode."""
    attributes = {
        "ce-specversion": "1.0",
        "ce-id": id_,
        "ce-source": source,
        "ce-type": "model.evaluated",
        "ce-time": "2002-10-01T00:00:00Z",
    }
    content = body if isinstance(body, bytes) else json.dumps(data() if body is None else body).encode()
    return Message(content, attributes, message_id=f"bus-{id_}")


def plain(body: Mapping[str, Any] | bytes, message_id: str = "m1", **attributes: str) -> Message:
    """Return a delivery of a body without a CloudEvents envelope."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Message(content, attributes, message_id=message_id)


def version(number: str = "1", bee: str = BEE.bee, **changes: Any) -> ModelVersion:
    """Return a registered version that passed its gate."""
    lineage = {"trainedUntil": "2002-08-01T00:00:00Z", "asOf": "2002-08-01T00:00:00Z"}
    base = ModelVersion(
        bee=bee,
        version=number,
        state="registered",
        artifact=Artifact(f"mem://{bee}/{number}", "a" * 64),
        run_id=None,
        created_at=NOW,
        gate_passed=True,
        metrics={"f1": 0.9},
        lineage=lineage,
    )
    return replace(base, **changes)


def put_into_production(ledger: SqlLedger, number: str = "1", bee: str = BEE.bee) -> None:
    """Register a version and make it the champion."""
    with ledger.begin() as transaction:
        current = transaction.models.champion(bee)
        transaction.models.add(version(number, bee, state="deployed"))
        epoch, previous = (current.epoch, current.version) if current else (0, None)
        transaction.models.deploy(Deployment(bee, epoch + 1, number, previous, NOW, "set up", None))


def template(name: str = "auto-retrain", *, deploys: bool = True, **fields: Any) -> Template:
    """Return a template of one step, which hands a model over (or makes none), with an integer parameter `depth`."""
    type_ = "deployment" if deploys else "score"
    step = Step("only", load_type(type_, STEPS), {}, (), Retry(), Resources(), {})
    declared = {"depth": Parameter("integer", 3)}
    return Template(name, "1", "", "manual", {"depth": 3}, (step,), declared, **fields)


def ask_for_run(ledger: SqlLedger, key: str = "k", bee: str = BEE.bee) -> Run:
    """Store a PENDING run, as a trigger by hand does."""
    id_ = run_id("auto-retrain", bee, ledger.installation, key)
    run = Run(id_, "auto-retrain", bee, "manual", "a test", NOW - DAY, NOW, parameters={"beeId": bee})
    with ledger.begin() as transaction:
        request_run(run, transaction, NOW)
    return run


def get_run(ledger: SqlLedger, id_: str) -> Run:
    """Return a run that is there."""
    with ledger.begin(write=False) as transaction:
        run = transaction.runs.get(id_)
    assert run is not None
    return run


def only_run(ledger: SqlLedger) -> Run:
    """Return the only run there is."""
    with ledger.begin(write=False) as transaction:
        (run,) = transaction.runs.list()
    assert isinstance(run, Run)
    return run


def event_types(ledger: SqlLedger, bee: str = BEE.bee) -> list[str]:
    """Return the types of the bee's outgoing events in order."""
    with ledger.begin(write=False) as transaction:
        return [event.type for event, _ in transaction.outbox.list(bee=bee)]


def event_ids(ledger: SqlLedger) -> list[str]:
    """Return the ids of all outgoing events in order."""
    with ledger.begin(write=False) as transaction:
        return [event.id for event, _ in transaction.outbox.list()]


def gate(**changes: Any) -> dict[str, Any]:
    """Return gate numbers that pass."""
    return {
        "metric": "f1",
        "rows": 200,
        "positives": 60,
        "challenger": 0.93,
        "champion": 0.80,
        "difference": 0.13,
        "lower": 0.05,
        "upper": 0.2,
        "confidence": 0.95,
        "margin": 0.0,
        "holdoutStart": "2002-09-25T00:00:00Z",
        "holdoutEnd": "2002-09-30T00:00:00Z",
        "challengerTrainedUntil": "2002-09-24T00:00:00Z",
        "championTrainedUntil": "2002-08-01T00:00:00Z",
        "newRows": 400,
        "slices": [],
        "baseline": False,
        **changes,
    }


def outcome(run: str, **changes: Any) -> dict[str, Any]:
    """Return the outcome of a run whose challenger may be deployed."""
    return {
        "schema": 1,
        "run": run,
        "bee": BEE.bee,
        "verdict": "deployable",
        "reason": "",
        "challenger": {
            "uri": "mem://new",
            "sha256": "b" * 64,
            "metrics": {"f1": 0.93},
            "trainedUntil": "2002-09-24T00:00:00Z",
        },
        "champion": {"version": "1"},
        "gate": gate(),
        "metrics": {},
        "lineage": {"asOf": "2002-09-30T00:00:00Z"},
        "cost": {"cpuSeconds": 1.5},
        "artifacts": [],
        **changes,
    }


@dataclass
class Engine:
    """An engine in memory: what was submitted, and the state that a test sets."""

    local: bool = True
    submitted: dict[str, Submission] = field(default_factory=dict)
    submits: int = 0
    states: dict[str, EngineState] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    error: Exception | None = None
    glances: list[list[str]] = field(default_factory=list)

    def submit(self, submission: Submission) -> None:
        """Take a submission, or raise the error that the test asked for."""
        if self.error:
            raise self.error
        self.submits += 1
        self.submitted.setdefault(submission.run_id, submission)
        self.states.setdefault(submission.run_id, EngineState(Status.QUEUED))

    def state(self, run_id: str) -> EngineState:
        """Return what the test set."""
        if run_id not in self.states:
            raise NotFound(run_id)
        return self.states[run_id]

    def glance(self, installation: str, run_ids: Sequence[str]) -> None:
        """Note which runs one look was for, or raise the error that the test asked for."""
        if self.error:
            raise self.error
        self.glances.append(list(run_ids))

    def cancel(self, run_id: str) -> None:
        """Note it."""
        if run_id not in self.states:
            raise NotFound(run_id)
        self.cancelled.append(run_id)

    def end(self, run_id: str, status: Status = Status.SUCCEEDED, error: str | None = None) -> None:
        """Let a run end."""
        self.states[run_id] = EngineState(status, error)

    def start(self) -> None:
        """Nothing to start."""

    def close(self, *, grace_s: float = 5.0) -> None:
        """Nothing to close."""

    def verify(self) -> None:
        """All is well."""


@dataclass
class Freezer:
    """The configuration as launch reads it; `times` counts how often a bee was read."""

    bees: Mapping[str, BeeSpec] = field(default_factory=lambda: dict(BEES))
    error: Exception | None = None
    times: int = 0
    policy_version: str = "p1"
    code_version: str = "c1"

    def bee(self, name: str) -> BeeSpec:
        """Return a bee."""
        self.times += 1
        return self.bees[name]

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return a spec, or raise the error that the test asked for."""
        if self.error:
            raise self.error
        return {"pipelineInfo": {"name": template}}

    def template_parameters(self, template: str) -> Mapping[str, Any]:
        """Return the defaults."""
        return {"depth": 3}

    def definitions(self, bee: BeeSpec) -> Mapping[str, int]:
        """Every feature in its first version."""
        return dict.fromkeys(bee.features, 1)

    def output_dir(self, run_id: str) -> str:
        """Return a place."""
        return f"mem://runs/{run_id}"


@dataclass
class Outcomes:
    """What runs left: outcome or error by directory."""

    found: dict[str, Any] = field(default_factory=dict)

    def read(self, output_dir: str) -> Mapping[str, Any] | None:
        """Return what is there."""
        value = self.found.get(output_dir)
        if isinstance(value, Exception):
            raise value
        return value

    def put(self, run_id: str, value: Any) -> None:
        """Leave an outcome (or an error) where the run would."""
        self.found[f"mem://runs/{run_id}"] = value


@dataclass
class Topic:
    """Collects what is published; confirms at most `confirm` events of a call."""

    published: list[Outgoing] = field(default_factory=list)
    confirm: int = 1_000_000
    error: Exception | None = None

    def publish(self, events: Sequence[Outgoing]) -> Sequence[str]:
        """Take the events."""
        if self.error:
            raise self.error
        taken = list(events)[: self.confirm]
        self.published += taken
        return [event.id for event in taken]

    def verify(self) -> None:
        """All is well."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass
class Subscription:
    """Gives out messages once; what is given back comes again."""

    waiting: list[Message] = field(default_factory=list)
    acked: list[Message] = field(default_factory=list)
    again: list[Message] = field(default_factory=list)
    dead: list[tuple[Message, str]] = field(default_factory=list)
    dead_letter_error: TryLater | None = None
    waits: list[float] = field(default_factory=list)

    def pull(self, limit: int, wait_s: float) -> Sequence[Message]:
        """Give out up to `limit`."""
        given, self.waiting = self.waiting[:limit], self.waiting[limit:]
        return given

    def ack(self, messages: Sequence[Message]) -> None:
        """Note them."""
        self.acked += messages

    def retry(self, messages: Sequence[Message], after_s: float = 0.0) -> None:
        """Give them out again, at once."""
        self.waits += [after_s] * len(messages)
        self.again += messages
        self.waiting = [*messages, *self.waiting]

    def dead_letter(self, message: Message, reason: str) -> None:
        """Note it, or raise the error that the test asked for."""
        if self.dead_letter_error:
            raise self.dead_letter_error
        self.dead.append((message, reason))

    def exhausted(self) -> bool:
        """Whether nothing is left."""
        return not self.waiting

    def verify(self) -> None:
        """All is well."""

    def close(self) -> None:
        """Nothing to close."""
