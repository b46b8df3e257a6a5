"""The page behind a signed link, for people: it shows a question with its evidence, and takes one answer."""
# ruff: noqa: N803 - the API is camelCase

from html import escape
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool

from handlers.commands.answer_question import answer_question, find_question
from handlers.http.operating import ApprovalName, as_operator
from handlers.http.services import Services
from worker.clock import to_text
from worker.errors import ColonyError, Conflict, NotFound, Rejected
from worker.incidents.approval import Answer, Question

Expires = Annotated[int, Query(ge=0, lt=2**33)]
Signature = Annotated[str, Query(max_length=128)]
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'"
_STYLE = "body{font:16px sans-serif;max-width:44em;margin:2em auto;padding:0 1em}td{padding:.2em 1em .2em 0}"
_MOST = 20_000
_NAME = 100


def page(services: Services) -> APIRouter:
    """Return the routes behind signed links: they ask for no token, the signature is what counts."""
    router = APIRouter(prefix="/api/mlops/answer", include_in_schema=False)

    @router.get("/{approvalId}")
    def show(approvalId: ApprovalName, expires: Expires, signature: Signature) -> HTMLResponse:
        """Show the question; looking changes nothing, whoever looks (a chat's preview does)."""
        fault = _fault(services, approvalId, expires, signature)
        if fault:
            return _page(403, fault)
        with services.ledger.begin(write=False) as transaction:
            try:
                question = find_question(transaction, approvalId)
            except NotFound:
                return _page(404, "There is no such question any more.")
        return _page(200, _title(question), _shown(question))

    @router.post("/{approvalId}")
    async def answer(
        approvalId: ApprovalName, request: Request, expires: Expires, signature: Signature
    ) -> HTMLResponse:
        """Take the answer, in the name that is given."""
        fault = _fault(services, approvalId, expires, signature)
        if fault:
            return _page(403, fault)
        body = await request.body()
        form = {name: values[0] for name, values in parse_qs(body[:_MOST].decode("utf-8", "replace")).items()}
        return await run_in_threadpool(_answer, services, approvalId, form)

    return router


def _fault(services: Services, question_id: str, expires: int, signature: str) -> str:
    if services.links is None:
        return "this link is not one of ours"
    return services.links.check(question_id, expires, signature, services.clock())


def _answer(services: Services, question_id: str, form: dict[str, str]) -> HTMLResponse:
    name, said = form.get("name", "").strip()[:_NAME], form.get("answer")
    if not name or said not in {"approve", "refuse"}:
        return _page(422, "Say who you are, and approve or refuse.")
    # Anybody who has the link could give any name: it is recorded as what it is.
    by = f"{name} (by signed link)"
    who = as_operator(services, by)
    try:
        done = answer_question(who, question_id, approve=said == "approve", reason=form.get("reason", ""))
    except (Rejected, Conflict, NotFound) as error:
        return _page(_STATUS[type(error)], f"It was not done: {error}")
    except ColonyError as error:
        return _page(503, f"It could not be done now, try again: {error}")
    return _page(200, f"{done.question.answer.value.capitalize()}: {done.said}")


_STATUS: dict[type[ColonyError], int] = {Rejected: 422, Conflict: 409, NotFound: 404}


def _title(question: Question) -> str:
    what = f"Put version {question.version} of {question.bee} into production?" if question.version else ""
    return what or f"Begin attempt {question.attempt} of retraining {question.bee}?"


def _shown(question: Question) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in _facts(question))
    if question.answer is not Answer.WAITING:
        by = f" by {question.by}" if question.by else ""
        return f"<table>{rows}</table><p>It is {escape(question.answer.value + by)} already.</p>"
    return (
        f"<table>{rows}</table><form method=post>"
        f"<p><label>Your name <input name=name required maxlength={_NAME}></label>"
        "<p><label>Why <input name=reason maxlength=2000 size=50></label> (a refusal needs a reason)"
        "<p><button name=answer value=approve>Approve</button> <button name=answer value=refuse>Refuse</button></form>"
    )


def _facts(question: Question) -> list[tuple[str, str]]:
    evidence: dict[str, Any] = dict(question.evidence)
    gate = evidence.get("gate") or {}
    facts = [("Bee", question.bee), ("Because", str(evidence.get("reason", "")))]
    if gate:
        names = ("metric", "champion", "challenger", "difference", "lower", "upper", "rows", "positives")
        facts.append(("Gate", ", ".join(f"{name} {gate[name]}" for name in names if gate.get(name) is not None)))
    facts += [(check["name"], check["why"]) for check in evidence.get("checks", [])]
    facts += [(word, str(evidence[name])) for name, word in _COSTS if evidence.get(name) is not None]
    asked = [("Asked", to_text(question.asked_at)), ("Until", to_text(question.expires_at))]
    return [*facts, *asked, ("Silence means", question.on_expiry)]


_COSTS = (("cost", "Cost of the run"), ("estimatedCost", "Estimated cost"))


def _page(status: int, title: str, body: str = "") -> HTMLResponse:
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>Colony</title><style>{_STYLE}</style>"
    said = escape(title[0].upper() + title[1:])
    return HTMLResponse(
        f"{head}<h1>{said}</h1>{body}", status_code=status, headers={"Content-Security-Policy": _POLICY}
    )
