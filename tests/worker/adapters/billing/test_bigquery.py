"""The bill in BigQuery, over the real client: what is read by labels, what credits do, and what goes wrong."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.worker.adapters.features.google.bigquery_server import BigQueryServer, Fault
from worker.adapters.billing import bigquery, local
from worker.adapters.billing.bigquery import BigQueryBill
from worker.adapters.google_calls import Patience
from worker.adapters.options import Options
from worker.clock import wall_clock
from worker.costs.port import Billed
from worker.errors import Rejected, TryLater

TABLE = "proj.billing.gcp_billing_export_v1_0A1B2C_3D4E5F_6A7B8C"
NOW = datetime(2026, 11, 20, tzinfo=UTC)
SINCE = NOW - timedelta(days=10)
PATIENCE = Patience(attempt_s=20.0, total_s=20.0, first_pause_s=0.01, longest_pause_s=0.02)
IMPATIENCE = Patience(attempt_s=0.3, total_s=0.3, first_pause_s=0.01, longest_pause_s=0.02)
_COLUMNS = """
  _PARTITIONTIME TIMESTAMP, usage_start_time TIMESTAMP, cost FLOAT64, currency STRING,
  currency_conversion_rate FLOAT64,
  labels ARRAY<STRUCT<key STRING, value STRING>>,
  credits ARRAY<STRUCT<name STRING, amount FLOAT64>>
"""


@pytest.fixture(scope="module", name="exported")
def _exported() -> Iterator[BigQueryServer]:
    server = BigQueryServer()
    server.make_dataset({"datasetReference": {"projectId": "proj", "datasetId": "billing"}})
    server.database.alter(f"CREATE TABLE `{TABLE}` ({_COLUMNS})")
    yield server
    server.close()


@pytest.fixture(name="server")
def _server(exported: BigQueryServer) -> BigQueryServer:
    exported.database.connection.execute(f"DELETE FROM {_duck()}")  # noqa: S608 - a name of ours
    exported.mend()
    return exported


def _duck() -> str:
    project, dataset, table = TABLE.split(".")
    return f'"{project}".{dataset}.{table}'


def _charge(server: BigQueryServer, run: str | None, cost: float, **more: Any) -> None:
    """Put one row of the export there; `credits` are amounts, `at` is the usage's time."""
    at = more.get("at", NOW - timedelta(days=2))
    came = more.get("came", at)
    labels = {"installation": more.get("installation", "here"), "vertex-ai-pipelines-run-billing-id": "77"}
    labels |= {"run": run} if run is not None else {}
    pairs = [{"key": key, "value": value} for key, value in labels.items()]
    credits_ = [{"name": "promotion", "amount": amount} for amount in more.get("credits", ())]
    server.database.connection.execute(
        f"INSERT INTO {_duck()} VALUES (date_trunc('day', ?::TIMESTAMPTZ), ?, ?, ?, ?, ?, ?)",  # noqa: S608 - see above
        [came, at, cost, more.get("currency", "USD"), more.get("rate", 1.0), pairs, credits_],
    )


def _bill(server: BigQueryServer, *, patience: Patience = PATIENCE, **more: Any) -> BigQueryBill:
    given = {"table": TABLE, "currency": "USD", "max_bytes": 10**9} | more
    return BigQueryBill("proj", endpoint=server.endpoint, patience=patience, **given)


def test_a_runs_rows_are_summed_with_their_credits(server: BigQueryServer) -> None:
    """Every row of a run's label counts, credits are taken off, and each run has its own sum."""
    _charge(server, "run-a", 0.08, credits=[-0.01, -0.02])
    _charge(server, "run-a", 0.03)
    _charge(server, "run-b", 0.5)

    found = _bill(server).costs("here", ["run-a", "run-b", "run-c"], SINCE, NOW)

    assert found == {"run-a": Billed(0.08, "USD"), "run-b": Billed(0.5, "USD")}


def test_only_what_was_asked_for_is_told(server: BigQueryServer) -> None:
    """Another installation's rows, rows without a run, rows of other times, and other runs stay out."""
    _charge(server, "run-a", 0.1)
    _charge(server, "run-a", 0.2, installation="elsewhere")
    _charge(server, None, 0.4)
    _charge(server, "run-a", 0.8, at=SINCE - timedelta(seconds=1))
    _charge(server, "run-a", 1.6, at=NOW)
    _charge(server, "run-b", 3.2)

    assert _bill(server).costs("here", ["run-a"], SINCE, NOW) == {"run-a": Billed(0.1, "USD")}


def test_rows_that_come_late_count(server: BigQueryServer) -> None:
    """The partition is the day on which a row came in; one that came days after its usage is found."""
    _charge(server, "run-a", 0.1, at=SINCE, came=NOW - timedelta(hours=1))

    assert _bill(server).costs("here", ["run-a"], SINCE, NOW) == {"run-a": Billed(0.1, "USD")}


def test_another_currency_is_converted_by_the_bills_own_rate(server: BigQueryServer) -> None:
    """A bill in euros is told in dollars by its rate; without a rate, or in a third currency, nothing is told."""
    _charge(server, "run-a", 9.0, currency="EUR", rate=0.9)
    _charge(server, "run-b", 9.0, currency="EUR", rate=None)
    _charge(server, "run-b", 9.0, currency="EUR", rate=0.9)

    found = _bill(server).costs("here", ["run-a", "run-b"], SINCE, NOW)
    in_francs = _bill(server, currency="CHF").costs("here", ["run-a"], SINCE, NOW)
    in_euros = _bill(server, currency="EUR").costs("here", ["run-a"], SINCE, NOW)

    assert found == {"run-a": Billed(10.0, "EUR"), "run-b": Billed(None, "EUR")}
    assert in_francs == {"run-a": Billed(None, "EUR")}
    assert in_euros == {"run-a": Billed(9.0, "EUR")}


def test_a_run_billed_in_two_currencies_is_one_sum(server: BigQueryServer) -> None:
    """An account that changed its currency in between tells both; together they are one amount."""
    _charge(server, "run-a", 9.0, currency="EUR", rate=0.9)
    _charge(server, "run-a", 1.0)

    found = _bill(server).costs("here", ["run-a"], SINCE, NOW)

    assert found["run-a"].amount == pytest.approx(11.0)


def test_nothing_is_asked_where_no_run_is(server: BigQueryServer) -> None:
    """Without runs no query is charged."""
    before = len(server.calls)

    assert _bill(server).costs("here", [], SINCE, NOW) == {}
    assert len(server.calls) == before


def test_each_query_is_bounded(server: BigQueryServer) -> None:
    """The job says how many bytes may be charged at most, and reads only the partitions since then."""
    _bill(server, max_bytes=123).costs("here", ["run-a"], SINCE, NOW)

    configuration = list(server.jobs.values())[-1].body["configuration"]["query"]
    assert configuration["maximumBytesBilled"] == "123"
    assert "_PARTITIONTIME >=" in configuration["query"]


def test_doctors_query_is_only_planned(server: BigQueryServer) -> None:
    """The check at the start asks for a plan, which is charged to nobody, and says how much it would read."""
    assert _bill(server).verify() == "a query of 0 bytes was planned"

    assert list(server.jobs.values())[-1].body["configuration"]["dryRun"] is True
    server.fail("POST jobs", Fault(404, "notFound"))
    with pytest.raises(Rejected, match="COLONY_BILLING_TABLE"):
        _bill(server).verify()


def test_a_query_that_would_be_too_dear(server: BigQueryServer) -> None:
    """A refusal for its bytes names the settings that let it through."""
    server.fail_jobs(("bytesBilledLimitExceeded", "Query exceeded limit for bytes billed: 123"))

    with pytest.raises(Rejected, match="COLONY_BILLING_MAX_GB"):
        _bill(server).costs("here", ["run-a"], SINCE, NOW)


def test_a_table_that_is_not_there(server: BigQueryServer) -> None:
    """No such table is for a person to mend, and so is a missing right."""
    missing = TABLE.replace("0A1B2C", "000000")
    with pytest.raises(Rejected, match="COLONY_BILLING_TABLE"):
        _bill(server, table=missing).costs("here", ["run-a"], SINCE, NOW)

    server.fail("POST jobs", Fault(403, "accessDenied"))
    with pytest.raises(Rejected, match=r"roles/bigquery\.dataViewer"):
        _bill(server).costs("here", ["run-a"], SINCE, NOW)


def test_what_passes_is_tried_again(server: BigQueryServer) -> None:
    """A fault of the service is tried again; one that lasts is for later."""
    _charge(server, "run-a", 0.1)
    server.fail("POST jobs", Fault(503))
    assert _bill(server).costs("here", ["run-a"], SINCE, NOW) == {"run-a": Billed(0.1, "USD")}

    server.fail("POST jobs", *[Fault(503)] * 50)
    with pytest.raises(TryLater):
        _bill(server, patience=IMPATIENCE).costs("here", ["run-a"], SINCE, NOW)


@pytest.mark.parametrize("table", ["export", "proj.data", "proj.data.t; DROP TABLE x", "proj.data.`t`"])
def test_a_name_that_is_no_table(table: str) -> None:
    """A name that could be more than one table's is refused before anything is asked."""
    with pytest.raises(Rejected, match="COLONY_BILLING_TABLE"):
        BigQueryBill("proj", table, "USD", max_bytes=1)


def _options(tmp_path: Path, **values: Any) -> Options:
    given = {"project": "proj", "billing_table": TABLE, "billing_max_gb": 2.5, "bigquery_endpoint": ""} | values
    return Options(tmp_path, wall_clock, "test", given)


def test_settings(tmp_path: Path) -> None:
    """Without a table there is no bill; a table without a project cannot be asked; here there is none anyway."""
    assert isinstance(bigquery.from_options(_options(tmp_path), "USD"), BigQueryBill)
    assert bigquery.from_options(_options(tmp_path, billing_table=""), "USD") is None
    assert local.from_options(_options(tmp_path), "USD") is None
    with pytest.raises(Rejected, match="GOOGLE_CLOUD_PROJECT"):
        bigquery.from_options(_options(tmp_path, project=""), "USD")
