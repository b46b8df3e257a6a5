"""The HTTP API under `/api/mlops`: resource → module. Adding one is a module here and its line in this table."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI

from handlers.http import decisions, health, models
from handlers.http.limits import LimitBody
from handlers.http.problems import add_problems
from handlers.http.services import Services

ROUTES: dict[str, Callable[[Services], APIRouter]] = {
    "models": models.routes,
    "decisions": decisions.routes,
}


def build(services: Services) -> FastAPI:
    """Return the API."""
    api = FastAPI(title="Colony MLOps", version="1", docs_url="/api/mlops/docs", openapi_url="/api/mlops/openapi.json")
    api.add_middleware(LimitBody)
    add_problems(api)
    api.include_router(health.routes(services))
    for tag, routes in ROUTES.items():
        api.include_router(routes(services), prefix="/api/mlops", tags=[tag])
    return api
