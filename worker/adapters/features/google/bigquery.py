"""Implements the warehouse over BigQuery's own client: query jobs, load jobs, and what their errors mean.

Each job has an id of ours: an answer that was lost is asked for again, and a job that exists already is the one that
was wanted. A transaction that lost against another, or a job that BigQuery itself broke off, has had no effect and runs
again under a new id.
"""

import io
import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import tenacity
from google.api_core import exceptions

from worker.adapters.features.google.bigquery_faults import Again, passing, translated, unknown_end
from worker.adapters.features.google.bigquery_values import parameter, parquet_of
from worker.adapters.features.google.warehouse import Params, Rows
from worker.adapters.google_calls import Patience

#: How long a job may run, in seconds.
JOB_S = 600.0
#: What a table of loaded rows lives at most.
STAGING_HOURS = 24


class BigQuery:
    """Implements worker.adapters.features.google.warehouse.Warehouse; the client is made at the first call.

    Args:
        project: the Google project that holds the data set and pays for the jobs.
        dataset: where the tables are; loaded rows go to `<dataset>_staging`.
        location: of both.
        endpoint: `http://host:port` of a stand-in that takes no credentials; empty for the service itself.
        patience: of one call (`attempt_s`), and of all its attempts and of repeated jobs (`total_s`).
        held_s: how long BigQuery itself holds back the answer to a job that runs; so much longer a call may take.
    """

    def __init__(
        self,
        project: str,
        dataset: str,
        location: str,
        *,
        endpoint: str = "",
        patience: Patience | None = None,
        held_s: float = 10.0,
    ) -> None:
        self.project = project
        self.dataset = dataset
        self.location = location
        self._endpoint = endpoint
        self._held_s = held_s
        self._patience = patience or Patience(attempt_s=30.0, total_s=60.0, first_pause_s=0.2)

    def name(self, table: str) -> str:
        """Return a table's full name as it stands in a statement."""
        return f"`{self.project}.{self.dataset}.{table}`"

    @property
    def staging(self) -> str:
        """The data set of loaded rows."""
        return f"{self.dataset}_staging"

    def query(self, statement: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Return the rows of one statement that changes nothing."""
        return self._run(statement, params)

    def transact(self, statements: Sequence[str], answer: str, params: Params = ()) -> list[tuple[Any, ...]]:
        """Run statements in one transaction, and `answer` after it, as one job; return the answer's rows."""
        parts = ["BEGIN TRANSACTION", *statements, "COMMIT TRANSACTION", answer]
        return self._run(";\n".join(parts), params)

    def alter(self, statements: Sequence[str]) -> None:
        """Run statements one after the other, a job each."""
        for statement in statements:
            self._run(statement, ())

    def _run(self, script: str, params: Params) -> list[tuple[Any, ...]]:
        from google.cloud.bigquery import QueryJobConfig

        # A cached answer is of the tables as they were.
        config = QueryJobConfig(query_parameters=[parameter(param) for param in params], use_query_cache=False)

        def begin(job_id: str) -> Any:
            return self._client.query(
                script, job_config=config, job_id=job_id, location=self.location, **self._call, job_retry=None
            )

        def result(job: Any) -> list[tuple[Any, ...]]:
            rows = job.result(timeout=JOB_S, retry=self._call["retry"], job_retry=None)
            return [tuple(row.values()) for row in rows]

        answer: list[tuple[Any, ...]] = self._job(begin, result)
        return answer

    def load(self, rows: Rows) -> str:
        """Make a table of these rows by a load job and return its full name; it goes by itself after a day."""
        from google.cloud.bigquery import LoadJobConfig, SchemaField, SourceFormat, WriteDisposition

        content = parquet_of(rows)
        table = f"{self.project}.{self.staging}.rows_{secrets.token_hex(16)}"
        config = LoadJobConfig(
            source_format=SourceFormat.PARQUET,
            schema=[SchemaField(name, kind) for name, kind in rows.fields.items()],
            write_disposition=WriteDisposition.WRITE_TRUNCATE,
        )

        def begin(job_id: str) -> Any:
            return self._client.load_table_from_file(
                io.BytesIO(content),
                table,
                size=len(content),
                job_id=job_id,
                location=self.location,
                job_config=config,
                timeout=self._patience.attempt_s,
            )

        self._job(begin, lambda job: job.result(timeout=JOB_S, retry=self._call["retry"]))
        return f"`{table}`"

    def drop(self, loaded: str) -> None:
        """Remove what `load` has made; it would go by itself."""
        with translated("BigQuery"):
            self._client.delete_table(loaded.strip("`"), not_found_ok=True, **self._call)

    def make_datasets(self) -> list[str]:
        """Make the data sets that are not there, and return their names."""
        from google.cloud.bigquery import Dataset

        made = []
        for name, hours in ((self.dataset, None), (self.staging, STAGING_HOURS)):
            dataset = Dataset(f"{self.project}.{name}")
            dataset.location = self.location
            if hours is not None:
                dataset.default_table_expiration_ms = hours * 3_600_000
            with translated(f"BigQuery data set {name}"):
                try:
                    self._client.create_dataset(dataset, **self._call)
                except exceptions.Conflict:
                    continue
            made.append(name)
        return made

    def close(self) -> None:
        """Release connections."""
        if "_client" in self.__dict__:
            self._client.close()

    def _job(self, begin: Callable[[str], Any], result: Callable[[Any], Any]) -> Any:
        """Run a job to its end; again, under a new id, if it is known to have ended without effect."""
        patience = self._patience
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Again),
            wait=tenacity.wait_random_exponential(multiplier=patience.first_pause_s, max=patience.longest_pause_s),
            stop=tenacity.stop_after_delay(patience.total_s),
            reraise=True,
        )
        with translated("BigQuery"):
            return attempts(self._once, begin, result)

    def _once(self, begin: Callable[[str], Any], result: Callable[[Any], Any]) -> Any:
        job = self._begun(begin, f"colony-{secrets.token_hex(16)}")
        try:
            return result(job)
        except exceptions.GoogleAPICallError as error:
            if job.done(reload=False) and job.error_result and passing(error):
                raise Again from error
            raise

    def _begun(self, begin: Callable[[str], Any], job_id: str) -> Any:
        """Start a job; one whose start has an unknown end is asked for, or started again under the same id."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(unknown_end),
            wait=tenacity.wait_random_exponential(multiplier=self._patience.first_pause_s, max=2.0),
            stop=tenacity.stop_after_delay(self._patience.total_s),
            reraise=True,
        )

        def attempt() -> Any:
            try:
                return begin(job_id)
            except exceptions.Conflict:
                return self._client.get_job(job_id, location=self.location, **self._call)

        return attempts(attempt)

    @cached_property
    def _client(self) -> Any:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        from worker.adapters.google_silence import bound

        anonymous: Any = AnonymousCredentials
        options = {"api_endpoint": self._endpoint}
        with translated("BigQuery"):
            client = (
                bigquery.Client(self.project, anonymous(), client_options=options)
                if self._endpoint
                else bigquery.Client(self.project)
            )
        bound(client, self._patience.attempt_s + self._held_s)
        return client

    @cached_property
    def _call(self) -> dict[str, Any]:
        from google.cloud.bigquery import DEFAULT_RETRY

        patience = self._patience
        again = DEFAULT_RETRY.with_delay(patience.first_pause_s, patience.longest_pause_s)
        return {"timeout": patience.attempt_s, "retry": again.with_timeout(patience.total_s)}
