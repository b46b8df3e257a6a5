"""How the feature routes stand in the API's description: bodies and answers by their shapes, with examples."""

from functools import cache
from inspect import cleandoc
from typing import Any

import msgspec

from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from worker.access.token import Scope
from worker.features import wire

#: A definition as examples show it.
DEFINITION: dict[str, Any] = {
    "name": "spam_probability", "entity": "content", "type": "number", "source": "ingested", "version": 1,
    "description": "Probability that the content is spam.", "ttl": "30d", "group": "interaction", "owner": "",
    "unit": "", "tags": [], "computation": None, "minimum": 0.0, "maximum": 1.0, "deprecated": "",
}  # fmt: skip
_AT = "#/components/schemas/"
_TYPES = (
    wire.DefineRequest, wire.DefinitionShown, wire.DefinitionDetail, wire.DefinitionPage,
    wire.DeprecateRequest, wire.FeatureUsage, wire.StoreValue, wire.StoreValues, wire.Stored,
    wire.BatchRequest, wire.BatchAnswer, wire.FeatureValue, wire.TrainingAt, wire.TrainingSpine, wire.Reproduce,
    wire.TrainingAnswer,
)  # fmt: skip


@cache
def schemas() -> dict[str, Any]:
    """Return the JSON Schemas of all shapes by name."""
    _, components = msgspec.json.schema_components(_TYPES, ref_template=_AT + "{name}")
    for schema in components.values():
        schema["description"] = cleandoc(schema["description"])
    either = [{"required": ["entityId"]}, {"required": ["entityIds"]}]
    components["BatchRequest"]["oneOf"] = either
    return components


def described(
    scope: Scope,
    *,
    gives: tuple[type, Any],
    takes: dict[type, Any] | None = None,
    more: dict[str, Any] | None = None,
    also: dict[int | str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a route.

    Args:
        scope: what its caller must be allowed.
        gives: the shape of its answer, with an example.
        takes: the forms of its body, each with an example; it reads the body itself.
        more: further media types of its answer → schema and example.
        also: further statuses, and headers of 200.
    """
    arguments = needs(scope)
    if takes:
        refs = [{"$ref": _AT + type_.__name__} for type_ in takes]
        examples = {type_.__name__: {"value": example} for type_, example in takes.items()}
        content = {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}, "examples": examples}
        arguments["openapi_extra"]["requestBody"] = {"required": True, "content": {"application/json": content}}
    type_, example = gives
    good = {"application/json": {"schema": {"$ref": _AT + type_.__name__}, "example": example}, **(more or {})}
    done = {"description": "Done.", "content": good}
    responses: dict[int | str, Any] = {**RESPONSES, **(also or {})}
    return {**arguments, "responses": {**responses, 200: {**done, **responses.get(200, {})}}}
