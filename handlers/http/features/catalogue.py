"""`features`: definitions are listed and searched, looked at one by one, and with who uses them."""
# ruff: noqa: N803 - the API is camelCase

from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Query, Response

from handlers.commands.define_feature import find_feature
from handlers.commands.feature_users import live_models, users_of
from handlers.http.cursors import CURSOR, read_cursor, write_cursor
from handlers.http.features.answers import ready
from handlers.http.features.conditions import IF_NONE_MATCH, NoneMatch, etag, names
from handlers.http.features.definitions import FeatureName
from handlers.http.features.described import DEFINITION, described
from handlers.http.services import Services
from worker.access.token import Scope
from worker.features import wire
from worker.features.search import Search
from worker.features.shown import shown_definition

_encode = msgspec.json.encode
_DETAIL = {**DEFINITION, "versions": [DEFINITION]}
_PAGE = {"features": [DEFINITION], "nextCursor": None}
_NOON = "2002-09-28T12:00:00Z"
_USAGE = {
    "featureName": "spam_probability", "usedBy": {"bees": ["spam-guard"], "computed": [], "models": ["spam-guard 2"]},
    "lastRead": _NOON, "values": 5275,
    "readers": [{"caller": "model:spam-guard", "purpose": "serving", "reads": 12, "lastRead": _NOON}],
    "lastWritten": _NOON, "newestEvent": "2002-09-28T11:59:12Z", "staleSeconds": 48.0,
}  # fmt: skip

Word = Annotated[str | None, Query(min_length=1, max_length=128)]
Type = Literal["number", "string", "boolean", "vector"] | None


def add_routes(router: APIRouter, services: Services) -> None:
    """Add the routes that look at definitions."""

    @router.get("", **described(Scope.READ, gives=(wire.DefinitionPage, _PAGE)))
    def list_features(  # noqa: PLR0913 - what can be searched by
        *,
        search: Annotated[Word, Query(description="Text in name, description, group, unit, owner or tags.")] = None,
        tag: Annotated[Word, Query(description="Only with this tag.")] = None,
        entity: Annotated[Word, Query(description="Only of this entity.")] = None,
        type: Annotated[Type, Query(description="Only of this type.")] = None,  # noqa: A002 - as definitions have it
        owner: Annotated[Word, Query(description="Only this owner's.")] = None,
        cursor: CURSOR = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> Response:
        """List or search the definitions, the newest version of each, by name."""
        wanted = Search(search, tag, {"entity": entity, "type": type, "owner": owner})
        after = "" if cursor is None else read_cursor(cursor, str)[0]
        found = [item for item in wanted.among(services.features.definitions()) if item.name > after]
        more = write_cursor(found[limit - 1].name) if len(found) > limit else None
        return ready(_encode(wire.DefinitionPage([shown_definition(item) for item in found[:limit]], more)))

    @router.get("/{featureName}/usage", **described(Scope.READ, gives=(wire.FeatureUsage, _USAGE)))
    def get_feature_usage(featureName: FeatureName) -> Response:
        """Tell who reads a feature, by caller and purpose, which bees use it, and how fresh its values are."""
        return ready(_encode(_usage(services, featureName)))

    @router.get("/{featureName}", **described(Scope.READ, gives=(wire.DefinitionDetail, _DETAIL), also=IF_NONE_MATCH))
    def get_definition(featureName: FeatureName, none_match: NoneMatch = None) -> Response:
        """Return a definition and every version that it had."""
        versions = services.features.versions(featureName)
        newest = versions[-1]
        if none_match is not None and names(none_match, etag(newest)):
            return Response(status_code=304, headers={"ETag": etag(newest)})
        shown = [shown_definition(item) for item in versions]
        return ready(_encode(wire.DefinitionDetail(**msgspec.structs.asdict(shown[-1]), versions=shown)), newest)


def _usage(services: Services, name: str) -> wire.FeatureUsage:
    find_feature(name, services.features)
    users = users_of(name, services.features.definitions(), services.bees(), live_models(services.ledger))
    readers = [item for item in services.features.usage() if item.feature == name]
    facts = next((item for item in services.features.facts() if item.feature == name), None)
    newest = facts.newest_event if facts else None
    return wire.FeatureUsage(
        feature_name=name,
        used_by=wire.UsedBy(list(users.bees), list(users.computed), list(users.models)),
        readers=[wire.ReaderUsage(i.reader.caller, i.reader.purpose, i.reads, i.last_read) for i in readers],
        last_read=max((item.last_read for item in readers), default=None),
        values=facts.values if facts else 0,
        last_written=facts.last_written if facts else None,
        newest_event=newest,
        stale_seconds=(services.clock() - newest).total_seconds() if newest else None,
    )
