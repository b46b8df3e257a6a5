"""What steps may ask about their run: its name, where it writes, and the task's own name."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Facts:
    """Of one run.

    Attributes:
        run_id: the run's name.
        root: where it writes, a directory or gs://.
        created: when it was submitted, RFC 3339 in UTC; no run here has another time for which it is scheduled.
    """

    run_id: str = ""
    root: str = ""
    created: str = ""

    @property
    def resource(self) -> str:
        """The run's name in the form that Vertex's have, so that what takes it apart finds its parts."""
        return f"projects/local/locations/local/pipelineJobs/{self.run_id}"

    def of_task(self, name: str, path: str) -> Mapping[str, str]:
        """Return the values of the placeholders of this kind, for one task."""
        return {
            "pipeline_job_name": self.run_id,
            "pipeline_job_uuid": self.run_id,
            "pipeline_job_resource_name": self.resource,
            "pipeline_task_name": name,
            "pipeline_task_uuid": path,
            "pipeline_root": self.root,
            "pipeline_job_create_time_utc": self.created,
            "pipeline_job_schedule_time_utc": self.created,
        }
