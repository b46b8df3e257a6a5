"""The real BigQuery client over HTTP: the cases, and what becomes of calls and jobs that go wrong."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.worker.adapters.features.conftest import START
from tests.worker.adapters.features.google.bigquery_server import BigQueryServer, Fault
from tests.worker.adapters.features.point_in_time_cases import CASES, FEATURES
from tests.worker.adapters.features.test_point_in_time import moment, writes_of
from worker.adapters.features.google.bigquery import BigQuery
from worker.adapters.features.google.columns import Stored
from worker.adapters.features.google.sql.tables import create_kept
from worker.adapters.features.google.store import GoogleFeatureStore
from worker.adapters.features.google.vertex import Names, Vertex
from worker.adapters.features.google.views import ViewNewest
from worker.adapters.features.google.warehouse import Absent, Param, Rows
from worker.adapters.google_calls import Patience
from worker.errors import Rejected, TryLater
from worker.features.port import Definition, TrainingRequest, Write

NOW = datetime(2002, 10, 1, tzinfo=UTC)
PATIENCE = Patience(attempt_s=20.0, total_s=20.0, first_pause_s=0.01, longest_pause_s=0.02)
IMPATIENCE = Patience(attempt_s=0.3, total_s=0.3, first_pause_s=0.01, longest_pause_s=0.02)


@pytest.fixture(scope="module", name="server")
def _server() -> Iterator[BigQueryServer]:
    server = BigQueryServer()
    warehouse = BigQuery("proj", "features", "EU", endpoint=server.endpoint)
    assert warehouse.make_datasets() == ["features", "features_staging"]
    assert warehouse.make_datasets() == []
    warehouse.alter(create_kept(warehouse.name))
    store = GoogleFeatureStore(warehouse, lambda: START)
    for feature, (entity, kind, days) in FEATURES.items():
        store.define(Definition(feature, entity, kind, ttl=None if days is None else timedelta(days=days)))
    store.close()
    yield server
    server.close()


def opened(server: BigQueryServer, patience: Patience = PATIENCE) -> BigQuery:
    """Return a warehouse over the server."""
    return BigQuery("proj", "features", "EU", endpoint=server.endpoint, patience=patience)


def test_every_point_in_time_case_over_the_real_client(server: BigQueryServer) -> None:
    """Typed parameters and values of every type survive the way to BigQuery and back."""
    store = GoogleFeatureStore(opened(server), lambda: START)
    store.write([write for number, case in enumerate(CASES) for write in writes_of(number, case)])
    for number, case in enumerate(CASES):
        spine = tuple((f"{number}:{entity}", moment(time)) for entity, time in case.rows)
        request = TrainingRequest(
            "thing", case.features, dict(case.joins), spine, respect_known_at=case.respect_known_at
        )
        if case.expected is None:
            with pytest.raises(Rejected, match="known-at removes"):
                store.training_read(request)
            continue
        table = store.training_read(request)
        answers = list(zip(*(table.columns[name] for name in case.features), strict=True))
        assert answers == [one if isinstance(one, tuple) else (one,) for one in case.expected], case.told
    store.close()


@pytest.mark.parametrize("call", ["POST jobs", "GET queries"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(503),
        Fault(503, after_effect=True),
        Fault(500, "internalError", after_effect=True),
        Fault(403, "rateLimitExceeded"),
        Fault(0),
        Fault(0, after_effect=True),
    ],
    ids=str,
)
def test_a_call_that_goes_wrong_once_or_twice_is_made_again(server: BigQueryServer, call: str, fault: Fault) -> None:
    """The write is stored once and counted right, whether the fault came before or after the effect."""
    warehouse = opened(server)
    store = GoogleFeatureStore(warehouse, lambda: START)
    store.definitions()
    entity = f"{call} {fault}"
    server.fail(call, fault, fault)
    assert store.write([Write(entity, "number", 1.0, START, START)]) == 1
    query = "SELECT COUNT(*) FROM `proj.features.entity_thing` WHERE entity_id = @id"
    assert warehouse.query(query, [Param("id", "STRING", entity)]) == [(1,)]
    store.close()


@pytest.mark.parametrize("call", ["POST jobs", "GET queries"])
def test_a_call_that_is_not_answered_is_given_up_and_made_again(server: BigQueryServer, call: str) -> None:
    """A service that takes a call and is silent holds nobody longer than one attempt."""
    patience = Patience(attempt_s=1.0, total_s=20.0, first_pause_s=0.01, longest_pause_s=0.02)
    warehouse = BigQuery("proj", "features", "EU", endpoint=server.endpoint, patience=patience, held_s=0.0)
    server.fail(call, Fault(0, after_effect=True, hangs_s=120.0))
    assert warehouse.query("SELECT 1 + 1") == [(2,)]
    warehouse.close()


@pytest.mark.parametrize(
    "error",
    [
        ("invalidQuery", "Transaction is aborted due to concurrent update against table proj:features.colony_state"),
        ("backendError", "try again"),
        ("jobRateLimitExceeded", "too many at once"),
    ],
)
def test_a_job_that_ended_without_effect_runs_again(server: BigQueryServer, error: tuple[str, str]) -> None:
    """A lost transaction, or a job that BigQuery broke off, gets a new id."""
    store = GoogleFeatureStore(opened(server), lambda: START)
    store.definitions()
    before = len(server.jobs)
    server.fail_jobs(error, error)
    assert store.write([Write(f"again {error[0]}", "number", 1.0, START, START)]) == 1
    assert len(server.jobs) == before + 3
    store.close()


def test_a_job_id_that_exists_is_the_job_that_was_wanted(server: BigQueryServer) -> None:
    """A start whose answer was lost meets its own job, and takes that one's answer."""
    warehouse = opened(server)
    before = len(server.jobs)
    server.fail("POST jobs", Fault(0, after_effect=True))
    assert warehouse.query("SELECT 1 + 1") == [(2,)]
    assert len(server.jobs) == before + 1
    assert [call for call in server.calls[-4:] if call.startswith("GET jobs/")]
    warehouse.close()


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault(503), TryLater),
        (Fault(0), TryLater),
        (Fault(403, "quotaExceeded"), TryLater),
        (Fault(403, "accessDenied"), Rejected),
        (Fault(401, "authError"), Rejected),
    ],
    ids=str,
)
def test_a_fault_that_stays_is_told(server: BigQueryServer, fault: Fault, raised: type[Exception]) -> None:
    """What passes by itself is for later, what a person has to mend says how."""
    warehouse = opened(server, IMPATIENCE)
    server.fail("POST jobs", *[fault] * 10_000)
    try:
        with pytest.raises(raised) as caught:
            warehouse.query("SELECT 1")
    finally:
        server.mend()
    if isinstance(caught.value, Rejected):
        assert caught.value.mend
    warehouse.close()


def test_a_table_or_column_that_is_not_there_names_the_mend(server: BigQueryServer) -> None:
    """Before `colony features init` everything says what to do."""
    warehouse = opened(server)
    for statement in ("SELECT * FROM `proj.features.nothing`", "SELECT nothing FROM `proj.features.colony_state`"):
        with pytest.raises(Absent, match="colony features init"):
            warehouse.query(statement)
    warehouse.close()


def test_a_job_that_others_always_beat_is_for_later(server: BigQueryServer) -> None:
    """A transaction is not tried for ever."""
    warehouse = opened(server, IMPATIENCE)
    server.fail_jobs(*[("invalidQuery", "Transaction is aborted due to concurrent update against table x")] * 10_000)
    try:
        with pytest.raises(TryLater, match="concurrent update"):
            warehouse.transact(["SELECT 1"], "SELECT 1")
    finally:
        server.mend()
    warehouse.close()


@pytest.mark.parametrize("rows", [600, 400_000])
def test_many_rows_are_loaded_with_one_job(server: BigQueryServer, rows: int) -> None:
    """In one request or in pieces; every value comes back as it was, NULL too, and pages are read to the end."""
    warehouse = opened(server)
    fields = {"number": "INT64", "word": "STRING", "real": "FLOAT64", "flag": "BOOL", "raw": "BYTES"}
    values = {
        "number": list(range(rows)),
        "word": [None if row % 7 == 0 else f"{row * 7919:x}é" for row in range(rows)],
        "real": [None if row % 5 == 0 else row / 3 for row in range(rows)],
        "flag": [None if row % 3 == 0 else row % 2 == 0 for row in range(rows)],
        "raw": [None if row % 11 == 0 else row.to_bytes(4, "little") for row in range(rows)],
    }
    server.fail("POST jobs", Fault(503))
    table = warehouse.load(Rows("many", fields, values))
    read = warehouse.query(f"SELECT number, word, real, flag, raw FROM {table} WHERE number < 2500 ORDER BY number")  # noqa: S608 - ours
    assert read == list(zip(*(values[name] for name in fields), strict=True))[:2500]
    assert warehouse.query(f"SELECT COUNT(*) FROM {table}") == [(rows,)]  # noqa: S608 - ours
    warehouse.drop(table)
    warehouse.drop(table)
    with pytest.raises(Absent):
        warehouse.query(f"SELECT COUNT(*) FROM {table}")  # noqa: S608 - ours
    warehouse.close()


def test_a_read_is_few_jobs(server: BigQueryServer) -> None:
    """A write is one job, a training read three (definitions, values, snapshot), however many features and rows."""
    store = GoogleFeatureStore(opened(server), lambda: START)
    store.definitions()
    before = len(server.jobs)
    store.write(
        [Write(f"few {number}", name, 1.0, START, START) for number in range(9) for name in ("number", "other")]
    )
    assert len(server.jobs) == before + 1
    spine = tuple((f"few {number}", START) for number in range(9))
    store.training_read(TrainingRequest("thing", ("number", "other"), spine=spine))
    assert len(server.jobs) == before + 4
    store.close()


def test_missing_credentials_name_the_mend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without them every call is refused with what to do, of BigQuery as of Vertex AI."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nothing.json"))
    with pytest.raises(Rejected, match="gcloud auth application-default login"):
        BigQuery("proj", "features", "EU").query("SELECT 1")
    feature = Stored(Definition("score", "thing", "number"), "score")
    with pytest.raises(Rejected, match="gcloud auth application-default login"):
        ViewNewest(Vertex("europe-west1"), Names("proj", "europe-west1", "features")).newest(["a"], [feature])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_faults_at_random_end_as_an_undisturbed_run(server: BigQueryServer, seed: int) -> None:
    """Faults of calls and of jobs, at random: each value is stored once, in order, and read right."""
    chance = random.Random(seed)
    calls = [Fault(503), Fault(500, after_effect=True), Fault(403, "rateLimitExceeded"), Fault(0)]
    calls.append(Fault(0, after_effect=True))
    jobs = [("invalidQuery", "Transaction is aborted due to concurrent update against t"), ("backendError", "again")]
    store, entity = GoogleFeatureStore(opened(server), lambda: START), f"seed {seed}"
    written = []
    for number in range(8):
        server.fail("", *chance.choices(calls, k=chance.randrange(4)))
        server.fail_jobs(*chance.choices(jobs, k=chance.randrange(2)))
        written.append(Write(entity, "number", float(number), START - timedelta(hours=chance.randrange(4)), START))
        store.write(written[-1:])
    server.mend()
    last = {write.event_time: write.value for write in written}
    spine = tuple((entity, time) for time in sorted(last))
    request = TrainingRequest("thing", ("number",), spine=spine, respect_known_at=False)
    assert store.training_read(request).columns["number"] == [last[time] for _, time in spine]
    query = "SELECT COUNT(*) FROM `proj.features.entity_thing` WHERE entity_id = @id"
    assert opened(server).query(query, [Param("id", "STRING", entity)]) == [(len(written),)]
    store.close()
