"""The API's description: FastAPI's own, with how callers say who they are."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from handlers.http.examples import add_examples
from handlers.http.features.described import schemas as feature_schemas
from handlers.http.problems import Problem
from handlers.http.scopes import SCHEME

_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token of `colony tokens create`, or a Google ID token. Scopes: read, write, operate.",
}
_ABOUT = (
    "Triggers pipelines, shows their runs, serves the models that they brought into production, and the features that "
    "these read. "
    "Times are RFC 3339 with a zone; errors are `application/problem+json` and name the field and the mend; "
    "lists go on at `nextCursor`."
)


def describe(api: FastAPI, *, guarded: bool) -> dict[str, Any]:
    """Return the OpenAPI document; where callers need no token, every route says that one is optional."""
    document = get_openapi(title=api.title, version=api.version, description=_ABOUT, routes=api.routes)
    components = document.setdefault("components", {})
    components["securitySchemes"] = {SCHEME: _TOKEN}
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    components.setdefault("schemas", {}).update(Problem=schema, **feature_schemas())
    add_examples(document)
    if not guarded:
        for operations in document["paths"].values():
            for operation in operations.values():
                operation["security"] = [*operation["security"], {}] if operation["security"] else []
    return document
