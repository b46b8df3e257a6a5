"""The bill as Cloud Billing exports it to BigQuery: the standard usage cost table, read by the labels of our runs.

Vertex AI Pipelines hands a run's labels on to the jobs of its steps, so that what they cost can be told apart. The
table is partitioned by the day on which rows came in, none of which is before the usage that it tells of.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, MENDS, Patience, meaning
from worker.adapters.options import Options
from worker.clock import to_us, wall_clock
from worker.costs.port import Bill, Billed
from worker.errors import NotFound, Rejected, TryLater

#: How long the query may run, in seconds.
JOB_S = 300.0
#: `project.dataset.table`.
TABLE = re.compile(r"[a-z][a-z0-9:.-]*[a-z0-9]\.[A-Za-z0-9_]+\.[A-Za-z0-9_-]+")
_SETTING = "COLONY_BILLING_TABLE"
_MENDS: Mapping[type[Exception], str] = {
    exceptions.Forbidden: "Grant roles/bigquery.jobUser on the project and roles/bigquery.dataViewer on the data set.",
    exceptions.BadRequest: "Name the table of the standard usage cost export itself (gcp_billing_export_v1_…).",
    exceptions.Unauthorized: MENDS[exceptions.Unauthenticated],
}
_TOO_DEAR = "bytesBilledLimitExceeded"
_QUERY = """
SELECT
  run,
  currency,
  SUM(total) AS total,
  SUM(total / NULLIF(rate, 0)) AS dollars,
  COUNTIF(rate IS NULL OR rate = 0) AS unrated
FROM (
  SELECT
    (SELECT MAX(label.value) FROM UNNEST(labels) AS label WHERE label.key = 'run') AS run,
    currency,
    currency_conversion_rate AS rate,
    cost + IFNULL((SELECT SUM(credit.amount) FROM UNNEST(credits) AS credit), 0) AS total
  FROM `{table}`
  WHERE _PARTITIONTIME >= TIMESTAMP_TRUNC(TIMESTAMP_MICROS(@since), DAY)
    AND usage_start_time >= TIMESTAMP_MICROS(@since)
    AND usage_start_time < TIMESTAMP_MICROS(@until)
    AND EXISTS (
      SELECT 1 FROM UNNEST(labels) AS label WHERE label.key = 'installation' AND label.value = @installation
    )
)
WHERE run IS NOT NULL
GROUP BY run, currency
"""


class BigQueryBill:
    """Implements `worker.costs.port.Bill`; the client is made at the first call.

    Args:
        project: pays for the query.
        table: `project.dataset.gcp_billing_export_v1_…`.
        currency: of the price list, in which amounts are told.
        max_bytes: no query may be charged for more.
        endpoint: `http://host:port` of a stand-in that takes no credentials; empty for the service itself.
        patience: of one call.
    """

    def __init__(
        self,
        project: str,
        table: str,
        currency: str,
        *,
        max_bytes: int,
        endpoint: str = "",
        patience: Patience | None = None,
    ) -> None:
        if not TABLE.fullmatch(table):
            mend = "write it as project.dataset.gcp_billing_export_v1_XXXXXX_XXXXXX_XXXXXX"
            raise Rejected(f"{table!r} is no table", field=_SETTING, mend=mend)
        self._project = project
        self._table = table
        self._currency = currency
        self._max_bytes = max_bytes
        self._endpoint = endpoint
        self._patience = patience or Patience(attempt_s=30.0, total_s=60.0)

    def costs(self, installation: str, runs: Collection[str], since: datetime, until: datetime) -> Mapping[str, Billed]:
        """Return run label -> what was charged for usage in [since, until). Raises TryLater, Rejected."""
        wanted = set(runs)
        found: dict[str, Billed] = {}
        for run, *told in self._rows(installation, since, until) if wanted else ():
            if run in wanted:
                billed = self._billed(*told)
                found[run] = _both(found[run], billed) if run in found else billed
        return found

    def verify(self) -> str:
        """Plan a query without running it, which costs nothing. Raises TryLater, Rejected."""
        until = wall_clock()
        with _translated(self._table):
            job = self._begun("none", until - timedelta(days=1), until, dry_run=True)
        return f"a query of {job.total_bytes_processed or 0} bytes was planned"

    def close(self) -> None:
        """Release connections."""
        if "_client" in self.__dict__:
            self._client.close()

    def _billed(self, currency: str, total: float, dollars: float | None, unrated: int) -> Billed:
        if currency == self._currency:
            return Billed(round(total, 6), currency)
        known = self._currency == "USD" and dollars is not None and not unrated
        return Billed(round(dollars or 0.0, 6) if known else None, currency)

    def _rows(self, installation: str, since: datetime, until: datetime) -> list[tuple[Any, ...]]:
        with _translated(self._table):
            job = self._begun(installation, since, until)
            rows = job.result(timeout=JOB_S, retry=self._call["retry"], job_retry=None)
            return [tuple(row.values()) for row in rows]

    def _begun(self, installation: str, since: datetime, until: datetime, *, dry_run: bool = False) -> Any:
        from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

        config = QueryJobConfig(
            query_parameters=[
                ScalarQueryParameter("installation", "STRING", installation),
                ScalarQueryParameter("since", "INT64", to_us(since)),
                ScalarQueryParameter("until", "INT64", to_us(until)),
            ],
            maximum_bytes_billed=self._max_bytes,
            dry_run=dry_run,
        )
        # The table's name was checked; values are parameters.
        statement = _QUERY.format(table=self._table)
        return self._client.query(statement, job_config=config, job_retry=None, **self._call)

    @cached_property
    def _call(self) -> dict[str, Any]:
        from google.cloud.bigquery import DEFAULT_RETRY

        patience = self._patience
        again = DEFAULT_RETRY.with_delay(patience.first_pause_s, patience.longest_pause_s)
        return {"timeout": patience.attempt_s, "retry": again.with_timeout(patience.total_s)}

    @cached_property
    def _client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        from worker.adapters.google_silence import bound

        anonymous: Any = AnonymousCredentials
        options = {"api_endpoint": self._endpoint}
        with _translated("BigQuery"):
            client = (
                bigquery.Client(self._project, anonymous(), client_options=options)
                if self._endpoint
                else bigquery.Client(self._project)
            )
        bound(client, self._patience.attempt_s + 10.0)
        return client


def from_options(options: Options, currency: str) -> Bill | None:
    """Return the bill of the settings, None where no table is named. Raises Rejected: no project, or no such name."""
    values = options.values
    if not values["billing_table"]:
        return None
    if not values["project"]:
        raise Rejected("a query needs a project", field="GOOGLE_CLOUD_PROJECT", mend=f"Set it, or unset {_SETTING}.")
    return BigQueryBill(
        values["project"],
        values["billing_table"],
        currency,
        max_bytes=int(values["billing_max_gb"] * 10**9),
        endpoint=values["bigquery_endpoint"],
    )


def _both(one: Billed, other: Billed) -> Billed:
    known = one.amount is not None and other.amount is not None
    return Billed(round((one.amount or 0.0) + (other.amount or 0.0), 6) if known else None, other.currency)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise what Google's client and the HTTP library below it raise as errors of ours."""
    try:
        yield
    except GOOGLE as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) and error.cause else error
        if isinstance(cause, OSError):
            raise TryLater(f"{what}: {cause}") from error
        if _TOO_DEAR in str(cause) or any(one.get("reason") == _TOO_DEAR for one in getattr(cause, "errors", ()) or ()):
            mend = "Raise COLONY_BILLING_MAX_GB, or look back less far with COLONY_BILLING_DAYS."
            raise Rejected("the query would be charged for more bytes than allowed", field=what, mend=mend) from error
        found = meaning(what, cause, _MENDS)
        if isinstance(found, NotFound):
            mend = "Switch the standard usage cost export on, and name its table."
            raise Rejected(str(found), field=_SETTING, mend=mend) from error
        raise found from error
    except OSError as error:
        raise TryLater(f"{what}: {error}") from error
