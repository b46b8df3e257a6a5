"""What is sent to Vertex AI: a model version to upload, a bee's endpoint, a model to deploy."""

from dataclasses import dataclass
from typing import Any

from worker.adapters.models.vertex_naming import Naming
from worker.clock import to_text
from worker.models.port import ModelVersion
from worker.models.projection import Entry

_PORT = 8080
_DESCRIPTION = 1000


@dataclass(frozen=True)
class Serving:
    """How models are served.

    Attributes:
        image: the image that holds this project.
        machine: the machine type of a replica.
        service_account: whom the container acts as; empty: one that may do nothing in the project.
        encryption_key: a Cloud KMS key for models and endpoints; empty: Google's own.
    """

    image: str
    machine: str = "n1-standard-2"
    min_replicas: int = 1
    max_replicas: int = 1
    service_account: str = ""
    encryption_key: str = ""

    @property
    def encryption(self) -> dict[str, Any]:
        """The encryption of a resource, nothing where Google's own is used."""
        return {"encryption_spec": {"kms_key_name": self.encryption_key}} if self.encryption_key else {}


def model_fields(
    version: ModelVersion, folder: str, naming: Naming, serving: Serving, live_uri: str = ""
) -> dict[str, Any]:
    """Return the Model of a version whose file is in `folder`; without an alias, so that it is not the default.

    `live_uri` is where its servers read what else is live; empty: they serve their own version alone.
    """
    environment = {"COLONY_MODEL_SHA256": version.artifact.sha256}
    if live_uri:
        environment |= {"COLONY_LIVE_URI": live_uri, "COLONY_MODEL_VERSION": version.version}
    return {
        "display_name": version.bee,
        "description": f"Models of {version.bee}, kept by Colony MLOps: its ledger says what is in production.",
        "version_description": _described(version)[:_DESCRIPTION],
        "labels": naming.version_labels(version),
        "artifact_uri": folder,
        "container_spec": {
            "image_uri": serving.image,
            "command": ["python", "-m", "worker.model_server"],
            "ports": [{"container_port": _PORT}],
            "predict_route": "/predict",
            "health_route": "/health",
            "env": [{"name": name, "value": value} for name, value in environment.items()],
        },
        **serving.encryption,
    }


def endpoint_fields(bee: str, naming: Naming, serving: Serving) -> dict[str, Any]:
    """Return the Endpoint of a bee."""
    return {"display_name": bee, "labels": naming.labels(bee), **serving.encryption}


def deployed_fields(bee: str, entry: Entry, naming: Naming, serving: Serving) -> dict[str, Any]:
    """Return the DeployedModel of an entry."""
    fields: dict[str, Any] = {
        "model": f"{naming.model(bee)}@{entry.number}",
        "display_name": naming.deployed(bee, entry.version),
        "dedicated_resources": {
            "machine_spec": {"machine_type": serving.machine},
            "min_replica_count": serving.min_replicas,
            "max_replica_count": serving.max_replicas,
        },
    }
    return fields | ({"service_account": serving.service_account} if serving.service_account else {})


def _described(version: ModelVersion) -> str:
    gate = f"forced: {version.forced}" if version.forced else "passed" if version.gate_passed else "not passed"
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in version.metrics.items() if value is not None)
    words = [
        f"version {version.version}",
        f"registered {to_text(version.created_at)}",
        f"gate {gate}",
        metrics,
        f"run {version.run_id}" if version.run_id else "adopted",
        f"sha256 {version.artifact.sha256}",
    ]
    return "; ".join(filter(None, words))
