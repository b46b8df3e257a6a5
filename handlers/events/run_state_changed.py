"""A log entry says that a pipeline job's state changed: the run is looked at now, and only the engine is believed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handlers.events.context import EventContext
from worker.errors import Rejected
from worker.intake.envelope import Event
from worker.ledger import Transaction

#: The resource whose log is sent here by a sink: `resource.type` of its entries.
RESOURCE = "aiplatform.googleapis.com/PipelineJob"


@dataclass(frozen=True)
class Changed:
    """What an entry tells: the job, which has its run's id, and its new state where that is said.

    Attributes:
        bee: of the run; empty for a run that is not ours.
    """

    run_id: str
    state: str
    bee: str


class RunStateChanged:
    """Handles one entry. Early, twice, late, of a run long settled or of a stranger's: the end is the same."""

    def __init__(self, context: EventContext) -> None:
        """Keep the way from a run to its bee."""
        self._context = context

    def parse(self, event: Event, now: datetime) -> Changed:  # noqa: ARG002 - the port's signature
        """Return what the entry tells. Raises Rejected: it names no job; TryLater: the ledger is away."""
        resource, told = event.data.get("resource"), event.data.get("jsonPayload")
        labels = resource.get("labels") if isinstance(resource, Mapping) else None
        run_id = labels.get("pipeline_job_id") if isinstance(labels, Mapping) else None
        if not isinstance(run_id, str) or not run_id.isprintable():
            raise Rejected(
                "names no pipeline job",
                field="resource.labels.pipeline_job_id",
                mend="let the sink send entries of pipeline jobs as they are",
            )
        state = told.get("state") if isinstance(told, Mapping) else None
        return Changed(run_id, str(state or "unknown"), self._context.bee_of(run_id) or "")

    def bee(self, parsed: Changed) -> str:
        """Return the bee of the run: every change of a run is made under its bee's lock."""
        return parsed.bee

    def repeated(self, event: Event, parsed: Changed, transaction: Transaction) -> Mapping[str, Any]:  # noqa: ARG002
        """Say that it was told before."""
        return _said(parsed, looked=False, reason="told before")

    def apply(self, event: Event, parsed: Changed, transaction: Transaction, now: datetime) -> Mapping[str, Any]:  # noqa: ARG002
        """Let the loop over runs look at the run at once."""
        if not parsed.bee:
            return _said(parsed, looked=False, reason="not a run of this colony")
        looked = transaction.runs.look_now(parsed.run_id)
        return _said(parsed, looked=looked, reason="it is looked at now" if looked else "it was settled before")


def _said(parsed: Changed, *, looked: bool, reason: str) -> Mapping[str, Any]:
    return {"runId": parsed.run_id, "state": parsed.state, "looked": looked, "reason": reason}
