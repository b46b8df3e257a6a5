"""`features`: values are stored, and read as they stand now."""
# ruff: noqa: N803 - the API is camelCase

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import msgspec
from anyio import to_thread
from fastapi import APIRouter, Path, Request, Response
from msgspec import UNSET

from handlers.http.features.answers import ready
from handlers.http.features.bodies import json_body
from handlers.http.features.definitions import FeatureName
from handlers.http.features.described import described
from handlers.http.features.online import OnlineReads
from handlers.http.services import Services
from worker.access.token import Scope
from worker.errors import Rejected
from worker.features import wire
from worker.features.port import FeatureStore, Write

_EXAMPLE = {"entityId": "c-1017", "featureName": "spam_probability", "value": 0.93, "timestamp": "2002-09-28T00:00:00Z"}
_READ = {"value": 0.93, "status": "PRESENT", "timestamp": "2002-09-28T00:00:00Z"}
_BATCH = {"entityIds": ["c-1017"], "featureNames": ["spam_probability"]}
_BATCH_ANSWER = {"entities": [{"entityId": "c-1017", "features": {"spam_probability": _READ}}]}

EntityId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1024,
        description="Percent-encoded UTF-8, a slash as %2F. Ids `.` and `..`, which clients take for ways through a "
        "path, are read by `POST batch`.",
        examples=["c-1017"],
    ),
]

_read_value = wire.reader(wire.StoreValue)
_read_values = wire.reader(wire.StoreValues)


def add_routes(router: APIRouter, services: Services) -> None:
    """Add the routes of values."""
    reads = OnlineReads(services)

    @router.post(
        "/store",
        **described(
            Scope.WRITE,
            takes={wire.StoreValue: _EXAMPLE, wire.StoreValues: {"values": [_EXAMPLE]}},
            gives=(wire.Stored, {"stored": 1, "new": 1}),
        ),
    )
    async def store_features(request: Request) -> Response:
        """Store one value, or many (all or none); when this answers they are on the disk.

        `timestamp` is when the value became true (default: now). A value that is there already, by entity, feature,
        timestamp and value, changes nothing, so that sending again is safe as long as the timestamp is given.
        """
        body = await json_body(request)
        return ready(await to_thread.run_sync(partial(store, services, body)))

    @router.post(
        "/batch",
        **described(Scope.READ, takes={wire.BatchRequest: _BATCH}, gives=(wire.BatchAnswer, _BATCH_ANSWER)),
    )
    async def get_features(request: Request) -> Response:
        """Read features of one entity, or of many, as they stand now: each PRESENT, MISSING, EXPIRED or NULL.

        Only a PRESENT one has a value. A feature's name fixes whose it is: an id is one of that entity.
        """
        return ready(await reads.many(await json_body(request), request.state.caller))

    @router.get(
        "/{entityId}/{featureName}",
        **described(
            Scope.READ,
            gives=(wire.FeatureValue, {"entityId": "c-1017", "featureName": "spam_probability", **_READ}),
        ),
    )
    async def get_feature(request: Request, entityId: EntityId, featureName: FeatureName) -> Response:  # noqa: ARG001
        """Read one feature of one entity as it stands now; only one that is PRESENT has a value."""
        return ready(await reads.one(request.scope["raw_path"], request.state.caller))


def store(services: Services, body: bytes) -> bytes:
    """Store what a body says and return the answer's bytes. Raises Rejected or TryLater."""
    if wire.form(body) != "values":
        return _stored(services.features, [_write(_read_value(body), services)])
    asked = _read_values(body).values
    try:
        return _stored(services.features, [_write(value, services) for value in asked])
    except Rejected as error:
        # The store numbers them from the second on: it does not know whether the first came alone.
        field = error.field if error.field.startswith("values[") else f"values[0].{error.field}"
        raise Rejected(error.reason, field=field, mend=error.mend) from error


def _stored(features: FeatureStore, writes: Sequence[Write]) -> bytes:
    return msgspec.json.encode(wire.Stored(stored=len(writes), new=features.write(writes)))


def _write(value: wire.StoreValue, services: Services) -> Write:
    at = services.clock() if value.timestamp is UNSET else value.timestamp
    known_at = None if value.known_at is UNSET else value.known_at
    return Write(value.entity_id, value.feature_name, value.value, at, known_at)
