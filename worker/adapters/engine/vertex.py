"""Vertex AI Pipelines behind the engine's port: the compiled spec goes out as it is, states come back in our words.

The generated PipelineServiceClient is used, never `PipelineJob.submit`, which looks for buckets (and makes them) first.
With ids of our own, a repeated Create is safe: the second answer is ALREADY_EXISTS.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.api_core import exceptions

from worker.adapters.engine.vertex_calls import Calls, Quota
from worker.adapters.engine.vertex_client import Patience, client, meaning
from worker.adapters.engine.vertex_job import Placement, job_fields, label, labels
from worker.adapters.engine.vertex_state import cancelling, mark, state_of
from worker.adapters.google_calls import GOOGLE
from worker.adapters.options import Options
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.runs.port import EngineState, Submission

_ACTIVE = " AND ".join(f'state!="PIPELINE_STATE_{word}"' for word in ("SUCCEEDED", "FAILED", "CANCELLED"))
_GLANCED = ("name", "state", "update_time")
#: Whether a step's progress changes its job's update time is not documented: so often each run is looked at in full.
_FULL_LOOK_S = 120.0
_WRONG_PLACE = "Check GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_REGION."


@dataclass(frozen=True)
class _Known:
    """A run as it was seen in full."""

    mark: tuple[str, datetime | None]
    state: EngineState
    at: float


class VertexEngine:
    """`worker.runs.port.PipelineEngine` on Vertex AI; it runs on without this process."""

    local = False

    def __init__(self, project: str, region: str, calls: Calls, placement: Placement | None = None) -> None:
        """Remember the settings; nothing is called yet.

        Args:
            project: the Google project.
            region: where pipelines run, `us-central1`.
            calls: makes the calls.
            placement: where and as whom runs execute; Google's defaults unless given.
        """
        self._parent = f"projects/{project}/locations/{region}"
        self._calls = calls
        self._placement = placement or Placement()
        self._known: dict[str, _Known] = {}
        self._glanced: dict[str, tuple[str, datetime | None]] = {}

    def submit(self, submission: Submission) -> None:
        """Create the PipelineJob; the same run again is a success.

        Raises:
            Rejected: the spec, a parameter, a label or the project's set-up has to be mended.
            Conflict: the id exists with other labels.
            TryLater: not reachable for as long as patience lasts, over quota, or without valid credentials.
        """
        job = job_fields(submission, self._placement)
        try:
            self._calls.create(self._parent, submission.run_id, job)
        except exceptions.AlreadyExists:
            self._confirm(submission)
        except exceptions.NotFound as error:
            raise Rejected(error.message, field=self._parent, mend=_WRONG_PLACE) from error
        except GOOGLE as error:
            raise meaning(submission.run_id, error) from error

    def glance(self, installation: str, run_ids: Sequence[str]) -> None:
        """List the installation's active jobs, with what tells whether they changed. Raises TryLater, Rejected."""
        self._glanced = {}
        if len(run_ids) < 2:
            # A list and the job itself would be two calls.
            return
        wanted = f'labels.installation="{label(installation)}" AND {_ACTIVE}'
        try:
            found = {job.name.rpartition("/")[2]: mark(job) for job in self._calls.list(self._parent, wanted, _GLANCED)}
        except GOOGLE as error:
            raise meaning(self._parent, error) from error
        self._glanced = found
        self._known = {run_id: known for run_id, known in self._known.items() if run_id in found}

    def state(self, run_id: str) -> EngineState:
        """Return the live state. Raises NotFound, TryLater; Rejected if access was taken away."""
        # A glance counts once: the next look may follow a message that the run has ended since.
        glanced, known = self._glanced.pop(run_id, None), self._known.get(run_id)
        if known and known.mark == glanced and self._calls.clock() < known.at + _FULL_LOOK_S:
            return known.state
        job = self._job(run_id)
        state = state_of(job)
        self._known[run_id] = _Known(mark(job), state, self._calls.clock())
        if state.status.ended:
            del self._known[run_id]
        return state

    def cancel(self, run_id: str) -> None:
        """Ask for cancellation; cancelling an ended run changes nothing. Raises NotFound, TryLater."""
        try:
            self._calls.cancel(self._name(run_id))
        except (exceptions.FailedPrecondition, exceptions.InvalidArgument) as error:
            # Vertex AI may refuse to cancel what has ended meanwhile, or what is about to.
            job = self._job(run_id)
            if not (cancelling(job) or state_of(job).status.ended):
                raise meaning(run_id, error) from error
        except GOOGLE as error:
            raise meaning(run_id, error) from error

    def start(self) -> None:
        """Nothing to start: Vertex executes."""

    def close(self, *, grace_s: float = 5.0) -> None:  # noqa: ARG002 the port's signature
        """Close the channel; the runs go on."""
        self._calls.close()

    def verify(self) -> None:
        """List one job. Raises TryLater or Rejected with the mend."""
        try:
            self._calls.page({"parent": self._parent, "page_size": 1})
        except exceptions.NotFound as error:
            raise Rejected(error.message, field=self._parent, mend=_WRONG_PLACE) from error
        except GOOGLE as error:
            raise meaning(self._parent, error) from error

    def _name(self, run_id: str) -> str:
        return f"{self._parent}/pipelineJobs/{run_id}"

    def _job(self, run_id: str) -> Any:
        try:
            return self._calls.get(self._name(run_id))
        except GOOGLE as error:
            raise meaning(run_id, error) from error

    def _confirm(self, submission: Submission) -> None:
        """Pass if the job that has the id is this very run."""
        try:
            job = self._job(submission.run_id)
        except NotFound as error:
            raise TryLater(f"{submission.run_id}: it existed and was deleted") from error
        ours = labels(submission.labels)
        if any(job.labels.get(key) != ours[key] for key in ("installation", "run")):
            raise Conflict(f"Vertex AI has another run with the id {submission.run_id!r}")


def from_options(options: Options) -> VertexEngine:
    """Return the engine of the settings. Raises Rejected: no project, or two networks."""
    values = options.values
    project, region, endpoint = values["project"], values["region"], values["vertex_endpoint"]
    if not project:
        raise Rejected(
            "Vertex AI needs a project", field="GOOGLE_CLOUD_PROJECT", mend="Set it, or COLONY_ENGINE=local."
        )
    placement = Placement(
        service_account=values["vertex_service_account"],
        network=values["vertex_network"],
        encryption_key=values["vertex_encryption_key"],
        reserved_ranges=tuple(filter(None, map(str.strip, values["vertex_reserved_ranges"].split(",")))),
        network_attachment=values["vertex_network_attachment"],
        failure_policy=values["vertex_failure_policy"],
    )
    quota = Quota(submissions=values["vertex_submissions"])
    return VertexEngine(project, region, Calls(lambda: client(region, endpoint), Patience(), quota), placement)
