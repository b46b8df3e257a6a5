"""`approvals`: what waits for a person, with the evidence; approve it, or refuse it."""
# ruff: noqa: N803 - the API is camelCase

from typing import Annotated

from fastapi import APIRouter, Query, Request

from handlers.commands.answer_question import answer_question, find_question
from handlers.commands.show_question import shown_question
from handlers.http.cursors import CURSOR, read_moment_cursor, write_cursor
from handlers.http.operating import (
    AnswerShown,
    ApprovalName,
    ApprovalPage,
    ApprovalShown,
    ApproveRequest,
    ReasonRequest,
    operator,
)
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from handlers.http.shapes import BeeId
from worker.access.token import Scope
from worker.clock import to_us
from worker.incidents.approval import Answer
from worker.runs.answer import Answered


def routes(services: Services) -> APIRouter:
    """Return the routes of approvals."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/approvals", **needs(Scope.READ))
    def list_approvals(
        *,
        beeId: Annotated[BeeId | None, Query(description="Only this bee's.")] = None,
        answer: Annotated[Answer | None, Query(description="Only those with this answer; `waiting` has none.")] = None,
        cursor: CURSOR = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ApprovalPage:
        """List what people were asked, newest first."""
        before = read_moment_cursor(cursor)
        with services.ledger.begin(write=False) as transaction:
            found = transaction.approvals.page(bee=beeId, answer=answer, before=before, limit=limit + 1)
        page = found[:limit]
        older = write_cursor(to_us(page[-1].asked_at), page[-1].id) if len(found) > limit else None
        return ApprovalPage(approvals=[ApprovalShown(**shown_question(one)) for one in page], nextCursor=older)

    @router.get("/approvals/{approvalId}", **needs(Scope.READ))
    def get_approval(approvalId: ApprovalName) -> ApprovalShown:
        """Show a question with its evidence, and its answer if it has one."""
        with services.ledger.begin(write=False) as transaction:
            return ApprovalShown(**shown_question(find_question(transaction, approvalId)))

    @router.post("/approvals/{approvalId}/approve", **needs(Scope.OPERATE))
    def approve(approvalId: ApprovalName, asked: ApproveRequest, request: Request) -> AnswerShown:
        """Approve: the run begins, or the version goes into production if that has not moved on since."""
        who = operator(services, request)
        return _answer(answer_question(who, approvalId, approve=True, reason=asked.reason))

    @router.post("/approvals/{approvalId}/refuse", **needs(Scope.OPERATE))
    def refuse(approvalId: ApprovalName, asked: ReasonRequest, request: Request) -> AnswerShown:
        """Refuse: the run does not begin, or the version does not go into production."""
        who = operator(services, request)
        return _answer(answer_question(who, approvalId, approve=False, reason=asked.reason))

    return router


def _answer(done: Answered) -> AnswerShown:
    return AnswerShown(approval=ApprovalShown(**shown_question(done.question)), said=done.said, runId=done.run_id)
