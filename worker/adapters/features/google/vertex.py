"""Vertex AI's clients for the feature store: their channels, names of resources, and what errors mean."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError

from worker.adapters import google_calls
from worker.adapters.google_calls import GOOGLE, Patience, call
from worker.errors import ColonyError

_GRANT = "Grant roles/aiplatform.featurestoreDataViewer, and featurestoreAdmin to write directly and to make resources."
_MENDS: dict[type[Exception], str] = {
    exceptions.PermissionDenied: _GRANT,
    exceptions.InvalidArgument: "Run `colony features init`; Vertex AI says what is wrong.",
    exceptions.FailedPrecondition: "Run `colony features init`; Vertex AI says what is missing.",
}


@dataclass(frozen=True)
class Names:
    """Where the resources of one store are.

    Attributes:
        project, region: of all of them.
        store: the online store's id; feature groups are named after it too, since they are the region's.
    """

    project: str
    region: str
    store: str

    @property
    def location(self) -> str:
        """The location."""
        return f"projects/{self.project}/locations/{self.region}"

    @property
    def online_store(self) -> str:
        """The online store."""
        return f"{self.location}/featureOnlineStores/{self.store}"

    def view(self, entity: str) -> str:
        """Return the feature view of an entity."""
        return f"{self.online_store}/featureViews/{fitting(entity, 60)}"

    def group(self, entity: str) -> str:
        """Return the feature group of an entity."""
        return f"{self.location}/featureGroups/{fitting(f'{self.store}_{entity}', 128)}"


def fitting(name: str, most: int) -> str:
    """Return a name, or one made from it where it is too long."""
    if len(name) <= most:
        return name
    return f"{name[: most - 12]}__{hashlib.sha256(name.encode()).hexdigest()[:10]}"


@dataclass(frozen=True)
class Vertex:
    """The clients, each made when first used; safe to share between threads.

    Attributes:
        region: whose own host is called.
        endpoint: `host:port` of a stand-in that speaks gRPC in plain text and takes no credentials.
        patience: of one call, and of all its attempts.
    """

    region: str
    endpoint: str = ""
    patience: Patience = field(default_factory=Patience)

    def call(self, method: Any, request: Any, patience: Patience | None = None) -> Any:
        """Call a method that may be made twice; errors come out as Google's."""
        return call(method, request, patience or self.patience)

    @cached_property
    def values(self) -> Any:
        """What reads and writes feature values."""
        from google.cloud.aiplatform_v1 import FeatureOnlineStoreServiceClient
        from google.cloud.aiplatform_v1.services.feature_online_store_service.transports.grpc import (
            FeatureOnlineStoreServiceGrpcTransport,
        )

        return self._client(FeatureOnlineStoreServiceClient, FeatureOnlineStoreServiceGrpcTransport)

    @cached_property
    def stores(self) -> Any:
        """What keeps online stores and views."""
        from google.cloud.aiplatform_v1 import FeatureOnlineStoreAdminServiceClient
        from google.cloud.aiplatform_v1.services.feature_online_store_admin_service.transports.grpc import (
            FeatureOnlineStoreAdminServiceGrpcTransport,
        )

        return self._client(FeatureOnlineStoreAdminServiceClient, FeatureOnlineStoreAdminServiceGrpcTransport)

    @cached_property
    def registry(self) -> Any:
        """What keeps feature groups and features."""
        from google.cloud.aiplatform_v1 import FeatureRegistryServiceClient
        from google.cloud.aiplatform_v1.services.feature_registry_service.transports.grpc import (
            FeatureRegistryServiceGrpcTransport,
        )

        return self._client(FeatureRegistryServiceClient, FeatureRegistryServiceGrpcTransport)

    def _client(self, client: Any, transport: Any) -> Any:
        if self.endpoint:
            import grpc

            return client(transport=transport(channel=grpc.insecure_channel(self.endpoint)))
        try:
            return client(client_options={"api_endpoint": f"{self.region}-aiplatform.googleapis.com"})
        except GoogleAuthError as error:
            raise meaning("Vertex AI Feature Store", error) from error

    def close(self) -> None:
        """Release connections."""
        for name in ("values", "stores", "registry"):
            if name in self.__dict__:
                self.__dict__[name].transport.close()


def meaning(what: str, error: Exception) -> ColonyError:
    """Return Google's error as one of ours: Rejected where a person has to mend something, else TryLater."""
    return google_calls.meaning(what, error, _MENDS)


__all__ = ["GOOGLE", "Names", "Vertex", "fitting", "meaning"]
