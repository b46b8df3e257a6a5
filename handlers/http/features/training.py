"""`POST features/training`: features as they were at a time, as one document or as a stream of rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from msgspec import UNSET
from starlette.responses import StreamingResponse

from handlers.http.features.bodies import json_body
from handlers.http.features.described import described
from handlers.http.features.faults import check_ids, check_names
from handlers.http.features.limits import MAX_PAGE_ROWS, MAX_TRAINING_VALUES
from handlers.http.features.readers import reader_of
from handlers.http.features.tables import ARROW, JSON, LINES, arrow_stream, document, json_lines
from handlers.http.services import Services
from worker.access.token import Caller, Scope
from worker.errors import Rejected
from worker.features import wire
from worker.features.port import Definition, TrainingRequest, TrainingTable

SNAPSHOT = "Colony-Snapshot-Id"
_NAMES = {"featureNames": ["spam_probability"]}
_ROW = {"entityId": "c-1017", "timestamp": "2002-09-28T00:00:00Z"}
_AT = {"entityIds": ["c-1017"], **_NAMES, "snapshotTime": "2002-09-28T00:00:00Z"}
_TOLD = {**_ROW, "features": {"spam_probability": 0.93}}
_ANSWER = {"snapshotId": "snap-3f1c", "rows": [_TOLD]}
_MORE = {
    LINES: {"schema": {"type": "string"}, "example": "one row as JSON per line\n"},
    ARROW: {"schema": {"type": "string", "format": "binary"}},
}
#: Fields of the store's request → as a body has them.
_FIELDS = {"features": "featureNames", "spine": "spine"}

_read_at = wire.reader(wire.TrainingAt)
_read_spine = wire.reader(wire.TrainingSpine)
_read_reproduce = wire.reader(wire.Reproduce)


def add_routes(router: APIRouter, services: Services) -> None:
    """Add the route of training reads."""

    @router.post(
        "/training",
        **described(
            Scope.READ,
            takes={
                wire.TrainingAt: _AT,
                wire.TrainingSpine: {"spine": [_ROW], **_NAMES},
                wire.Reproduce: {"snapshotId": "snap-3f1c"},
            },
            gives=(wire.TrainingAnswer, _ANSWER),
            more=_MORE,
        ),
    )
    async def get_features_for_training(request: Request) -> Response:
        """Read features as they were at `snapshotTime`, or at each row's own time: never what was not known by then.

        One JSON document has at most 10,000 rows. More of them stream: one JSON object per line with
        `Accept: application/x-ndjson`, Arrow's stream format with `Accept: application/vnd.apache.arrow.stream`.
        `snapshotId` (in a stream the header `Colony-Snapshot-Id`) reproduces the same table later: send it alone.
        """
        form = accepted(request.headers.get("accept", ""))
        body = await json_body(request)
        return await to_thread.run_sync(partial(answer, services, request.state.caller, body, form))


def accepted(header: str) -> str:
    """Return the media type to answer in: the first one that we know of, else JSON."""
    for part in header.lower().split(","):
        media, *parameters = (item.strip() for item in part.split(";"))
        if media in {JSON, LINES, ARROW} and "q=0" not in parameters:
            return media
    return JSON


def answer(services: Services, caller: Caller, body: bytes, form: str) -> Response:
    """Return the table that a body asks for. Raises Rejected, NotFound or TryLater."""
    table = _table(services, caller, body, form)
    headers = {SNAPSHOT: table.snapshot_id}
    if form == LINES:
        return StreamingResponse(json_lines(table), media_type=LINES, headers=headers)
    if form == ARROW:
        definitions = {item.name: item for item in services.features.definitions()}
        return StreamingResponse(arrow_stream(table, definitions), media_type=ARROW, headers=headers)
    _check_page(len(table.entity_ids), form, "snapshotId")
    return Response(document(table), media_type=JSON, headers=headers)


def _table(services: Services, caller: Caller, body: bytes, form: str) -> TrainingTable:
    which = wire.form(body)
    if which == "snapshotId":
        return services.features.reproduce(_read_reproduce(body).snapshot_id)
    spine: Sequence[tuple[str, datetime]]
    if which == "spine":
        asked: wire.TrainingSpine | wire.TrainingAt = (rows := _read_spine(body))
        spine = [(row.entity_id, row.timestamp) for row in rows.spine]
    else:
        asked = (at := _read_at(body))
        spine = [(entity_id, at.snapshot_time) for entity_id in at.entity_ids]
    field = which or "entityIds"
    _check_page(len(spine), form, field)
    if len(spine) * len(asked.feature_names) > MAX_TRAINING_VALUES:
        reason = f"{len(spine):,} rows × {len(asked.feature_names):,} features are more than {MAX_TRAINING_VALUES:,}"
        raise Rejected(f"{reason} values, the limit of one call", field=field, mend="ask in parts")
    request = _request(asked, tuple(spine), {item.name: item for item in services.features.definitions()})
    try:
        return services.features.training_read(request, reader=reader_of(caller, "training"))
    except Rejected as error:
        check_ids((entity_id for entity_id, _ in spine), "spine[{}].entityId" if which else "entityIds[{}]")
        raise Rejected(error.reason, field=_FIELDS.get(error.field, error.field), mend=error.mend) from error


def _check_page(rows: int, form: str, field: str) -> None:
    if form == JSON and rows > MAX_PAGE_ROWS:
        reason = f"{rows:,} rows are more than {MAX_PAGE_ROWS:,}, the limit of a document"
        raise Rejected(reason, field=field, mend=f"stream it: Accept: {LINES}, or {ARROW}")


def _request(
    asked: wire.TrainingAt | wire.TrainingSpine,
    spine: tuple[tuple[str, datetime], ...],
    definitions: Mapping[str, Definition],
) -> TrainingRequest:
    """Return the store's request, whose rows' entity is told by the features if the body does not tell it."""
    check_names(asked.feature_names, definitions)
    entities = {} if asked.entities is UNSET else dict(asked.entities)
    for entity, link in entities.items():
        if link not in definitions:
            raise Rejected(f"the feature {link[:140]!r} is not defined", field=f"entities.{entity}")
    return TrainingRequest(
        entity=_entity(asked, entities, definitions),
        features=tuple(dict.fromkeys(asked.feature_names)),
        entities=entities,
        spine=spine,
        respect_known_at=asked.respect_known_at,
    )


def _entity(
    asked: wire.TrainingAt | wire.TrainingSpine, entities: Mapping[str, str], definitions: Mapping[str, Definition]
) -> str:
    if asked.entity is not UNSET:
        return str(asked.entity)
    found = sorted({definitions[name].entity for name in asked.feature_names} - set(entities))
    if len(found) == 1:
        return found[0]
    if not found and entities:
        links = {definitions[name].entity for name in entities.values() if name in definitions}
        if len(links) == 1:
            return links.pop()
    reason = f"the features are of {' and '.join(found) or 'no entity that is left'}: whose are the rows?"
    mend = 'name it, and how the others are reached: {"entity": "content", "entities": {"user": "user_id"}}'
    raise Rejected(reason, field="entity", mend=mend)
