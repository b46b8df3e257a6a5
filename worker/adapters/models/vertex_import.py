"""Bring a model that somebody else registered on Vertex AI: its file, downloaded, and its full name."""

from pathlib import Path

from google.api_core import exceptions

from worker.adapters.google_calls import GOOGLE, Patience, call
from worker.adapters.google_storage import GoogleStorage
from worker.adapters.models.server.loading import download_model
from worker.adapters.models.vertex_client import clients, meaning
from worker.adapters.options import Options
from worker.errors import NotFound, Rejected

_PATIENCE = Patience(attempt_s=30.0, total_s=60.0)


def fetch_vertex_model(options: Options, name: str, directory: Path) -> tuple[str, Path]:
    """Download a model of Vertex's registry.

    Args:
        options: project, region and the stand-ins' addresses.
        name: `projects/P/locations/R/models/ID`, or the id alone; with `@VERSION` or `@ALIAS`, else its default.
        directory: where the file is put.

    Returns:
        The full name with its version, and the file.

    Raises:
        NotFound: no such model.
        Rejected: no project, or no file there that is loaded without executing code.
        TryLater: Vertex AI or Cloud Storage cannot be reached.
    """
    values = options.values
    if not values["project"]:
        raise Rejected("Vertex AI needs a project", field="GOOGLE_CLOUD_PROJECT", mend="set it")
    full = name if "/" in name else f"projects/{values['project']}/locations/{values['region']}/models/{name}"
    region = full.split("/")[3] if full.count("/") == 5 else values["region"]
    models, endpoints = clients(region, values["vertex_endpoint"])
    try:
        found = call(models.get_model, {"name": full}, _PATIENCE)
    except exceptions.NotFound as error:
        raise NotFound(f"there is no model {full} on Vertex AI", field="vertexModel") from error
    except GOOGLE as error:
        raise meaning(full, error) from error
    finally:
        for client in (models, endpoints):
            client.transport.close()
    if not found.artifact_uri.startswith("gs://"):
        mend = "give its file with --artifact"
        raise Rejected("Vertex AI has no file of this model in Cloud Storage", field="vertexModel", mend=mend)
    storage = GoogleStorage(values["project"], values["storage_endpoint"])
    _, path = download_model(storage, found.artifact_uri, directory)
    return f"{full.partition('@')[0]}@{found.version_id}", path
