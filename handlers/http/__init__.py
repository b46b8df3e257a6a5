"""The HTTP API under `/api/mlops`: resource → module. Adding one is a module here and its line in this table."""

from collections.abc import Callable
from functools import cache
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.cors import CORSMiddleware

from handlers.http import (
    ab_tests,
    answers,
    approvals,
    costs,
    decisions,
    event_schemas,
    features,
    health,
    incidents,
    models,
    pauses,
    pipelines,
    push,
    run_events,
    why,
)
from handlers.http.authentication import Authenticator
from handlers.http.features.hot import Api, HotReads
from handlers.http.features.limits import BODIES
from handlers.http.guard import PUSH, Door, Guard
from handlers.http.head import AnswerHead
from handlers.http.headers import DOCS, SecurityHeaders
from handlers.http.limits import LimitBody
from handlers.http.openapi import describe
from handlers.http.problems import add_problems
from handlers.http.scopes import check_scopes
from handlers.http.services import Services
from handlers.http.traced import Traced

ROUTES: dict[str, Callable[[Services], APIRouter]] = {
    "pipeline": pipelines.routes,
    "run events": run_events.routes,
    "models": models.routes,
    "ab tests": ab_tests.routes,
    "decisions": decisions.routes,
    "why": why.routes,
    "incidents": incidents.routes,
    "approvals": approvals.routes,
    "pauses": pauses.routes,
    "costs": costs.routes,
    "events": event_schemas.routes,
    "push": push.routes,
    "features": features.routes,
}


def build(services: Services) -> FastAPI:
    """Return the API. Raises Rejected if callers must show a token and no token could ever count."""
    access = services.access
    authenticator = Authenticator(access, services.ledger, services.clock, services.identity)
    if access.guarded and not services.sender:
        authenticator.check()
    api = Api(
        title="Colony MLOps",
        version="1",
        docs_url=DOCS,
        redoc_url=None,
        # A redirect would name the scheme and host that we were reached by, not those of the proxy before us.
        redirect_slashes=False,
        openapi_url="/api/mlops/openapi.json",
        generate_unique_id_function=_name,
        # Its own would be looked for with each request.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    api.state.access = access
    add_problems(api)
    api.include_router(health.probes(services))
    api.include_router(answers.page(services))
    for tag, routes in {"health": health.metrics, **ROUTES}.items():
        router = routes(services)
        check_scopes(router)
        api.include_router(
            router, prefix="" if tag == "health" else "/api/mlops", tags=[] if tag == "health" else [tag]
        )
    # The last one added is met first.
    api.add_middleware(AnswerHead)
    api.add_middleware(LimitBody, larger={**BODIES, PUSH: push.MAX_BODY})
    door = Door(access, authenticator, services.sender)
    api.add_middleware(Guard, door=door)
    if access.origins:
        api.add_middleware(CORSMiddleware, allow_origins=access.origins, **_CORS)
    else:
        # Pages of other origins need headers that only the way through the routes gives.
        api.hot = HotReads(services, door)
    api.add_middleware(SecurityHeaders)
    api.add_middleware(Traced)
    api.openapi = cache(lambda: describe(api, guarded=access.guarded))  # type: ignore[method-assign]
    return api


_CORS: dict[str, Any] = {
    "allow_methods": ["GET", "POST", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "Last-Event-ID"],
    "expose_headers": ["Colony-Snapshot-Id", "ETag", "Location", "Retry-After"],
}


def _name(route: APIRoute) -> str:
    """Return an operation's id in camelCase, as clients made from the description will call it."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)
