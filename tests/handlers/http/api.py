"""The API on a ledger of its own, with the shipped templates and a model that answers 1; called in this process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from config import schema
from handlers.commands.predict import PredictionServer
from handlers.http import build
from handlers.http.access import Access
from handlers.http.push_sender import Sender
from handlers.http.services import Services
from tests.handlers.commands.models import Artifacts, Format
from tests.worker import world
from tests.worker.world import BEES, NOW
from worker.access.port import Identity
from worker.adapters.features.local import LocalFeatureStore
from worker.adapters.ledger.sql import SqlLedger
from worker.adapters.metrics.local import LocalMetrics
from worker.features.port import Definition
from worker.instruments import Instruments
from worker.intake.consume import Consumer, Limits
from worker.models.port import Artifact, Deployment
from worker.pipelines.load import Templates
from worker.steps.types import STEPS


@dataclass(frozen=True)
class Parts:
    """What the API stands on."""

    ledger: SqlLedger
    features: LocalFeatureStore
    predictions: PredictionServer

    def services(
        self, access: Access | None = None, identity: Identity | None = None, sender: Sender | None = None
    ) -> Services:
        """Return the services of an API with these rules."""
        return Services(
            ledger=self.ledger,
            features=self.features,
            bees=lambda: BEES,
            predictions=self.predictions,
            clock=lambda: NOW,
            instruments=Instruments(LocalMetrics()),
            templates=lambda: Templates(schema.load_templates(schema.layers(None)), STEPS),
            access=access or Access(),
            identity=identity,
            intake=lambda subscription: Consumer(
                subscription, self.ledger, world.handlers(self.ledger), lambda _: NOW, limits=Limits(attempts=2)
            ),
            sender=sender,
        )

    def client(
        self, access: Access | None = None, identity: Identity | None = None, sender: Sender | None = None
    ) -> "Client":
        """Return a client of an API with these rules."""
        return Client(build(self.services(access, identity, sender)))

    def client_with(self, **changes: Any) -> "Client":
        """Return a client of an API on loopback, with other services."""
        return Client(build(replace(self.services(), **changes)))


@dataclass(frozen=True)
class Client:
    """Calls an ASGI application in this process."""

    api: FastAPI
    address: str = "192.0.2.1"

    def call(self, method: str, path: str, *, token: str = "", **options: Any) -> httpx.Response:
        """Return the answer to one request; a path without a slash at its front is under `/api/mlops`."""
        headers = {**options.pop("headers", {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        url = path if path.startswith("/") else f"/api/mlops/{path}"

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.api, client=(self.address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://colony.test") as client:
                return await client.request(method, url, headers=headers, **options)

        return asyncio.run(send())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a GET."""
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Return the answer to a POST."""
        return self.call("POST", path, **options)


@contextmanager
def parts(directory: Path) -> Iterator[Parts]:
    """Give the parts in a directory: spam-guard has version 1 in production, and version 2 that passed its gate."""
    ledger = world.new_ledger(directory)
    store = LocalFeatureStore(directory / "features", clock=lambda: NOW)
    store.define(Definition("spam_probability", "content", "number"))
    file = directory / "model"
    file.write_text("1")
    with ledger.begin() as transaction:
        transaction.models.add(world.version(artifact=Artifact(str(file), "x"), state="deployed"))
        transaction.models.deploy(Deployment("spam-guard", 1, "1", None, NOW, "", None))
        transaction.models.add(world.version("2", artifact=Artifact(str(file), "x")))
    yield Parts(ledger, store, PredictionServer(ledger, store, Artifacts(directory), Format()))
    store.close()
    ledger.close()
