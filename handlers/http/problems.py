"""Errors as problem+json (RFC 9457), each naming the field and the mend."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from handlers.http.headers import SECURITY
from worker.errors import ColonyError, Conflict, NotFound, Rejected, TryLater

_STATUS: list[tuple[type[ColonyError], int]] = [(Rejected, 422), (NotFound, 404), (Conflict, 409), (TryLater, 503)]

PROBLEM = "application/problem+json"
_UNREADABLE, _NOWHERE, _NOT_SO, _NOT_JSON, _AWAY = 400, 404, 405, 415, 503
_MEND = "see /api/mlops/docs"


class Problem(BaseModel):
    """An error as it is answered (RFC 9457): `field` names what is wrong in the request, `mend` what to do."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": "about:blank",
                "title": HTTPStatus(422).phrase,
                "status": 422,
                "detail": "there is no bee 'spam-gaurd'",
                "field": "parameters.beeId",
                "mend": "one of: spam-guard",
            }
        }
    )

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    mend: str | None = None


#: What every route may answer beside its own, for OpenAPI.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}, "description": description}
    for status, description in {
        400: "The body cannot be read as JSON.",
        401: "No token, or one that does not count.",
        403: "The token lacks the scope; or the call comes from elsewhere and there is no authentication.",
        404: "The named thing does not exist.",
        408: "The body did not come in time.",
        409: "It collides with what is already there.",
        413: "The body is larger than 1 MiB.",
        415: "The body is not said to be JSON.",
        422: "Something is wrong with the request: `field` names it, `mend` says what to do.",
        429: "Too many requests, or wrong tokens; `Retry-After` says when to come back.",
        500: "Something unforeseen; the log has it.",
        503: "A part is away for now; try again later.",
    }.items()
}


def add_problems(api: FastAPI) -> None:
    """Answer our errors, and FastAPI's own, in one form."""

    @api.exception_handler(ColonyError)
    def ours(_request: Request, error: ColonyError) -> JSONResponse:
        return expected(error)

    @api.exception_handler(RequestValidationError)
    def theirs(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        if tuple(first["loc"]) == ("body",) and isinstance(first.get("input"), bytes):
            # FastAPI hands on the bytes of a body that is not said to be JSON.
            said = request.headers.get("content-type") or "nothing"
            words = f"the body is said to be {said[:100]}, and must be JSON"
            return problem(415, words, field="Content-Type", mend="send Content-Type: application/json")
        # The place of a JSON fault is a position in the body, not a field.
        parts = () if first["type"] == "json_invalid" else first["loc"][1:]
        said = str(first["msg"]).removeprefix("Value error, ")
        return problem(422, said, field=".".join(map(str, parts)) or "body", mend=_MEND)

    @api.exception_handler(HTTPException)
    def routing(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == _NOWHERE:
            path = request.url.path
            mend = "leave out the slash at its end" if path.endswith("/") and path != "/" else _MEND
            return problem(_NOWHERE, "there is nothing at this path", field="path", mend=mend)
        if error.status_code == _NOT_SO:
            allowed = (error.headers or {}).get("Allow", "")
            # Where GET is answered HEAD is, too.
            allowed = allowed.replace("GET", "GET, HEAD")
            return problem(_NOT_SO, f"{request.method} is not answered here", mend=_MEND, headers={"Allow": allowed})
        return refused(error)

    @api.exception_handler(Exception)
    def others(_request: Request, _error: Exception) -> JSONResponse:
        return unforeseen()


def unforeseen() -> JSONResponse:
    """Return the answer to a fault of ours: what went wrong is in the log, a stranger learns nothing of the inside."""
    return problem(500, "something unforeseen; the log has it", headers=SECURITY)


def expected(error: ColonyError) -> JSONResponse:
    """Return the answer to an error of ours."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    if isinstance(error, Rejected):
        return problem(status, error.reason, field=error.field or None, mend=error.mend or None)
    if isinstance(error, NotFound):
        return problem(status, str(error), field=error.field or None, mend=_MEND)
    return problem(status, str(error), headers={"Retry-After": "5"} if status == _AWAY else None)


def refused(error: HTTPException) -> JSONResponse:
    """Return the answer to a request that no route takes, or that its caller may not make."""
    if error.status_code == _UNREADABLE:
        return problem(_UNREADABLE, "the body cannot be read", field="body", mend="send JSON in UTF-8")
    if error.status_code == _NOT_JSON:
        return problem(_NOT_JSON, error.detail, field="Content-Type", mend="send Content-Type: application/json")
    return problem(error.status_code, str(error.detail), mend=_MEND, headers=error.headers)


def problem(
    status: int,
    detail: str,
    *,
    field: str | None = None,
    mend: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """Return an error as it is answered."""
    body = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, field=field, mend=mend)
    return JSONResponse(body.model_dump(), status_code=status, media_type=PROBLEM, headers=dict(headers or {}))
