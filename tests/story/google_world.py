"""Every Google service that the system stands on, as stand-ins on this machine; and the faults that they may have."""

import os
import random
import secrets
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import sqlalchemy as sa

from tests.google_front import Front
from tests.google_server import Fault as Broken
from tests.google_storage import StorageFault, StorageServer
from tests.story.executing_vertex import ExecutingVertex
from tests.story.one_process import OneProcess
from tests.story.test_google import _Published
from tests.worker.adapters.engine.vertex_server import Fault
from tests.worker.adapters.features.google.bigquery_server import BigQueryServer
from tests.worker.adapters.features.google.bigquery_server import Fault as Silent
from tests.worker.adapters.features.google.view_server import ViewServer
from tests.worker.adapters.models.registry_server import RegistryServer

BUCKET = "colony-bucket"
_VERTEX = "google.cloud.aiplatform.v1"
CODES = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.INTERNAL,
)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of commands: nothing of the caller's own settings."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("COLONY_", "GOOGLE_", "PIPELINE_", "PUBSUB_"))}
    return {**kept, **more}


@dataclass(frozen=True)
class Google:
    """The stand-ins, and the commands that are led to them."""

    colony: OneProcess
    vertex: ExecutingVertex
    bigquery: BigQueryServer
    registry: RegistryServer
    storage: StorageServer
    published: _Published
    ledger: str


@contextmanager
def google(emulator: str, ledger: str, root: Path) -> Iterator[Google]:
    """Give a project with nothing in it but its topics and subscriptions."""
    # The emulator is everybody's: what others have left there is none of this story.
    project = f"colony-story-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        storage = StorageServer(BUCKET)
        stack.callback(storage.close)
        vertex = ExecutingVertex(storage, BUCKET, root / "mount", {"COLONY_HOME": str(root / "home")})
        stack.callback(vertex.close)
        bigquery = BigQueryServer()
        stack.callback(bigquery.close)
        views = ViewServer(bigquery.database)
        stack.callback(views.close)
        registry = RegistryServer()
        stack.callback(registry.close)
        front = Front({f"{_VERTEX}.{name}": at.address for name, at in _served(vertex, registry, views).items()})
        stack.callback(front.close)
        settings = {
            "COLONY_HOME": str(root / "home"),
            "COLONY_BIGQUERY_ENDPOINT": bigquery.endpoint,
            "COLONY_IMAGE": "europe-docker.pkg.dev/colony-test/colony/worker:1",
            "COLONY_LEDGER": ledger,
            "COLONY_METRICS": "local",
            "COLONY_RECONCILE_SECONDS": "1",
            "COLONY_STORAGE_ENDPOINT": storage.url,
            "COLONY_SERVING": "true",
            "COLONY_VERTEX_ENDPOINT": front.address,
            "GOOGLE_CLOUD_PROJECT": project,
            "GOOGLE_CLOUD_REGION": "europe-west1",
            "PIPELINE_BUCKET": BUCKET,
            "PUBSUB_EMULATOR_HOST": emulator,
        }
        colony = stack.enter_context(OneProcess(environment(**settings), root / "log.txt"))
        colony.run("pubsub", "init")
        colony.run("features", "init")
        yield Google(colony, vertex, bigquery, registry, storage, _Published(emulator, project), ledger)


def _served(vertex: ExecutingVertex, registry: RegistryServer, views: ViewServer) -> dict[str, Any]:
    """Return service -> who stands for it."""
    return {
        "PipelineService": vertex,
        "ModelService": registry,
        "EndpointService": registry,
        "FeatureOnlineStoreService": views,
        "FeatureOnlineStoreAdminService": views,
        "FeatureRegistryService": views,
    }


@contextmanager
def faults(world: Google, seed: int) -> Iterator[list[str]]:
    """Put faults in the way all the while; gives the list of what was done.

    One at a time for each call: those that nobody meets for a while must not wait for the first who comes, together.
    """
    chance, done, over = random.Random(seed), list[str](), threading.Event()
    kinds = {
        "vertex": _vertex_fault,
        "registry": _registry_fault,
        "bigquery": _bigquery_fault,
        "storage": _storage_fault,
        "ledger": _ledger_fault,
        "worker": _worker_fault,
    }

    def go_wrong() -> None:
        while not over.wait(chance.uniform(0.3, 2.0)):
            name = chance.choices(list(kinds), weights=[5, 3, 5, 3, 3, 1])[0]
            kinds[name](world, chance)
            done.append(name)

    thread = threading.Thread(target=go_wrong, daemon=True)
    thread.start()
    yield done
    over.set()
    thread.join()


def _vertex_fault(world: Google, chance: random.Random) -> None:
    method = chance.choice(["CreatePipelineJob", "GetPipelineJob", "ListPipelineJobs"])
    if not world.vertex._faults.get(method):
        world.vertex.fail(method, Fault(chance.choice(CODES), after_effect=chance.random() < 0.5))


def _registry_fault(world: Google, chance: random.Random) -> None:
    method = chance.choice(["UploadModel", "GetModel", "MergeVersionAliases", "CreateEndpoint", "DeployModel"])
    if not world.registry._faults.get(method):
        world.registry.fail(method, Broken(chance.choice(CODES), after_effect=chance.random() < 0.5))


def _bigquery_fault(world: Google, chance: random.Random) -> None:
    call = chance.choice(["POST jobs", "GET queries"])
    if not world.bigquery._faults:
        world.bigquery.fail(call, Silent(chance.choice([0, 500, 503]), after_effect=chance.random() < 0.5))


def _storage_fault(world: Google, chance: random.Random) -> None:
    status = chance.choice([0, 429, 500, 503])
    if not world.storage._faults:
        world.storage.fail(StorageFault(status, after_effect=chance.random() < 0.5))


def _ledger_fault(world: Google, chance: random.Random) -> None:
    """Cut off one of the connections that the worker has."""
    engine = sa.create_engine(world.ledger.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with suppress(sa.exc.OperationalError), engine.connect() as connection:
        pids = list(connection.execute(sa.text(others)).scalars())
        if pids:
            connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": chance.choice(pids)})
    engine.dispose()


def _worker_fault(world: Google, _chance: random.Random) -> None:
    world.colony.kill()
