"""A stand-in for Vertex AI's feature registry, online stores and views, over the tables of a DuckDatabase.

A view serves what its sync would have brought: per column the newest value that is not NULL by the group's timestamp
column, or what was written directly with a newer time.
"""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any

import grpc
from google.cloud.aiplatform_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import any_pb2, empty_pb2
from google.rpc import status_pb2

from tests.google_server import GoogleServer, answering, plain, plus
from tests.worker.adapters.features.google.duck import DuckDatabase

_VALUES = "google.cloud.aiplatform.v1.FeatureOnlineStoreService"
_STORES = "google.cloud.aiplatform.v1.FeatureOnlineStoreAdminService"
_REGISTRY = "google.cloud.aiplatform.v1.FeatureRegistryService"
_KINDS = {bool: "bool_value", float: "double_value", str: "string_value", bytes: "bytes_value"}
_PAGE = 3
_Context = grpc.ServicerContext
_Operation = operations_pb2.Operation


class ViewServer(GoogleServer):
    """Serves groups, features, stores and views.

    Attributes:
        resources: name -> message, of everything that was made.
        watermarks: view -> how far its sync is.
        stages: how often an operation is asked for before it is done.
        synced: whether the tables are served; direct writes always are.
    """

    def __init__(self, database: DuckDatabase, *, prefix: str = "") -> None:
        """Listen; `prefix` is what the tables of `bq://` have in DuckDB in place of project and data set."""
        self.resources: dict[str, Any] = {}
        self.watermarks: dict[str, datetime] = {}
        self.stages = 0
        self.synced = True
        self._database = database
        self._prefix = prefix
        self._direct: dict[tuple[str, str, str], tuple[datetime, Any]] = {}
        self._operations: dict[str, tuple[int, Any]] = {}
        self._numbers = count(1)
        self._guard = threading.RLock()
        super().__init__(self._services())
        written = types.FeatureViewDirectWriteRequest, types.FeatureViewDirectWriteResponse
        stream = grpc.stream_stream_rpc_method_handler(
            self._write, request_deserializer=written[0].deserialize, response_serializer=written[1].serialize
        )
        handler = grpc.method_handlers_generic_handler(_VALUES, {"FeatureViewDirectWrite": stream})
        self._server.add_generic_rpc_handlers((handler,))

    def _services(self) -> dict[str, dict[str, Any]]:
        made = _Operation
        return {
            _VALUES: {"FetchFeatureValues": plus(self._fetch, types.FetchFeatureValuesRequest, _ANSWER)},
            _STORES: {
                "GetFeatureOnlineStore": plus(self._get, types.GetFeatureOnlineStoreRequest, types.FeatureOnlineStore),
                "CreateFeatureOnlineStore": answering(self._make_store, types.CreateFeatureOnlineStoreRequest, made),
                "GetFeatureView": plus(self._get, types.GetFeatureViewRequest, types.FeatureView),
                "CreateFeatureView": answering(self._make_view, types.CreateFeatureViewRequest, made),
                "UpdateFeatureView": answering(self._change_view, types.UpdateFeatureViewRequest, made),
                "ListFeatureViewSyncs": plus(
                    self._syncs, types.ListFeatureViewSyncsRequest, types.ListFeatureViewSyncsResponse
                ),
            },
            _REGISTRY: {
                "GetFeatureGroup": plus(self._get, types.GetFeatureGroupRequest, types.FeatureGroup),
                "CreateFeatureGroup": answering(self._make_group, types.CreateFeatureGroupRequest, made),
                "ListFeatures": plus(self._features, types.ListFeaturesRequest, types.ListFeaturesResponse),
                "BatchCreateFeatures": answering(self._make_features, types.BatchCreateFeaturesRequest, made),
                "DeleteFeature": answering(self._delete, types.DeleteFeatureRequest, made),
            },
            "google.longrunning.Operations": {
                "GetOperation": plain(self._operation, operations_pb2.GetOperationRequest, made)
            },
        }

    def _get(self, request: Any, context: _Context) -> Any:
        with self._guard:
            if request.name not in self.resources:
                context.abort(grpc.StatusCode.NOT_FOUND, f"{request.name} not found")
            return self.resources[request.name]

    def _make_store(self, request: Any, context: _Context) -> Any:
        scaling = request.feature_online_store.bigtable.auto_scaling
        if "bigtable" not in request.feature_online_store or not 10 <= scaling.cpu_utilization_target <= 80:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "not a Bigtable online store")
        name = f"{request.parent}/featureOnlineStores/{request.feature_online_store_id}"
        return self._made(name, request.feature_online_store, context)

    def _make_view(self, request: Any, context: _Context) -> Any:
        if request.parent not in self.resources:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.parent} not found")
        self._check_source(request.feature_view, request.parent, context)
        return self._made(f"{request.parent}/featureViews/{request.feature_view_id}", request.feature_view, context)

    def _change_view(self, request: Any, context: _Context) -> Any:
        assert list(request.update_mask.paths) == ["feature_registry_source"]
        self._check_source(request.feature_view, request.feature_view.name, context)
        view = self.resources[request.feature_view.name]
        view.feature_registry_source = request.feature_view.feature_registry_source
        return self._begun(view)

    def _check_source(self, view: Any, name: str, context: _Context) -> None:
        location = "/".join(name.split("/")[:4])
        for group in view.feature_registry_source.feature_groups:
            for feature in group.feature_ids:
                if f"{location}/featureGroups/{group.feature_group_id}/features/{feature}" not in self.resources:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"no feature {feature}")

    def _make_group(self, request: Any, context: _Context) -> Any:
        name = f"{request.parent}/featureGroups/{request.feature_group_id}"
        return self._made(name, request.feature_group, context)

    def _make_features(self, request: Any, context: _Context) -> Any:
        for one in request.requests:
            name = f"{request.parent}/features/{one.feature_id}"
            if len(one.feature_id) > 64 or name in self.resources:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, name)
            one.feature.name = name
            self.resources[name] = one.feature
        return self._begun(types.BatchCreateFeaturesResponse())

    def _features(self, request: Any, _: _Context) -> Any:
        with self._guard:
            own = sorted(name for name in self.resources if name.startswith(f"{request.parent}/features/"))
        first = int(request.page_token or 0)
        page = [self.resources[name] for name in own[first : first + _PAGE]]
        following = str(first + _PAGE) if first + _PAGE < len(own) else ""
        return types.ListFeaturesResponse(features=page, next_page_token=following)

    def _delete(self, request: Any, context: _Context) -> Any:
        self._get(request, context)
        served = {
            one
            for held in self.resources.values()
            if isinstance(held, types.FeatureView)
            for group in held.feature_registry_source.feature_groups
            for one in group.feature_ids
        }
        if request.name.rpartition("/")[2] in served:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "a view serves it")
        del self.resources[request.name]
        return self._begun(None)

    def _made(self, name: str, message: Any, context: _Context) -> Any:
        with self._guard:
            if name in self.resources:
                context.abort(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
            message.name = name
            self.resources[name] = message
        return self._begun(message)

    def _begun(self, answer: Any) -> Any:
        name = f"operations/{next(self._numbers)}"
        self._operations[name] = (self.stages, answer)
        return self._told(name)

    def _operation(self, request: Any, _: _Context) -> Any:
        left, answer = self._operations[request.name]
        self._operations[request.name] = (left - 1, answer)
        return self._told(request.name)

    def _told(self, name: str) -> Any:
        left, answer = self._operations[name]
        if left > 0:
            return _Operation(name=name)
        packed = any_pb2.Any()
        packed.Pack(empty_pb2.Empty() if answer is None else type(answer).pb(answer))
        return _Operation(name=name, done=True, response=packed)

    def _syncs(self, request: Any, _: _Context) -> Any:
        mark = self.watermarks.get(request.parent)
        sync = types.FeatureViewSync(name=f"{request.parent}/featureViewSyncs/1")
        if mark is not None:
            sync.sync_summary = {"system_watermark_time": mark}
        return types.ListFeatureViewSyncsResponse(feature_view_syncs=[sync])

    def _fetch(self, request: Any, context: _Context) -> Any:
        view = self.resources.get(request.feature_view)
        if view is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"{request.feature_view} not found")
        (group,) = view.feature_registry_source.feature_groups
        location = "/".join(request.feature_view.split("/")[:4])
        source = self.resources[f"{location}/featureGroups/{group.feature_group_id}"].big_query
        pairs = []
        for column in group.feature_ids:
            found = self._newest(request.feature_view, source, column, request.data_key.key)
            value = None if found is None else _value(found)
            pairs.append({"name": column} if value is None else {"name": column, "value": value})
        if not any("value" in pair for pair in pairs):
            context.abort(grpc.StatusCode.NOT_FOUND, f"no data for {request.data_key.key}")
        return types.FetchFeatureValuesResponse(key_values={"features": pairs})

    def _newest(self, view: str, source: Any, column: str, key: str) -> Any:
        """Return what a view has of one column: nothing is hidden by a NULL, unless the group is dense."""
        assert not source.dense
        table = source.big_query_source.input_uri.removeprefix("bq://")
        if self._prefix:
            table = f"{self._prefix}.{table.rpartition('.')[2]}"
        table = ".".join(f'"{part}"' for part in table.split("."))
        moment = source.time_series.timestamp_column
        query = (
            f'SELECT epoch_us({moment}), "{column}" FROM {table}'  # noqa: S608 - names of ours
            f' WHERE entity_id = $key AND "{column}" IS NOT NULL ORDER BY {moment} DESC LIMIT 1'
        )
        with self._database.lock:
            rows = self._database.connection.execute(query, {"key": key}).fetchall() if self.synced else []
        direct = self._direct.get((view, key, column))
        if direct is not None and (not rows or direct[0].timestamp() * 1e6 >= rows[0][0]):
            return direct[1]
        return rows[0][1] if rows else None

    def _write(self, requests: Iterator[Any], _: _Context) -> Iterator[Any]:
        for request in requests:
            self.calls.append(("FeatureViewDirectWrite", request))
            refused = [one for one in request.data_key_and_feature_values if one.data_key.key == "refused"]
            for one in request.data_key_and_feature_values:
                for feature in one.features:
                    held = type(feature.value).pb(feature.value)
                    value = getattr(held, held.WhichOneof("value"))
                    when = held.metadata.generate_time.ToDatetime(tzinfo=UTC)
                    before = self._direct.get((request.feature_view, one.data_key.key, feature.name))
                    if before is None or before[0] <= when:
                        self._direct[request.feature_view, one.data_key.key, feature.name] = (when, value)
            status = status_pb2.Status(code=3 if refused else 0, message="refused" if refused else "")
            yield types.FeatureViewDirectWriteResponse(status=status)


_ANSWER = types.FetchFeatureValuesResponse


def _value(value: Any) -> dict[str, Any]:
    return {_KINDS[type(value)]: value}
