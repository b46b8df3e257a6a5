"""Errors as problem+json (RFC 9457), each naming the field and the mend."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from worker.errors import ColonyError, Conflict, NotFound, Rejected, TryLater

_STATUS: list[tuple[type[ColonyError], int]] = [(Rejected, 422), (NotFound, 404), (Conflict, 409), (TryLater, 503)]


class Problem(BaseModel):
    """An error as it is answered."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    field: str | None = None
    mend: str | None = None


#: What every route may answer beside its own, for OpenAPI.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "content": {"application/problem+json": {}}} for status in (404, 409, 413, 422, 500, 503)
}


def add_problems(api: FastAPI) -> None:
    """Answer our errors, and FastAPI's own, in one form."""

    @api.exception_handler(ColonyError)
    def ours(_request: Request, error: ColonyError) -> JSONResponse:
        status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
        if isinstance(error, Rejected):
            return _answer(status, error.reason, field=error.field or None, mend=error.mend or None)
        return _answer(status, str(error))

    @api.exception_handler(RequestValidationError)
    def theirs(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        # The place of a JSON fault is a position in the body, not a field.
        parts = () if first["type"] == "json_invalid" else first["loc"]
        field = ".".join(str(part) for part in parts if part != "body")
        return _answer(422, str(first["msg"]), field=field or "body", mend="see /api/mlops/docs")

    @api.exception_handler(HTTPException)
    def routing(_request: Request, error: HTTPException) -> JSONResponse:
        answer = _answer(error.status_code, str(error.detail), mend="see /api/mlops/docs")
        answer.headers.update(error.headers or {})
        return answer

    @api.exception_handler(Exception)
    def unforeseen(_request: Request, _error: Exception) -> JSONResponse:
        # What went wrong is in the log; a stranger learns nothing of the inside.
        return _answer(500, "something unforeseen; the log has it")


def _answer(status: int, detail: str, *, field: str | None = None, mend: str | None = None) -> JSONResponse:
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, field=field, mend=mend)
    return JSONResponse(problem.model_dump(), status_code=status, media_type="application/problem+json")
