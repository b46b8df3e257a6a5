"""A stand-in for BigQuery: the REST calls that its client makes, and DuckDB for the SQL of the jobs.

As in BigQuery, a job's id is given once (409 the second time), a script's answer is that of its last statement, and a
script that fails has changed nothing.
"""

import base64
import email
import io
import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import duckdb
import sqlglot
from sqlglot import exp

from tests.worker.adapters.features.google.duck import KINDS, DuckDatabase
from worker.adapters.features.google.warehouse import Absent

_FIELDS = dict.fromkeys(("INTEGER", "BIGINT", "HUGEINT"), "INTEGER")
_FIELDS |= {"DOUBLE": "FLOAT", "BOOLEAN": "BOOLEAN", "BLOB": "BYTES"}
_PAGE_ROWS = 1000


@dataclass
class Fault:
    """What goes wrong with one call.

    Attributes:
        status: of the answer; 0 cuts the connection.
        reason: BigQuery's word for it.
        after_effect: whether the call has its effect all the same.
        hangs_s: how long nothing is answered before that, in seconds.
    """

    status: int = 503
    reason: str = "backendError"
    after_effect: bool = False
    hangs_s: float = 0.0


@dataclass
class Job:
    """One job: its configuration, and its answer or error."""

    body: dict[str, Any]
    fields: list[dict[str, str]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    error: dict[str, str] | None = None


class BigQueryServer:
    """Serves jobs and data sets of one project; `jobs` holds what was run, `calls` what was asked for."""

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1, without any data set."""
        self.database = DuckDatabase()
        self.jobs: dict[str, Job] = {}
        self.calls: list[str] = []
        self.datasets: dict[str, dict[str, Any]] = {}
        self.uploads: dict[str, tuple[dict[str, Any], bytearray]] = {}
        self._faults: deque[tuple[str, Fault]] = deque()
        self._job_faults: deque[dict[str, str]] = deque()
        self.lock = threading.RLock()
        self.closed = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"store": self}))
        self.endpoint = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def fail(self, call: str, *faults: Fault) -> None:
        """Let the next calls that match (`POST jobs`, `GET queries` …) go wrong, one fault each."""
        self._faults.extend((call, fault) for fault in faults)

    def fail_jobs(self, *errors: tuple[str, str]) -> None:
        """Let the next jobs end with an error (reason, message), without effect."""
        self._job_faults.extend({"reason": reason, "message": message} for reason, message in errors)

    def mend(self) -> None:
        """Let nothing go wrong any more."""
        with self.lock:
            self._faults.clear()
            self._job_faults.clear()

    def fault_of(self, call: str) -> Fault | None:
        """Take the fault that is meant for a call."""
        with self.lock:
            self.calls.append(call)
            if self._faults and call.startswith(self._faults[0][0]):
                return self._faults.popleft()[1]
            return None

    def close(self) -> None:
        """Stop listening."""
        self.closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def insert(self, body: dict[str, Any], content: bytes = b"") -> tuple[int, dict[str, Any]]:
        """Run a job."""
        job_id = body["jobReference"]["jobId"]
        with self.lock:
            if job_id in self.jobs:
                return _error(409, "duplicate", f"Already Exists: Job p:{job_id}")
            job = self.jobs[job_id] = Job(body)
            if self._job_faults:
                job.error = self._job_faults.popleft()
            else:
                self._run(job, content)
        return 200, self.described(job_id)

    def begin_upload(self, body: dict[str, Any], project: str) -> str:
        """Begin an upload in pieces, and return where they go."""
        upload_id = str(len(self.uploads))
        self.uploads[upload_id] = (body, bytearray())
        return f"{self.endpoint}/upload/bigquery/v2/projects/{project}/uploads/{upload_id}"

    def upload(self, upload_id: str, span: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """Take a piece; with the last one the job runs."""
        body, received = self.uploads[upload_id]
        place, _, total = span.removeprefix("bytes ").partition("/")
        first = int(place.partition("-")[0])
        received[first:] = content
        return self.insert(body, bytes(received)) if str(len(received)) == total else (308, {"received": len(received)})

    def described(self, job_id: str) -> dict[str, Any]:
        """Return a job as the API tells it."""
        job = self.jobs[job_id]
        status: dict[str, Any] = {"state": "DONE"}
        if job.error is not None:
            status |= {"errorResult": job.error, "errors": [job.error]}
        kind = "query" if "query" in job.body["configuration"] else "load"
        configuration = job.body["configuration"] | {"jobType": kind.upper()}
        reference = job.body["jobReference"] | {"location": job.body["jobReference"].get("location", "US")}
        statistics = {kind: {"statementType": "SCRIPT"}} if kind == "query" else {kind: {"outputRows": "0"}}
        return {"jobReference": reference, "configuration": configuration, "status": status, "statistics": statistics}

    def answered(self, job_id: str, query: Mapping[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Return a page of a job's answer."""
        job = self.jobs[job_id]
        if job.error is not None:
            return _error(400, job.error["reason"], job.error["message"])
        first = int(query.get("pageToken", query.get("startIndex", ["0"]))[0])
        size = min(int(query.get("maxResults", [str(_PAGE_ROWS)])[0]), _PAGE_ROWS)
        page = job.rows[first : first + size]
        body: dict[str, Any] = {
            "jobReference": self.described(job_id)["jobReference"],
            "jobComplete": True,
            "totalRows": str(len(job.rows)),
            "schema": {"fields": job.fields},
            "rows": [{"f": [{"v": cell} for cell in row]} for row in page],
        }
        if first + size < len(job.rows):
            body["pageToken"] = str(first + size)
        return 200, body

    def _run(self, job: Job, content: bytes) -> None:
        try:
            if "query" in job.body["configuration"]:
                self._query(job, job.body["configuration"]["query"])
            else:
                self._load(job.body["configuration"]["load"], content)
        except (Absent, duckdb.Error, sqlglot.errors.ParseError) as error:
            reason = "notFound" if "does not exist" in str(error) else "invalidQuery"
            word = "Unrecognized name: " if isinstance(error, Absent) else ""
            job.error = {"reason": reason, "message": f"{word}{error}"}

    def _query(self, job: Job, configuration: dict[str, Any]) -> None:
        kinds, values = _parameters(configuration.get("queryParameters", []))
        trees = [tree for tree in sqlglot.parse(configuration["query"], read="bigquery") if tree is not None]
        if any(isinstance(tree, exp.Create | exp.Alter) for tree in trees):
            for tree in trees:
                self.database.alter(tree.sql(dialect="bigquery"))
            return
        plain = [tree for tree in trees if not isinstance(tree, exp.Transaction | exp.Commit)]
        rows = self.database.transact([tree.sql(dialect="bigquery") for tree in plain], kinds, values)
        job.fields = [{"name": name, "type": _FIELDS.get(kind, "STRING")} for name, kind in self.database.described]
        job.rows = [[_cell(value) for value in row] for row in rows]

    def _load(self, configuration: dict[str, Any], content: bytes) -> None:
        from pyarrow import parquet

        destination = configuration["destinationTable"]
        if destination["datasetId"] not in self.datasets:
            raise Absent(f"dataset {destination['datasetId']} does not exist")
        names = [one["name"] for one in configuration["schema"]["fields"]]
        table = parquet.read_table(io.BytesIO(content)).select(names)
        columns = ", ".join(f"{one['name']} {KINDS[one['type']]}" for one in configuration["schema"]["fields"])
        into = f'"{destination["projectId"]}".{destination["datasetId"]}.{destination["tableId"]}'
        connection = self.database.connection
        connection.execute(f"CREATE OR REPLACE TABLE {into} ({columns})")
        connection.register("loading", table)
        connection.execute(f"INSERT INTO {into} SELECT * FROM loading")  # noqa: S608 - a name of ours
        connection.unregister("loading")

    def make_dataset(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Make a data set."""
        reference = body["datasetReference"]
        with self.lock:
            if reference["datasetId"] in self.datasets:
                return _error(409, "duplicate", "Already Exists: Dataset")
            self.datasets[reference["datasetId"]] = body
            connection = self.database.connection
            connection.execute(f"ATTACH IF NOT EXISTS ':memory:' AS \"{reference['projectId']}\"")
            connection.execute(f'CREATE SCHEMA "{reference["projectId"]}".{reference["datasetId"]}')
        return 200, body

    def drop(self, dataset: str, table: str, project: str) -> tuple[int, dict[str, Any]]:
        """Delete a table."""
        with self.lock:
            self.database.connection.execute(f'DROP TABLE IF EXISTS "{project}".{dataset}.{table}')
        return 204, {}


def _parameters(told: list[dict[str, Any]]) -> tuple[dict[str, str], dict[str, Any]]:
    kinds, values = {}, {}
    for parameter in told:
        kind, value = parameter["parameterType"], parameter["parameterValue"]
        kinds[parameter["name"]] = _kind(kind)
        values[parameter["name"]] = _value(kind, value)
    return kinds, values


def _kind(told: dict[str, Any]) -> str:
    if told["type"] == "ARRAY":
        return f"{_kind(told['arrayType'])}[]"
    if told["type"] in {"STRUCT", "RECORD"}:
        fields = [f"{one['name']} {_kind(one['type'])}" for one in told["structTypes"]]
        return f"STRUCT({', '.join(fields)})"
    return KINDS[told["type"]]


def _value(kind: dict[str, Any], told: dict[str, Any]) -> Any:
    if kind["type"] == "ARRAY":
        return [_value(kind["arrayType"], one) for one in told.get("arrayValues", [])]
    if kind["type"] in {"STRUCT", "RECORD"}:
        return {one["name"]: _value(one["type"], told["structValues"][one["name"]]) for one in kind["structTypes"]}
    value = told.get("value")
    if value is None:
        return None
    read = {"INT64": int, "FLOAT64": float, "BYTES": base64.b64decode, "BOOL": lambda word: str(word).lower() == "true"}
    return read.get(kind["type"], str)(value)  # type: ignore[operator]


def _cell(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return repr(value) if isinstance(value, float) else str(value)


def _error(status: int, reason: str, message: str) -> tuple[int, dict[str, Any]]:
    one = {"reason": reason, "message": message, "domain": "global"}
    return status, {"error": {"code": status, "message": message, "errors": [one]}}


class _Handler(BaseHTTPRequestHandler):
    store: BigQueryServer
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: the other side waits 40 ms with its acknowledgement of the first.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    _location = ""

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/upload").removeprefix("/bigquery/v2/projects/")
        project, _, rest = path.partition("/")
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.store.fault_of(f"{self.command} {rest}")
        if fault is None or fault.after_effect:
            status, body = self._answer(project, rest, parse_qs(parts.query), content)
        if fault is not None:
            self.store.closed.wait(fault.hangs_s)
            if fault.status == 0:
                self.close_connection = True
                self.connection.close()
                return
            status, body = _error(fault.status, fault.reason, "a fault")
        self._send(status, body)

    def _answer(
        self, project: str, rest: str, query: dict[str, list[str]], content: bytes
    ) -> tuple[int, dict[str, Any]]:
        match (self.command, rest.split("/")):
            case ("POST", ["jobs"]) if query.get("uploadType") == ["multipart"]:
                return self.store.insert(*_parts(self.headers["Content-Type"], content))
            case ("POST", ["jobs"]) if query.get("uploadType") == ["resumable"]:
                self._location = self.store.begin_upload(json.loads(content), project)
                return 200, {}
            case ("PUT", ["uploads", upload_id]):
                return self.store.upload(upload_id, self.headers["Content-Range"], content)
            case ("POST", ["jobs"]):
                return self.store.insert(json.loads(content))
            case ("GET", ["jobs", job_id]) if job_id in self.store.jobs:
                return 200, self.store.described(job_id)
            case ("GET", ["queries", job_id]) if job_id in self.store.jobs:
                return self.store.answered(job_id, query)
            case ("POST", ["datasets"]):
                return self.store.make_dataset(json.loads(content))
            case ("DELETE", ["datasets", dataset, "tables", table]):
                return self.store.drop(dataset, table, project)
        return _error(404, "notFound", f"Not found: {rest}")

    def _send(self, status: int, body: dict[str, Any]) -> None:
        text = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if self._location:
            self.send_header("Location", self._location)
            self._location = ""
        if status == 308:
            self.send_header("Range", f"bytes=0-{body['received'] - 1}")
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the library's names


def _parts(content_type: str, content: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the two parts of an upload: its description, and what is uploaded."""
    boundary = re.search(r'boundary="?([^";]+)', content_type)
    assert boundary is not None
    head, body = [part for part in content.split(b"--" + boundary[1].encode()) if part.strip(b"\r\n-")][:2]
    described = email.message_from_bytes(head.lstrip()).get_payload()
    return json.loads(str(described)), body.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n")
