"""`pipeline`: trigger a template, look at its runs, cancel one, list runs and templates."""
# ruff: noqa: N803 - the API is camelCase

import secrets
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from handlers.commands.cancel_run import cancel_run
from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline
from handlers.http.cursors import CURSOR, read_moment_cursor, write_cursor
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import BeeId, Moment, RunPage, RunShown, RunSummary, TemplateList, TriggerRequest
from handlers.http.templates import shown_templates
from worker.access.token import Scope
from worker.clock import to_us
from worker.engine.state import Status
from worker.errors import NotFound, Rejected
from worker.ledger import Ledger
from worker.runs.lifecycle import Run
from worker.runs.port import RunFilter, StepState
from worker.runs.shown import shown_run, shown_summary

RunName = Annotated[str, Path(pattern="^[a-z][-a-z0-9]{0,127}$", description="As `trigger` answered it.")]
Template = Annotated[str | None, Query(pattern="^[a-z][a-z0-9-]{0,62}$", description="Only this template's runs.")]
Since = Annotated[Moment | None, Query(description="Only runs that were asked for at that time or later.")]
Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern="^[!-~]+$",
        description="Names the request: the same key again is the same run, and with another body it is refused.",
    ),
]
_LOCATION = {"headers": {"Location": {"description": "Where to look at the run.", "schema": {"type": "string"}}}}


def routes(services: Services) -> APIRouter:
    """Return the routes of pipelines and runs."""
    router = APIRouter(responses=RESPONSES, prefix="/pipeline")

    @router.post("/trigger", status_code=202, responses={202: _LOCATION}, **needs(Scope.WRITE))
    def trigger(asked: TriggerRequest, request: Request, response: Response, key: Key = None) -> RunSummary:
        """Ask for a run; the worker executes it, and `Location` is where to look at it."""
        if len(request.headers.getlist("Idempotency-Key")) > 1:
            raise Rejected("is given twice", field="Idempotency-Key", mend="give it once")
        run = _trigger(services, asked, key)
        response.headers["Location"] = f"/api/mlops/pipeline/run/{run.id}"
        return RunSummary(**shown_summary(run))

    @router.get("/run/{runId}", **needs(Scope.READ))
    def get_run(runId: RunName) -> RunShown:
        """Tell a run's status, every step with its times and the end of its log, what it made and concluded."""
        return RunShown(**shown_run(*find_run(services.ledger, runId)))

    @router.get("/runs", **needs(Scope.READ))
    def list_runs(
        *,
        beeId: Annotated[BeeId | None, Query(description="Only this bee's runs.")] = None,
        pipeline: Template = None,
        status: Annotated[Status | None, Query(description="Only runs in this state.")] = None,
        since: Since = None,
        cursor: CURSOR = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> RunPage:
        """List runs, newest first."""
        return _page(services.ledger, RunFilter(beeId, pipeline, status, since), cursor, limit)

    @router.post("/run/{runId}/cancel", status_code=202, **needs(Scope.OPERATE))
    def cancel(runId: RunName) -> RunSummary:
        """Cancel a run: it ends as cancelled and deploys nothing, whatever it had reached."""
        return RunSummary(**shown_summary(cancel_run(runId, services.ledger)))

    @router.get("/templates", **needs(Scope.READ))
    def list_templates() -> TemplateList:
        """List the templates that can be triggered, with their parameters; a faulty one says what is wrong."""
        return shown_templates(services.templates())

    return router


def find_run(ledger: Ledger, run_id: str) -> tuple[Run, Sequence[StepState]]:
    """Return a run and its steps. Raises NotFound."""
    with ledger.begin(write=False) as transaction:
        run = transaction.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}", field="runId")
        return run, transaction.runs.steps(run_id)


def _trigger(services: Services, asked: TriggerRequest, key: str | None) -> Run:
    command = TriggerPipeline(
        template=asked.pipeline,
        bee=asked.parameters.beeId,
        as_of=asked.parameters.asOf,
        key=key or secrets.token_hex(16),
        reason=asked.reason,
        parameters=asked.parameters.model_extra or {},
    )
    bees, templates = services.bees(), services.templates()
    return trigger_pipeline(command, services.ledger, bees, templates, services.clock(), services.ready)


def _page(ledger: Ledger, which: RunFilter, cursor: str | None, limit: int) -> RunPage:
    before = read_moment_cursor(cursor)
    with ledger.begin(write=False) as transaction:
        found = transaction.runs.page(which, before=before, limit=limit + 1)
    page = found[:limit]
    older = write_cursor(to_us(page[-1].created_at), page[-1].id) if len(found) > limit else None
    return RunPage(runs=[RunSummary(**shown_summary(run)) for run in page], nextCursor=older)
