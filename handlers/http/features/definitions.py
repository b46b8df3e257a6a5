"""`features`: definitions are made, deprecated and deleted."""
# ruff: noqa: N803 - the API is camelCase

import threading
from dataclasses import replace
from typing import Annotated

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response

from handlers.commands.define_feature import define_feature, delete_feature, deprecate_feature
from handlers.http.features.answers import ready
from handlers.http.features.bodies import json_body
from handlers.http.features.conditions import IF_MATCH, Condition, Match, NoneMatch
from handlers.http.features.described import DEFINITION, described
from handlers.http.problems import RESPONSES
from handlers.http.scopes import needs
from handlers.http.services import Services
from worker.access.token import Scope
from worker.features import wire
from worker.features.port import Definition
from worker.features.shown import asked_definition, shown_definition

FeatureName = Annotated[str, Path(pattern=wire.NAME_PATTERN, description="The feature.", examples=["spam_probability"])]
_DEFINE = {name: DEFINITION[name] for name in ("name", "entity", "description", "type", "source", "ttl")}
_REASON = "spam_probability_v2 is better"

_read_define = wire.reader(wire.DefineRequest)
_read_deprecate = wire.reader(wire.DeprecateRequest)


def add_routes(router: APIRouter, services: Services) -> None:
    """Add the routes that change definitions."""
    # A condition is checked and the change made as one, as far as this process is concerned.
    one_at_a_time = threading.Lock()

    @router.post(
        "/define",
        **described(
            Scope.WRITE,
            takes={wire.DefineRequest: _DEFINE},
            gives=(wire.DefinitionShown, DEFINITION),
            also=IF_MATCH,
        ),
    )
    async def define_feature_(request: Request, match: Match = None, none_match: NoneMatch = None) -> Response:
        """Define a feature; the same again changes nothing, and a change is a new version.

        A type or entity that changes while there are values is refused (409). With `If-Match` only the version that
        it names is changed, with `If-None-Match: *` only a new feature is made; else 412.
        """
        body = await json_body(request)

        def work() -> Definition:
            with one_at_a_time:
                return _define(services, body, Condition(match, none_match))

        return _shown(await to_thread.run_sync(work))

    @router.post(
        "/{featureName}/deprecate",
        **described(
            Scope.WRITE,
            takes={wire.DeprecateRequest: {"reason": _REASON}},
            gives=(wire.DefinitionShown, {**DEFINITION, "version": 2, "deprecated": _REASON}),
            also=IF_MATCH,
        ),
    )
    async def deprecate_feature_(request: Request, featureName: FeatureName, match: Match = None) -> Response:
        """Say why a feature should not be used any more; it goes on working. `null` takes that back."""
        body = await json_body(request)

        def work() -> Definition:
            with one_at_a_time:
                return _deprecate(services, featureName, body, Condition(match))

        return _shown(await to_thread.run_sync(work))

    @router.delete(
        "/{featureName}", status_code=204, responses={**RESPONSES, 412: IF_MATCH[412]}, **needs(Scope.OPERATE)
    )
    def delete_feature_(featureName: FeatureName, match: Match = None) -> Response:
        """Delete a feature with all its values; refused (409) while a bee, a live model or a feature reads it."""
        with one_at_a_time:
            Condition(match).check(standing(services, featureName))
            delete_feature(featureName, services.features, services.bees(), services.ledger)
        return Response(status_code=204)


def standing(services: Services, name: str) -> Definition | None:
    """Return the newest version of a definition, None if there is none."""
    return next((item for item in services.features.definitions() if item.name == name), None)


def _define(services: Services, body: bytes, condition: Condition) -> Definition:
    asked = asked_definition(_read_define(body))
    before = standing(services, asked.name)
    condition.check(before)
    # Only `deprecate` takes a deprecation back.
    kept = replace(asked, deprecated=before.deprecated) if before else asked
    return define_feature(kept, services.features, services.ledger, services.clock())


def _deprecate(services: Services, name: str, body: bytes, condition: Condition) -> Definition:
    reason = _read_deprecate(body).reason
    condition.check(standing(services, name))
    return deprecate_feature(name, reason, services.features, services.ledger, services.clock())


def _shown(definition: Definition) -> Response:
    return ready(msgspec.json.encode(shown_definition(definition)), definition)
