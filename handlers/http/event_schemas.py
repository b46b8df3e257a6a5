"""`events/schemas`: the JSON Schema of every event that comes in or goes out; an event's `dataschema` leads here."""
# ruff: noqa: N803 - the API is camelCase

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope
from worker.publish.catalogue import catalogue, described

MEDIA = "application/schema+json"
EventType = Annotated[str, Path(pattern="^[a-z_.]{1,64}$", description="As in the event.")]
_SCHEMA = {"schema": {"type": "object"}, "example": dict(described("model.deployed").schema)}
_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {"description": "A JSON Schema (draft 2020-12).", "content": {MEDIA: _SCHEMA}}
}


class EventSchema(BaseModel):
    """One event type: whether it comes in or goes out, and where the JSON Schema of its data is."""

    type: str
    direction: Literal["in", "out"]
    version: int
    dataschema: str
    about: str


class EventSchemas(BaseModel):
    """Every event type."""

    schemas: list[EventSchema]


class SchemaAnswer(JSONResponse):
    """A schema says what it is."""

    media_type = MEDIA


def routes(services: Services) -> APIRouter:  # noqa: ARG001 - all routes are made alike
    """Return the routes of the events' schemas."""
    router = APIRouter(responses=RESPONSES)

    @router.get("/events/schemas", **needs(Scope.READ))
    def list_event_schemas() -> EventSchemas:
        """List the types of all events, and where their schemas are."""
        found = catalogue().values()
        return EventSchemas(
            schemas=[
                EventSchema(
                    type=one.type, direction=one.direction, version=one.version, dataschema=one.uri, about=one.about
                )
                for one in found
            ]
        )

    @router.get("/events/schemas/{eventType}", response_class=SchemaAnswer, responses=_ANSWER, **needs(Scope.READ))
    def get_event_schema(eventType: EventType) -> SchemaAnswer:
        """Return the newest schema of a type's data."""
        return SchemaAnswer(described(eventType).schema)

    @router.get(
        "/events/schemas/{eventType}/v{version}", response_class=SchemaAnswer, responses=_ANSWER, **needs(Scope.READ)
    )
    def get_event_schema_version(
        eventType: EventType, version: Annotated[int, Path(ge=1, description="As in the event's `dataschema`.")]
    ) -> SchemaAnswer:
        """Return the schema of a type's data in one version."""
        return SchemaAnswer(described(eventType, version).schema)

    return router
