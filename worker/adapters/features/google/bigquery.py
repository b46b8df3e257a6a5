"""Implements the warehouse over BigQuery's own client: query jobs, load jobs, and what their errors mean.

Each job has an id of ours: an answer that was lost is asked for again, and a job that exists already is the one that
was wanted. A transaction that lost against another, or a job that BigQuery itself broke off, has had no effect and runs
again under a new id.
"""

import io
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import tenacity
from google.api_core import exceptions

from worker.adapters.features.google.warehouse import Absent, Param, Params, Rows
from worker.adapters.google_calls import GOOGLE, MENDS, Patience, meaning
from worker.errors import TryLater

#: How long a job may run, in seconds.
JOB_S = 600.0
#: What a table of loaded rows lives at most.
STAGING_HOURS = 24
_INIT = "Run `colony features init`, and check FEATURE_STORE_NAME, FEATURE_STORE_REGION and GOOGLE_CLOUD_PROJECT."
_GRANT = "Grant roles/bigquery.jobUser on the project and roles/bigquery.dataEditor on the data set."
_MENDS: dict[type[Exception], str] = {
    exceptions.Forbidden: _GRANT,
    exceptions.Unauthorized: MENDS[exceptions.Unauthenticated],
    exceptions.BadRequest: _INIT,
}
#: Reasons for which a job is broken off without effect, or a call refused, though nothing is wrong with it.
_PASSING = frozenset(
    {
        "backendError",
        "internalError",
        "badGateway",
        "jobBackendError",
        "jobInternalError",
        "jobRateLimitExceeded",
        "rateLimitExceeded",
        "quotaExceeded",
        "tableUnavailable",
    }
)
#: What a statement that names a dropped column is told.
_NO_COLUMN = ("Unrecognized name", "not found inside", "is not present in table")
_ABORTED = "aborted due to concurrent update"
_ARROW = {"INT64": "int64", "STRING": "string", "FLOAT64": "float64", "BOOL": "bool_", "BYTES": "binary"}


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
        config = QueryJobConfig(query_parameters=[_parameter(param) for param in params], use_query_cache=False)

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

        content = _parquet(rows)
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
        with _translated("BigQuery"):
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
            with _translated(f"BigQuery data set {name}"):
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
            retry=tenacity.retry_if_exception_type(_Again),
            wait=tenacity.wait_random_exponential(multiplier=patience.first_pause_s, max=patience.longest_pause_s),
            stop=tenacity.stop_after_delay(patience.total_s),
            reraise=True,
        )
        with _translated("BigQuery"):
            return attempts(self._once, begin, result)

    def _once(self, begin: Callable[[str], Any], result: Callable[[Any], Any]) -> Any:
        job = self._begun(begin, f"colony-{secrets.token_hex(16)}")
        try:
            return result(job)
        except exceptions.GoogleAPICallError as error:
            if job.done(reload=False) and job.error_result and _passing(error):
                raise _Again from error
            raise

    def _begun(self, begin: Callable[[str], Any], job_id: str) -> Any:
        """Start a job; one whose start has an unknown end is asked for, or started again under the same id."""
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_unknown),
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

        from worker.adapters.features.google.silence import bound

        anonymous: Any = AnonymousCredentials
        options = {"api_endpoint": self._endpoint}
        with _translated("BigQuery"):
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


class _Again(Exception):
    """A job ended without effect, and may simply be run again."""


def _reasons(error: BaseException) -> set[str]:
    return {str(one.get("reason", "")) for one in getattr(error, "errors", None) or () if isinstance(one, dict)}


def _passing(error: exceptions.GoogleAPICallError) -> bool:
    if _ABORTED in str(error):
        return True
    if isinstance(error, exceptions.InternalServerError | exceptions.ServiceUnavailable):
        return True
    return bool(_reasons(error) & (_PASSING - {"quotaExceeded"}))


def _unknown(error: BaseException) -> bool:
    """Tell whether a call may have had its effect, or may have it the next time."""
    if isinstance(error, exceptions.ServerError | exceptions.TooManyRequests | OSError):
        return True
    return isinstance(error, exceptions.GoogleAPICallError) and bool(_reasons(error) & (_PASSING - {"quotaExceeded"}))


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise what Google's client and the HTTP library below it raise as errors of ours."""
    try:
        yield
    except _Again as error:
        raise TryLater(f"{what}: {error.__cause__}") from error
    except GOOGLE as error:
        cause = error.cause if isinstance(error, exceptions.RetryError) and error.cause else error
        if _reasons(cause) & _PASSING or isinstance(cause, OSError):
            raise TryLater(f"{what}: {cause}") from error
        if isinstance(cause, exceptions.NotFound) or any(word in str(cause) for word in _NO_COLUMN):
            raise Absent(str(cause).rstrip("."), field=what, mend=_INIT) from error
        raise meaning(what, cause, _MENDS) from error
    except OSError as error:
        # Time-outs and the HTTP library's errors are OSErrors.
        raise TryLater(f"{what}: {error}") from error


def _parameter(param: Param | Rows) -> Any:
    from google.cloud import bigquery

    if isinstance(param, Param):
        return bigquery.ScalarQueryParameter(param.name, param.kind, param.value)
    typed: Any = bigquery  # its parameter types have none
    kinds = [typed.ScalarQueryParameterType(kind, name=name) for name, kind in param.fields.items()]
    rows = zip(*(param.columns[name] for name in param.fields), strict=True)
    values = [
        typed.StructQueryParameter(None, *(typed.ScalarQueryParameter(*cell) for cell in _cells(param, row)))
        for row in rows
    ]
    return bigquery.ArrayQueryParameter(param.name, typed.StructQueryParameterType(*kinds), values)


def _cells(rows: Rows, row: Sequence[Any]) -> Iterator[tuple[str, str, Any]]:
    for (name, kind), value in zip(rows.fields.items(), row, strict=True):
        yield name, kind, value


def _parquet(rows: Rows) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    arrays = {
        name: pa.array(rows.columns[name], type=getattr(pa, _ARROW[kind])()) for name, kind in rows.fields.items()
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(arrays), sink)
    return sink.getvalue()
