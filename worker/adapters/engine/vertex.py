"""Vertex AI Pipelines behind the engine's port: the compiled spec goes out as it is, states come back in our words.

The generated PipelineServiceClient is used, never `PipelineJob.submit`, which looks for buckets (and makes them) first.
With ids of our own, a repeated Create is safe: the second answer is ALREADY_EXISTS.
"""

from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError

from worker.adapters.engine.vertex_client import Patience, call, client, meaning
from worker.adapters.engine.vertex_job import Placement, job_fields, labels
from worker.adapters.engine.vertex_state import state_of
from worker.adapters.options import Options
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.runs.port import EngineState, Submission

__all__ = ["Patience", "VertexEngine", "client", "from_options"]

_GOOGLE = (exceptions.GoogleAPICallError, GoogleAuthError)


class VertexEngine:
    """`worker.runs.port.PipelineEngine` on Vertex AI; it runs on without this process."""

    local = False

    def __init__(  # noqa: PLR0913 (settings, each by its name)
        self,
        project: str,
        region: str,
        *,
        service_account: str = "",
        network: str = "",
        encryption_key: str = "",
        client: Any = None,
        endpoint: str = "",
        patience: Patience | None = None,
    ) -> None:
        """Remember the settings; the client is made at the first call (its import takes seconds).

        Args:
            project: the Google project.
            region: where pipelines run, `us-central1`.
            service_account: whom the steps act as; empty: Compute Engine's default account.
            network: a VPC to peer with, by project number.
            encryption_key: a Cloud KMS key for what the run keeps.
            client: a PipelineServiceClient, else one is made.
            endpoint: `host:port` of a stand-in that speaks gRPC in plain text.
            patience: time-outs and back-off.
        """
        self._parent = f"projects/{project}/locations/{region}"
        self._region = region
        self._placement = Placement(service_account, network, encryption_key)
        self._given = client
        self._endpoint = endpoint
        self._patience = patience or Patience()

    def submit(self, submission: Submission) -> None:
        """Create the PipelineJob; the same run again is a success.

        Raises:
            Rejected: the spec, a parameter, a label or the project's set-up has to be mended.
            Conflict: the id exists with other labels.
            TryLater: not reachable, or over quota, for as long as patience lasts.
        """
        job = job_fields(submission, self._placement)
        request = {"parent": self._parent, "pipeline_job": job, "pipeline_job_id": submission.run_id}
        try:
            call(self._client.create_pipeline_job, request, self._patience)
        except exceptions.AlreadyExists:
            self._confirm(submission)
        except exceptions.NotFound as error:
            mend = "Check GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_REGION."
            raise Rejected(error.message, field=self._parent, mend=mend) from error
        except _GOOGLE as error:
            raise meaning(submission.run_id, error) from error

    def state(self, run_id: str) -> EngineState:
        """Return the live state. Raises NotFound, TryLater; Rejected if access was taken away."""
        return state_of(self._job(run_id))

    def cancel(self, run_id: str) -> None:
        """Ask for cancellation; cancelling an ended run changes nothing. Raises NotFound, TryLater."""
        try:
            call(self._client.cancel_pipeline_job, {"name": self._name(run_id)}, self._patience)
        except (exceptions.FailedPrecondition, exceptions.InvalidArgument) as error:
            # Vertex may refuse to cancel what has ended.
            if not self.state(run_id).status.ended:
                raise meaning(run_id, error) from error
        except _GOOGLE as error:
            raise meaning(run_id, error) from error

    def start(self) -> None:
        """Nothing to start: Vertex executes."""

    def close(self, *, grace_s: float = 5.0) -> None:  # noqa: ARG002 the port's signature
        """Close the channel; the runs go on."""
        if self._given is not None or "_client" in self.__dict__:
            self._client.transport.close()

    def verify(self) -> None:
        """List one job. Raises TryLater or Rejected with the mend."""
        try:
            call(self._client.list_pipeline_jobs, {"parent": self._parent, "page_size": 1}, self._patience)
        except exceptions.NotFound as error:
            mend = "Check GOOGLE_CLOUD_PROJECT and GOOGLE_CLOUD_REGION."
            raise Rejected(error.message, field=self._parent, mend=mend) from error
        except _GOOGLE as error:
            raise meaning(self._parent, error) from error

    @cached_property
    def _client(self) -> Any:
        return self._given or client(self._region, self._endpoint)

    def _name(self, run_id: str) -> str:
        return f"{self._parent}/pipelineJobs/{run_id}"

    def _job(self, run_id: str) -> Any:
        try:
            return call(self._client.get_pipeline_job, {"name": self._name(run_id)}, self._patience)
        except _GOOGLE as error:
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
    """Return the engine of the settings. Raises Rejected: no project."""
    values = options.values
    if not values["project"]:
        raise Rejected(
            "Vertex AI needs a project", field="GOOGLE_CLOUD_PROJECT", mend="Set it, or COLONY_ENGINE=local."
        )
    return VertexEngine(
        values["project"],
        values["region"],
        service_account=values["vertex_service_account"],
        network=values["vertex_network"],
        encryption_key=values["vertex_encryption_key"],
        endpoint=values["vertex_endpoint"],
    )
