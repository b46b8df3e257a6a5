"""A stand-in for Vertex AI's Model Registry, endpoints and operations, as strict as their documentation.

Operations go one stage on with every call that anybody makes, whether somebody asks for them or not; what they do is
seen when they end. Names come back with the project's number, as Vertex AI gives them.
"""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import grpc
from google.cloud.aiplatform_v1 import types
from google.longrunning import operations_pb2
from google.protobuf import any_pb2

from tests.google_server import GoogleServer, Rpc, answering, plain, plus

_MODELS = "google.cloud.aiplatform.v1.ModelService"
_ENDPOINTS = "google.cloud.aiplatform.v1.EndpointService"
_OPERATIONS = "google.longrunning.Operations"
_NUMBER = "projects/123456789/"
_LABEL = re.compile(r"[a-z0-9_-]{0,63}")
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ENDPOINT_ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_PAGE = 2
_Context = grpc.ServicerContext
_Invalid, _Missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


@dataclass
class _Operation:
    """Something under way: after `stages` more calls `effect` is done, or it fails."""

    name: str
    stages: int
    effect: Callable[[], Any]
    metadata: Any
    failure: str = ""
    lag: int = 0
    done: bool = False
    answer: Any = None


class RegistryServer(GoogleServer):
    """Serves models and endpoints.

    Attributes:
        models: model id -> its versions, oldest first.
        endpoints: endpoint id -> endpoint.
        stages: how many calls an operation takes.
        failing: why the next operations fail, one each.
        lists_operations: whether operations can be listed.
        lag: how many more calls it takes until what an operation has done is seen.
    """

    def __init__(self, *, stages: int = 2) -> None:
        """Listen on a free port of 127.0.0.1."""
        self.models: dict[str, list[types.Model]] = {}
        self.endpoints: dict[str, types.Endpoint] = {}
        self.operations: dict[str, _Operation] = {}
        self.stages = stages
        self.failing: deque[str] = deque()
        self.lists_operations = True
        self.lag = 0
        self._lock = threading.RLock()
        self._numbers = count(1)
        super().__init__({_MODELS: self._model_calls(), _ENDPOINTS: self._endpoint_calls(), _OPERATIONS: self._polls()})

    def shown(self) -> dict[str, Any]:
        """Return what anybody sees in the end: each version's aliases by its key, and who has how much traffic."""
        with self._lock:
            versions = {
                name: {one.labels["colony-version"]: sorted(one.version_aliases) for one in found}
                for name, found in self.models.items()
            }
            traffic = {
                name: {one.display_name: dict(found.traffic_split).get(one.id, 0) for one in found.deployed_models}
                for name, found in self.endpoints.items()
            }
            count_ = {name: len(found.deployed_models) for name, found in self.endpoints.items()}
            return {"versions": versions, "traffic": traffic, "deployed": count_}

    def reset(self, *, stages: int = 2) -> None:
        """Forget everything: another test begins."""
        with self._lock:
            for known in (self.models, self.endpoints, self.operations, self.failing, self.calls):
                known.clear()
            self.stages = stages
            self.lists_operations = True
            self.lag = 0
        for method in [*self._model_calls(), *self._endpoint_calls(), *self._polls()]:
            self.mend(method)

    def lose_operations(self) -> None:
        """Forget every operation; what they were to do is not done."""
        with self._lock:
            self.operations.clear()

    def finish(self) -> None:
        """End every operation."""
        with self._lock:
            for operation in list(self.operations.values()):
                while not operation.done or (operation.answer is None and not operation.failure):
                    _advance(operation)

    # models

    def _model_calls(self) -> dict[str, Rpc]:
        return {
            "UploadModel": answering(self._on(self._upload), types.UploadModelRequest, operations_pb2.Operation),
            "GetModel": plus(self._on(self._get_model), types.GetModelRequest, types.Model),
            "ListModels": plus(self._on(self._list_models), types.ListModelsRequest, types.ListModelsResponse),
            "ListModelVersions": plus(
                self._on(self._list_versions), types.ListModelVersionsRequest, types.ListModelVersionsResponse
            ),
            "MergeVersionAliases": plus(self._on(self._merge), types.MergeVersionAliasesRequest, types.Model),
        }

    def _upload(self, request: types.UploadModelRequest, context: _Context) -> operations_pb2.Operation:
        model = types.Model.deserialize(types.Model.serialize(request.model))
        if not model.artifact_uri.startswith("gs://") or not model.container_spec.image_uri:
            context.abort(_Invalid, "artifact_uri and container_spec.image_uri are required.")
        if any(not _LABEL.fullmatch(value) for value in model.labels.values()):
            context.abort(_Invalid, "Label values are limited to 63 characters of [a-z0-9_-].")
        id_ = _id(request.parent_model) if request.parent_model else request.model_id
        if request.parent_model and id_ not in self.models:
            context.abort(_Missing, f"The Model does not exist: {request.parent_model}")
        if not request.parent_model and id_ in self.models:
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Model {id_} already exists.")
        if not _MODEL_ID.fullmatch(id_):
            context.abort(_Invalid, f"model_id {id_!r} is invalid.")

        def register() -> Any:
            versions = self.models.setdefault(id_, [])
            model.version_id = str(1 + max((int(one.version_id) for one in versions), default=0))
            model.name = f"{_NUMBER}locations/europe-west1/models/{id_}"
            if not versions:
                model.version_aliases = [*model.version_aliases, "default"]
            versions.append(model)
            return types.UploadModelResponse(model=model.name, model_version_id=model.version_id)

        return self._begin(f"models/{id_}", register, types.UploadModelOperationMetadata())

    def _get_model(self, request: types.GetModelRequest, context: _Context) -> types.Model:
        name, _, version = request.name.partition("@")
        found = self._versions(name, context)
        wanted = version or "default"
        for one in found:
            if wanted == one.version_id or wanted in one.version_aliases:
                return one
        context.abort(_Missing, f"The Model does not exist: {request.name}")
        raise AssertionError

    def _list_models(self, _request: types.ListModelsRequest, _context: _Context) -> types.ListModelsResponse:
        return types.ListModelsResponse(models=[found[-1] for found in self.models.values()])

    def _list_versions(
        self, request: types.ListModelVersionsRequest, context: _Context
    ) -> types.ListModelVersionsResponse:
        found = self._versions(request.name, context)
        start = int(request.page_token or 0)
        token = str(start + _PAGE) if start + _PAGE < len(found) else ""
        # The newest first, so that nobody relies on an order.
        page = [*reversed(found)][start : start + _PAGE]
        return types.ListModelVersionsResponse(models=page, next_page_token=token)

    def _merge(self, request: types.MergeVersionAliasesRequest, context: _Context) -> types.Model:
        name, _, version = request.name.partition("@")
        versions = self._versions(name, context)
        one = next((item for item in versions if item.version_id == version), None)
        if one is None:
            context.abort(_Missing, f"The Model does not exist: {request.name}")
        for alias in request.version_aliases:
            if alias == "-default":
                context.abort(_Invalid, "The default alias cannot be removed.")
            others = [item for item in versions if item is not one and alias in item.version_aliases]
            if others and alias != "default":
                context.abort(_Invalid, f"The alias {alias} is assigned to version {others[0].version_id}.")
        for alias in request.version_aliases:
            if alias == "default":
                for item in versions:
                    item.version_aliases = [it for it in item.version_aliases if it != "default"]
            kept = [it for it in one.version_aliases if it not in {alias, alias.removeprefix("-")}]
            one.version_aliases = kept if alias.startswith("-") else [*kept, alias]
        return one

    # endpoints

    def _endpoint_calls(self) -> dict[str, Rpc]:
        return {
            "CreateEndpoint": answering(self._on(self._create), types.CreateEndpointRequest, operations_pb2.Operation),
            "GetEndpoint": plus(self._on(self._get_endpoint), types.GetEndpointRequest, types.Endpoint),
            "UpdateEndpoint": plus(self._on(self._update), types.UpdateEndpointRequest, types.Endpoint),
            "DeployModel": answering(self._on(self._deploy), types.DeployModelRequest, operations_pb2.Operation),
            "UndeployModel": answering(self._on(self._undeploy), types.UndeployModelRequest, operations_pb2.Operation),
        }

    def _create(self, request: types.CreateEndpointRequest, context: _Context) -> operations_pb2.Operation:
        id_ = request.endpoint_id
        if not _ENDPOINT_ID.fullmatch(id_):
            context.abort(_Invalid, f"endpoint_id {id_!r} is invalid.")
        if id_ in self.endpoints or self._busy(f"endpoints/{id_}"):
            context.abort(grpc.StatusCode.ALREADY_EXISTS, f"Endpoint {id_} already exists.")
        endpoint = types.Endpoint.deserialize(types.Endpoint.serialize(request.endpoint))
        endpoint.name = f"{_NUMBER}locations/europe-west1/endpoints/{id_}"

        def create() -> Any:
            self.endpoints[id_] = endpoint
            return endpoint

        return self._begin(f"endpoints/{id_}", create, types.CreateEndpointOperationMetadata())

    def _get_endpoint(self, request: types.GetEndpointRequest, context: _Context) -> types.Endpoint:
        return self._endpoint(request.name, context)

    def _update(self, request: types.UpdateEndpointRequest, context: _Context) -> types.Endpoint:
        endpoint = self._endpoint(request.endpoint.name, context)
        if list(request.update_mask.paths) != ["traffic_split"]:
            context.abort(_Invalid, f"update_mask {request.update_mask.paths} is not served here")
        split = dict(request.endpoint.traffic_split)
        self._check_split(endpoint, split, context)
        endpoint.traffic_split = split
        return endpoint

    def _deploy(self, request: types.DeployModelRequest, context: _Context) -> operations_pb2.Operation:
        endpoint = self._endpoint(request.endpoint, context)
        name, _, version = request.deployed_model.model.partition("@")
        if not any(one.version_id == version for one in self._versions(name, context)):
            context.abort(_Missing, f"The Model does not exist: {request.deployed_model.model}")
        self._check_free(request.endpoint, context)
        split = dict(request.traffic_split)
        self._check_split(endpoint, {key: value for key, value in split.items() if key != "0"}, context, split)
        deployed = types.DeployedModel.deserialize(types.DeployedModel.serialize(request.deployed_model))
        deployed.id = str(1000 + next(self._numbers))
        deployed.model_version_id = version

        def deploy() -> Any:
            endpoint.deployed_models = [*endpoint.deployed_models, deployed]
            if split:
                endpoint.traffic_split = {deployed.id if key == "0" else key: share for key, share in split.items()}
            return types.DeployModelResponse(deployed_model=deployed)

        return self._begin(f"endpoints/{_id(request.endpoint)}", deploy, types.DeployModelOperationMetadata())

    def _undeploy(self, request: types.UndeployModelRequest, context: _Context) -> operations_pb2.Operation:
        endpoint, id_ = self._endpoint(request.endpoint, context), request.deployed_model_id
        if id_ not in {one.id for one in endpoint.deployed_models}:
            context.abort(_Missing, f"DeployedModel {id_} does not exist.")
        self._check_free(request.endpoint, context)
        if dict(endpoint.traffic_split).get(id_, 0):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, f"DeployedModel {id_} has traffic.")

        def undeploy() -> Any:
            endpoint.deployed_models = [one for one in endpoint.deployed_models if one.id != id_]
            endpoint.traffic_split = {key: share for key, share in endpoint.traffic_split.items() if key != id_}
            return types.UndeployModelResponse()

        return self._begin(f"endpoints/{_id(request.endpoint)}", undeploy, types.UndeployModelOperationMetadata())

    # operations

    def _polls(self) -> dict[str, Rpc]:
        get, list_ = operations_pb2.GetOperationRequest, operations_pb2.ListOperationsRequest
        return {
            "GetOperation": plain(self._on(self._get_operation), get, operations_pb2.Operation),
            "ListOperations": plain(self._on(self._list_operations), list_, operations_pb2.ListOperationsResponse),
        }

    def _get_operation(
        self, request: operations_pb2.GetOperationRequest, context: _Context
    ) -> operations_pb2.Operation:
        if request.name not in self.operations:
            context.abort(_Missing, f"Operation not found: {request.name}")
        return _told(self.operations[request.name])

    def _list_operations(
        self, request: operations_pb2.ListOperationsRequest, context: _Context
    ) -> operations_pb2.ListOperationsResponse:
        if not self.lists_operations:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found.")
        of = "/".join(request.name.split("/")[-2:])
        found = [_told(one) for name, one in self.operations.items() if f"/{of}/operations/" in name]
        start = int(request.page_token or 0)
        token = str(start + _PAGE) if start + _PAGE < len(found) else ""
        return operations_pb2.ListOperationsResponse(operations=found[start : start + _PAGE], next_page_token=token)

    def _begin(self, of: str, effect: Callable[[], Any], metadata: Any) -> operations_pb2.Operation:
        name = f"{_NUMBER}locations/europe-west1/{of}/operations/{next(self._numbers)}"
        failure = self.failing.popleft() if self.failing else ""
        self.operations[name] = _Operation(name, self.stages, effect, metadata, failure, self.lag)
        return _told(self.operations[name])

    def _on(self, body: Callable[[Any, _Context], Any]) -> Callable[[Any, _Context], Any]:
        """Return the method under the lock, with the time that passes: each call moves every operation on."""

        def serve(request: Any, context: _Context) -> Any:
            with self._lock:
                for operation in list(self.operations.values()):
                    _advance(operation)
                answer = body(request, context)
                # What is sent must not change while it is written.
                return type(answer).deserialize(type(answer).serialize(answer)) if hasattr(answer, "_pb") else answer

        return serve

    # what must hold

    def _versions(self, name: str, context: _Context) -> list[types.Model]:
        if _id(name) not in self.models:
            context.abort(_Missing, f"The Model does not exist: {name}")
        return self.models[_id(name)]

    def _endpoint(self, name: str, context: _Context) -> types.Endpoint:
        if _id(name) not in self.endpoints:
            context.abort(_Missing, f"The Endpoint does not exist: {name}")
        return self.endpoints[_id(name)]

    def _busy(self, of: str) -> bool:
        return any(f"/{of}/operations/" in name and not one.done for name, one in self.operations.items())

    def _check_free(self, name: str, context: _Context) -> None:
        if self._busy(f"endpoints/{_id(name)}"):
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "There are other operations running on the endpoint.")

    def _check_split(
        self, endpoint: types.Endpoint, known: dict[str, int], context: _Context, whole: dict[str, int] | None = None
    ) -> None:
        there = {one.id for one in endpoint.deployed_models}
        shares = (known if whole is None else whole).values()
        if not set(known) <= there or (shares and sum(shares) != 100):
            context.abort(_Invalid, "traffic_split must name deployed models and add up to 100.")


def _advance(operation: _Operation) -> None:
    operation.stages -= 1
    operation.done = operation.stages <= 0
    if operation.stages <= -operation.lag and operation.answer is None and not operation.failure:
        operation.answer = operation.effect()


def _told(operation: _Operation) -> operations_pb2.Operation:
    told = operations_pb2.Operation(name=operation.name, done=operation.done)
    told.metadata.Pack(type(operation.metadata).pb(operation.metadata))
    if operation.done and operation.failure:
        told.error.code, told.error.message = 9, operation.failure
    elif operation.answer is not None:
        answer = any_pb2.Any()
        answer.Pack(type(operation.answer).pb(operation.answer))
        told.response.CopyFrom(answer)
    return told


def _id(name: str) -> str:
    return name.rpartition("/")[2].partition("@")[0]
