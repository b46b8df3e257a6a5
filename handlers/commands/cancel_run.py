"""Cancel a run: it ends as cancelled and deploys nothing, whatever it had reached."""

from dataclasses import replace

from worker.errors import Conflict, NotFound
from worker.ledger import Ledger
from worker.runs.lifecycle import Run


def cancel_run(run_id: str, ledger: Ledger) -> Run:
    """Mark a run for cancellation; the loops carry it out.

    Raises:
        NotFound: no such run.
        Conflict: it has ended.
    """
    with ledger.begin() as transaction:
        run = transaction.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}", field="runId")
        transaction.lock([run.bee])
        run = transaction.runs.get(run_id) or run
        if run.settled:
            raise Conflict(f"run {run_id} has ended: {run.verdict}")
        run = replace(run, cancel_requested=True)
        transaction.runs.save(run)
        transaction.runs.look_now(run_id)
        return run
