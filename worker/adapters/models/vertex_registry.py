"""Vertex AI's Model Registry and endpoints behind the registry's port; no call waits for what takes minutes.

What has an effect is called once: whether a lost answer had one is seen later, by the labels and names that it bears.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, Patience, call, call_once
from worker.adapters.models.vertex_client import clients, meaning
from worker.adapters.models.vertex_live import LiveObjects
from worker.adapters.models.vertex_messages import Serving, deployed_fields, endpoint_fields, model_fields
from worker.adapters.models.vertex_naming import Naming
from worker.adapters.options import Options
from worker.errors import Conflict, NotFound, Rejected, TryLater
from worker.models.port import Artifact, ModelVersion
from worker.models.projection import Deployed, Endpoint, Entry, Kind, Phase, Progress, Told

#: What an operation tells of itself -> what it does.
_METADATA = {
    Kind.UPLOAD: "UploadModelOperationMetadata",
    Kind.OPEN: "CreateEndpointOperationMetadata",
    Kind.DEPLOY: "DeployModelOperationMetadata",
    Kind.UNDEPLOY: "UndeployModelOperationMetadata",
}


class VertexRegistry:
    """`worker.models.projection.Registry` on Vertex AI; the clients are made at the first call.

    Args:
        naming: project, region and installation.
        serving: how models are served.
        folder: returns an artifact's folder in Cloud Storage.
        endpoint: `host:port` of a stand-in that speaks gRPC in plain text.
        patience: time-outs and back-off.
        live_objects: where model servers are told what is live; None: nowhere.
    """

    def __init__(
        self,
        naming: Naming,
        serving: Serving,
        folder: Callable[[Artifact], str],
        *,
        endpoint: str = "",
        patience: Patience | None = None,
        live_objects: LiveObjects | None = None,
    ) -> None:
        self._live = live_objects
        self._naming = naming
        self._serving = serving
        self._folder = folder
        self._address = endpoint
        self._patience = patience or Patience(attempt_s=30.0, total_s=60.0)

    def entries(self, bee: str, versions: Sequence[str]) -> Sequence[Entry]:
        """Return what is registered of a bee, by Vertex's numbers. Raises Rejected, TryLater."""
        ours = self._naming.versions(bee, versions)
        with _translated(f"models of {bee}"):
            try:
                found = [*self._pages(self._models.list_model_versions, {"name": self._naming.model(bee)}, "models")]
            except exceptions.NotFound:
                return []
        entries = [
            Entry(
                number=model.version_id,
                version=ours.get(model.labels.get("colony-version", ""), ""),
                aliases=frozenset(model.version_aliases),
            )
            for model in found
        ]
        return sorted(entries, key=lambda entry: int(entry.number))

    def upload(self, version: ModelVersion) -> str:
        """Begin to register a version, not as the default, and return the operation.

        Raises:
            NotFound: its file is gone.
            Rejected, Conflict: Vertex AI does not take it.
            TryLater: it is not known whether it did.
        """
        folder = self._folder(version.artifact)
        name = self._naming.model(version.bee)
        request: dict[str, Any] = {
            "parent": self._naming.parent,
            "model": model_fields(version, folder, self._naming, self._serving, self._live_uri(version.bee)),
        }
        request |= {"parent_model": name} if self._has_model(name) else {"model_id": self._naming.id_of(version.bee)}
        with _translated(f"version {version.version} of {version.bee}"):
            return _name(call_once(self._models.upload_model, request, self._patience))

    def mark(self, bee: str, number: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Change the aliases of a version; again changes nothing. Raises NotFound, Rejected, TryLater."""
        aliases = [*add, *(f"-{alias}" for alias in remove)]
        request = {"name": f"{self._naming.model(bee)}@{number}", "version_aliases": aliases}
        with _translated(f"aliases of {bee}"):
            call(self._models.merge_version_aliases, request, self._patience)

    def endpoint(self, bee: str, versions: Sequence[str]) -> Endpoint | None:
        """Return the bee's endpoint, None if there is none. Raises Conflict, Rejected, TryLater."""
        ours = {self._naming.deployed(bee, version): version for version in versions}
        with _translated(f"endpoint of {bee}"):
            try:
                found = call(self._endpoints.get_endpoint, {"name": self._naming.endpoint(bee)}, self._patience)
            except exceptions.NotFound:
                return None
        if found.labels.get("installation") != self._naming.labels(bee)["installation"]:
            raise Conflict(f"{self._naming.endpoint(bee)} was not made by this installation")
        split = dict(found.traffic_split)
        return Endpoint(
            tuple(
                Deployed(one.id, ours.get(one.display_name, ""), split.get(one.id, 0)) for one in found.deployed_models
            )
        )

    def open(self, bee: str) -> str | None:
        """Begin to make the bee's endpoint and return the operation; None if there is one. Raises as `upload`."""
        request = {
            "parent": self._naming.parent,
            "endpoint": endpoint_fields(bee, self._naming, self._serving),
            "endpoint_id": self._naming.id_of(bee),
        }
        with _translated(f"endpoint of {bee}"):
            try:
                return _name(call_once(self._endpoints.create_endpoint, request, self._patience))
            except exceptions.AlreadyExists:
                return None

    def deploy(self, bee: str, entry: Entry, split: Mapping[str, int]) -> str:
        """Begin to deploy a version and return the operation. Raises as `upload`."""
        request = {
            "endpoint": self._naming.endpoint(bee),
            "deployed_model": deployed_fields(bee, entry, self._naming, self._serving),
            "traffic_split": dict(split),
        }
        with _translated(f"deployment of version {entry.version} of {bee}"):
            return _name(call_once(self._endpoints.deploy_model, request, self._patience))

    def route(self, bee: str, deployed_id: str) -> None:
        """Send all traffic to one of the deployed models; again changes nothing. Raises Rejected, TryLater."""
        endpoint = {"name": self._naming.endpoint(bee), "traffic_split": {deployed_id: 100}}
        request = {"endpoint": endpoint, "update_mask": {"paths": ["traffic_split"]}}
        with _translated(f"traffic of {bee}"):
            call(self._endpoints.update_endpoint, request, self._patience)

    def told(self, bee: str) -> Told:
        """Return what the bee's model servers were told last. Raises Rejected, TryLater."""
        return self._live.read(self._naming.id_of(bee)) if self._live else Told()

    def tell(self, bee: str, content: bytes, instead_of: Told) -> None:
        """Tell the bee's model servers what is live. Raises Rejected, TryLater."""
        if self._live:
            self._live.write(self._naming.id_of(bee), content, instead_of)

    def undeploy(self, bee: str, deployed_id: str) -> str:
        """Begin to undeploy a model that has no traffic, and return the operation. Raises as `upload`."""
        request = {"endpoint": self._naming.endpoint(bee), "deployed_model_id": deployed_id}
        with _translated(f"deployed model {deployed_id} of {bee}"):
            return _name(call_once(self._endpoints.undeploy_model, request, self._patience))

    def progress(self, operation: str) -> Progress:
        """Return how far an operation is. Raises Rejected, TryLater."""
        with _translated(operation):
            try:
                found = call(self._models.get_operation, {"name": operation}, self._patience)
            except exceptions.NotFound:
                return Progress(Phase.LOST)
        if not found.done:
            return Progress(Phase.RUNNING)
        if found.HasField("error"):
            return Progress(Phase.FAILED, f"{found.error.message} (code {found.error.code})")
        return Progress(Phase.DONE)

    def running(self, bee: str, kind: Kind) -> str | None:
        """Return an operation of this kind that is under way for the bee, None if there is none.

        Raises:
            NotFound: operations cannot be listed here.
            Rejected, TryLater: as every call.
        """
        of = self._naming.model(bee) if kind is Kind.UPLOAD else self._naming.endpoint(bee)
        with _translated(f"operations of {bee}"):
            try:
                found = [*self._pages(self._models.list_operations, {"name": of}, "operations")]
            except exceptions.NotFound:
                return None
            except (exceptions.InvalidArgument, exceptions.MethodNotImplemented) as error:
                raise NotFound(f"operations of {of} cannot be listed: {error.message}") from error
        ours = (one for one in found if one.metadata.type_url.endswith(_METADATA[kind]))
        return next((one.name for one in ours if not one.done), None)

    def verify(self) -> None:
        """List one model. Raises TryLater or Rejected with the mend."""
        with _translated(self._naming.parent):
            call(self._models.list_models, {"parent": self._naming.parent, "page_size": 1}, self._patience)

    def close(self) -> None:
        """Close the channels; operations go on."""
        if "_clients" in self.__dict__:
            for client in self._clients:
                client.transport.close()

    @cached_property
    def _clients(self) -> tuple[Any, Any]:
        return clients(self._naming.region, self._address)

    @property
    def _models(self) -> Any:
        return self._clients[0]

    @property
    def _endpoints(self) -> Any:
        return self._clients[1]

    def _live_uri(self, bee: str) -> str:
        return self._live.uri(self._naming.id_of(bee)) if self._live else ""

    def _has_model(self, name: str) -> bool:
        with _translated(name):
            try:
                call(self._models.get_model, {"name": name}, self._patience)
            except exceptions.NotFound:
                return False
        return True

    def _pages(self, method: Callable[..., Any], request: dict[str, Any], field: str) -> Iterator[Any]:
        token = ""
        while True:
            page = call(method, {**request, "page_token": token}, self._patience)
            # Iterating over the client's pager would fetch further pages without our patience.
            yield from getattr(page, field)
            token = page.next_page_token
            if not token:
                return


def from_options(
    options: Options, installation: str, folder: Callable[[Artifact], str], live_objects: LiveObjects
) -> VertexRegistry:
    """Return the registry of the settings. Raises Rejected: no project."""
    values = options.values
    if not values["project"]:
        mend = "Set it, or COLONY_MODELS=local."
        raise Rejected("Vertex AI needs a project", field="GOOGLE_CLOUD_PROJECT", mend=mend)
    serving = Serving(
        image=values["image"],
        machine=values["serving_machine"],
        min_replicas=values["serving_min_replicas"],
        max_replicas=values["serving_max_replicas"],
        service_account=values["serving_service_account"],
        encryption_key=values["vertex_encryption_key"],
    )
    naming = Naming(values["project"], values["region"], installation)
    # A container that acts as nobody in particular may not read the bucket.
    told = live_objects if serving.service_account else None
    return VertexRegistry(naming, serving, folder, endpoint=values["vertex_endpoint"], live_objects=told)


def _name(operation: Any) -> str:
    """Return the name of the operation that a client's call gives: the client's own waits, which nobody wants here."""
    return str(operation.operation.name)


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except GOOGLE as error:
        raise meaning(what, error) from error
    except ValueError as error:
        if "closed channel" not in str(error):
            raise
        raise TryLater(f"{what}: this process is ending") from error
