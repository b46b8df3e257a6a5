"""A log entry about a pipeline job: the run is looked at now, whatever the entry says, and whenever it comes."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers.events import event_handlers
from handlers.events.context import EventContext
from tests.worker import world
from tests.worker.adapters.engine.waiting import until
from tests.worker.runs.loop import Loop
from worker.adapters.ledger.database import Database
from worker.adapters.ledger.locks import COLONY
from worker.adapters.ledger.sql import SqlLedger
from worker.decide.policy import Policy
from worker.engine.state import Status
from worker.errors import TryLater
from worker.intake.envelope import open_envelope
from worker.intake.port import Message
from worker.intake.receive import Received, Verdict, receive
from worker.runs.lifecycle import Run
from worker.runs.lifecycle import Verdict as RunVerdict

LOG = "projects/p/logs/aiplatform.googleapis.com%2Fpipeline_job_events"


@pytest.fixture(name="ledger")
def _ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    ledger = world.new_ledger(tmp_path)
    world.put_into_production(ledger)
    yield ledger
    ledger.close()


@pytest.fixture(name="loop")
def _loop(ledger: SqlLedger) -> Loop:
    return Loop(ledger)


def entry(run_id: str = "run-1", state: str = "PIPELINE_STATE_SUCCEEDED", **changes: Any) -> dict[str, Any]:
    """Return a log entry as a sink sends it."""
    labels = {"resource_container": "p", "location": "europe-west1", "pipeline_job_id": run_id}
    return {
        "insertId": f"i-{state}",
        "jsonPayload": {"state": state, "@type": "type.googleapis.com/…PipelineJobLoggingEntry"},
        "resource": {"type": "aiplatform.googleapis.com/PipelineJob", "labels": labels},
        "timestamp": "2002-10-01T11:00:00.123456789Z",
        "severity": "INFO",
        "logName": LOG,
        "receiveTimestamp": "2002-10-01T11:00:01.5Z",
        **changes,
    }


def message(body: Any) -> Message:
    """Return an entry's delivery, with the only attribute that a sink gives."""
    attributes = {"logging.googleapis.com/timestamp": "2002-10-01T11:00:00.123456789Z"}
    return Message(json.dumps(body).encode(), attributes, message_id="bus-1")


def send(ledger: SqlLedger, body: Any) -> Received:
    """Let an entry come in."""

    def bee_of(run_id: str) -> str | None:
        with ledger.begin(write=False) as transaction:
            run = transaction.runs.get(run_id)
        return run.bee if run else None

    context = EventContext(lambda: world.BEES, Policy, ledger.installation, bee_of=bee_of)
    (received,) = receive([message(body)], ledger, event_handlers(context), world.now_for)
    return received


def resting(loop: Loop) -> Run:
    """Return a run that the engine has, and that nobody will look at for an hour."""
    run = world.ask_for_run(loop.ledger)
    loop.advancer().turn()
    with loop.ledger.begin() as transaction:
        (lease,) = transaction.runs.claim("one", limit=10, lease_s=60)
        transaction.runs.release(lease, again_after_s=3600)
    assert loop.advancer().turn() == 0
    return run


def test_an_entry_is_an_event_of_its_resource() -> None:
    """Source is the log, id what makes an entry unique in it, type the resource's, time the entry's."""
    event = open_envelope(message(entry()))

    assert (event.source, event.type) == (LOG, "aiplatform.googleapis.com/PipelineJob")
    assert event.id == "i-PIPELINE_STATE_SUCCEEDED@2002-10-01T11:00:00.123456789Z"
    assert str(event.time) == "2002-10-01 11:00:00.123456+00:00"


def test_the_run_is_looked_at_now(loop: Loop) -> None:
    """A run that would rest for an hour is settled by the next turn after its entry came."""
    run = resting(loop)
    loop.outcomes.put(run.id, world.outcome(run.id))
    loop.engine.end(run.id)

    received = send(loop.ledger, entry(run.id))

    assert (received.verdict, (received.result or {})["looked"]) == (Verdict.ACK, True)
    assert loop.advancer().turn() == 1
    assert world.get_run(loop.ledger, run.id).verdict is RunVerdict.DEPLOYED


def test_the_engine_is_believed_and_not_the_entry(loop: Loop) -> None:
    """An entry that tells of an end which the engine does not know of changes nothing."""
    run = resting(loop)
    loop.engine.end(run.id, Status.RUNNING)

    send(loop.ledger, entry(run.id, "PIPELINE_STATE_FAILED"))
    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).status is Status.RUNNING


def test_an_entry_before_the_submit_returned(loop: Loop) -> None:
    """An entry that is quicker than the answer of Create takes nothing from whoever submits: one job, one run."""
    run = world.ask_for_run(loop.ledger)
    loop.outcomes.put(run.id, world.outcome(run.id))
    submit = loop.engine.submit

    def slow(submission: Any) -> None:
        submit(submission)
        loop.engine.end(run.id)
        send(loop.ledger, entry(run.id))

    loop.engine.submit = slow  # type: ignore[method-assign]
    loop.advancer().turn()

    assert world.get_run(loop.ledger, run.id).verdict is RunVerdict.DEPLOYED
    assert loop.engine.submits == 1


def test_an_entry_while_somebody_looks(loop: Loop) -> None:
    """An entry that comes while the run is held is not lost: given back, the run is looked at once more."""
    run = resting(loop)
    send(loop.ledger, entry(run.id, "PIPELINE_STATE_RUNNING"))
    held = loop.lease()

    send(loop.ledger, entry(run.id))
    with loop.ledger.begin() as transaction:
        assert transaction.runs.hold(held).id == run.id
        transaction.runs.release(held, again_after_s=3600)

    assert loop.advancer().turn() == 1


def test_the_same_entry_twice(loop: Loop) -> None:
    """A repeat is acknowledged as one and asks for nothing."""
    run = resting(loop)
    send(loop.ledger, entry(run.id))
    loop.advancer().turn()

    again = send(loop.ledger, entry(run.id))

    assert (again.verdict, again.reason) == (Verdict.ACK, "duplicate")
    assert not (again.result or {})["looked"]


def test_an_entry_of_a_settled_run(loop: Loop) -> None:
    """An entry that comes after all is done is acknowledged, and the run stays as it is."""
    run = loop.concluded(...)

    received = send(loop.ledger, entry(run.id))

    assert received.verdict is Verdict.ACK
    assert (received.result or {})["reason"] == "it was settled before"
    assert loop.advancer().turn() == 0


def test_an_entry_of_a_stranger(ledger: SqlLedger) -> None:
    """Other people's pipelines in the same project are acknowledged and forgotten."""
    received = send(ledger, entry("their-job-20021001"))

    assert received.verdict is Verdict.ACK
    assert (received.result or {})["reason"] == "not a run of this colony"


@pytest.mark.parametrize(
    "changed",
    [
        {"resource": {"type": "aiplatform.googleapis.com/PipelineJob"}},
        {"resource": {"type": "aiplatform.googleapis.com/PipelineJob", "labels": {"pipeline_job_id": 7}}},
        {"resource": {"type": "aiplatform.googleapis.com/PipelineJob", "labels": {"pipeline_job_id": "a\x00b"}}},
        {"resource": {"type": "aiplatform.googleapis.com/Endpoint", "labels": {"pipeline_job_id": "run-1"}}},
        {"resource": {"labels": {"pipeline_job_id": "run-1"}}},
        {"logName": ""},
        {"timestamp": "yesterday"},
    ],
)
def test_entries_that_are_none_of_ours(ledger: SqlLedger, changed: dict[str, Any]) -> None:
    """An entry without a job, of another resource or out of shape is turned away with its reason, once and for all."""
    received = send(ledger, entry(**changed))

    assert received.verdict is Verdict.DEAD_LETTER
    assert received.reason


def test_an_event_of_the_type_without_an_entry(ledger: SqlLedger) -> None:
    """A CloudEvent of an entry's type that holds none is turned away like any other that is out of shape."""
    event = {"specversion": "1.0", "id": "1", "source": "//x", "type": "aiplatform.googleapis.com/PipelineJob"}

    assert send(ledger, {**event, "data": {"resource": "run-1"}}).verdict is Verdict.DEAD_LETTER


@pytest.mark.parametrize("payload", [{"jsonPayload": None}, {"jsonPayload": {}}, {"textPayload": "ended"}])
def test_an_entry_without_a_state(loop: Loop, payload: dict[str, Any]) -> None:
    """What an entry says does not matter: that there is one is reason to look."""
    run = resting(loop)
    body = {name: value for name, value in entry(run.id).items() if name != "jsonPayload"}

    assert (send(loop.ledger, body | payload).result or {})["looked"]


def test_an_entry_without_a_name_of_its_own(loop: Loop) -> None:
    """Without insertId and time the bus's message id tells repeats."""
    run = resting(loop)
    body = {name: value for name, value in entry(run.id).items() if name not in {"insertId", "timestamp"}}

    assert open_envelope(message(body)).id == "message:bus-1"
    assert (send(loop.ledger, body).result or {})["looked"]


def test_an_evaluation_that_looks_like_an_entry() -> None:
    """A plain evaluation with fields of a log entry is an evaluation still."""
    body = {**world.data(), "logName": "x", "resource": {"type": "y"}, "type": "model.evaluated"}

    assert open_envelope(world.plain(body)).type == "model.evaluated"


def test_an_entry_and_a_settling_run_do_not_block_each_other(postgres_url: str) -> None:
    """An entry in a batch waits for the lock of its run's bee before anything is held that a settling run waits for."""
    ledger = SqlLedger(Database(postgres_url))
    world.put_into_production(ledger, bee="other-bee")
    run = world.ask_for_run(ledger)
    batch = [world.message("e1", world.data(beeId="other-bee", metrics={"loss": 0.9}, baseline={"loss": 0.3}))]
    handlers = event_handlers(EventContext(lambda: world.BEES, Policy, ledger.installation, bee_of=lambda _: run.bee))
    with ThreadPoolExecutor(1) as pool, ledger.begin() as transaction:
        (lease,) = transaction.runs.claim("one", limit=1, lease_s=60)
        transaction.runs.hold(lease)
        begun = pool.submit(receive, [*batch, message(entry(run.id))], ledger, handlers, world.now_for)
        until(lambda: _waiting(ledger))
        transaction.lock([COLONY])
        transaction.runs.release(lease, again_after_s=3600)
        assert not begun.done()
    received = begun.result(timeout=30)

    assert [item.verdict for item in received] == [Verdict.ACK] * 2
    assert [(item.result or {}).get("action") for item in received] == ["trigger", None]
    with ledger.begin() as transaction:
        assert run.id in {one.run_id for one in transaction.runs.claim("two", limit=5, lease_s=60)}
    ledger.close()


def _waiting(ledger: SqlLedger) -> int:
    """Return how many others wait for a lock."""
    asked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ledger.database.begin(write=False) as connection:
        return int(connection.exec_driver_sql(asked).scalar_one())


def test_a_ledger_that_is_away(ledger: SqlLedger) -> None:
    """While the ledger is away an entry goes back to the bus, as every message does."""

    def away(_run_id: str) -> str | None:
        raise TryLater("the ledger is away")

    context = EventContext(lambda: world.BEES, Policy, ledger.installation, bee_of=away)

    with pytest.raises(TryLater):
        receive([message(entry())], ledger, event_handlers(context), world.now_for)
