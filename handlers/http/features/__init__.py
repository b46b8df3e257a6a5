"""The feature store over HTTP: definitions, values as they stand, and values as they were."""

from fastapi import APIRouter

from handlers.http.features import catalogue, definitions, training, values
from handlers.http.services import Services


def routes(services: Services) -> APIRouter:
    """Return every route of features; those with a word of their own in the path come before those of any entity."""
    router = APIRouter(prefix="/features")
    for part in (definitions, training, catalogue, values):
        part.add_routes(router, services)
    return router
