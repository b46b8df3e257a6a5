"""What a caller must be allowed for a route: `@router.post("/…", **needs(Scope.WRITE))`."""

from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.exceptions import HTTPException

from worker.access.token import Caller, Scope
from worker.errors import Rejected

SCHEME = "token"


class Needs:
    """A dependency that answers 403 unless the caller has the scope, and 422 to a query not known, or given twice.

    A misspelt filter would else be a list without that filter.
    """

    def __init__(self, scope: Scope) -> None:
        """Ask for one scope."""
        self._scope = scope

    async def __call__(self, request: Request) -> None:
        """Check the caller that the guard has found."""
        check_caller(request.state.caller, self._scope)
        known = {parameter.alias for parameter in request.scope["route"].dependant.query_params}
        unknown = sorted(set(request.query_params) - known)
        if unknown:
            mend = f"known: {', '.join(sorted(known)) or 'none'}"
            raise Rejected("is not a parameter here", field=unknown[0], mend=mend)
        given = [name for name, _ in request.query_params.multi_items()]
        twice = next((name for name in given if given.count(name) > 1), None)
        if twice:
            raise Rejected("is given twice", field=twice, mend="give it once")


def check_caller(caller: Caller, scope: Scope) -> None:
    """Raise HTTPException (403) unless the caller has the scope."""
    if scope not in caller.scopes:
        headers = {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'}
        raise HTTPException(403, f"this needs the scope {scope}", headers=headers)


def needs(scope: Scope) -> dict[str, Any]:
    """Return the arguments of a route that asks for a scope, and says so in the API's description."""
    return {"dependencies": [Depends(Needs(scope))], "openapi_extra": {"security": [{SCHEME: [scope.value]}]}}


def check_scopes(router: APIRouter) -> None:
    """Raise ValueError if a route asks for no scope: it would be open to whoever has any token."""
    for route in router.routes:
        dependencies = getattr(route, "dependencies", ())
        if not any(isinstance(item.dependency, Needs) for item in dependencies):
            msg = f"{getattr(route, 'path', route)} asks for no scope; give it **needs(Scope.…)"
            raise ValueError(msg)
