"""What a check-up of Google's services looks at: names of the settings, stand-ins, and who asks."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.auth.exceptions import GoogleAuthError

from worker.adapters.google_calls import Patience, meaning
from worker.adapters.options import Options
from worker.errors import ColonyError

#: A check-up is for a person who waits.
PATIENCE = Patience(attempt_s=10.0, total_s=15.0)


@dataclass(frozen=True)
class Place:
    """One colony's names.

    Attributes:
        bucket: without `gs://`.
        store: the feature store's name: dataset and online store.
        steps_account: whom the steps of pipelines act as.
        used: port → its backend of Google's; `serving` where models are deployed to endpoints, `online` where features
            are read from views.
        task: names this process in what a live check writes.
        stand_ins: service (`storage`, `vertex`, `bigquery`; in tests others, too) → its stand-in's address.
    """

    project: str
    region: str
    subscription: str
    intake_topic: str
    events_topic: str
    dead_letter_topic: str
    bucket: str
    store: str
    store_region: str
    steps_account: str
    used: Mapping[str, str]
    task: str
    stand_ins: Mapping[str, str]

    @property
    def probe(self) -> str:
        """Topic and subscription of live checks, where no probe ever meets an evaluation."""
        return f"{self.events_topic}-probe"

    @property
    def emulator(self) -> str:
        """Address of Pub/Sub's emulator, if that is what is talked to, and it knows no rights."""
        return "" if "pubsub" in self.stand_ins else os.environ.get("PUBSUB_EMULATOR_HOST", "")

    @property
    def imitated(self) -> str:
        """Name a stand-in that is talked to; rights are known by the services alone."""
        return next((f"{service} at {address}" for service, address in self.stand_ins.items()), "")

    @cached_property
    def member(self) -> str:
        """The caller as grants name it: a service account, or whoever is signed in to gcloud."""
        email = getattr(self.credentials, "service_account_email", "")
        return f"serviceAccount:{email}" if "@" in email else 'user:"$(gcloud config get account)"'

    @property
    def credentials(self) -> Any:
        """The environment's credentials, with a token. Raises Rejected, TryLater."""
        if isinstance(self._credentials, ColonyError):
            raise self._credentials
        return self._credentials

    @cached_property
    def _credentials(self) -> Any:
        """Looking for them takes seconds where there are none, so that the error is kept, too."""
        import google.auth
        from google.auth.transport.requests import Request

        found: Any
        try:
            found, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
            # A machine's account tells its name with its first token only.
            found.refresh(Request())
        except GoogleAuthError as error:
            return meaning("credentials", error)
        return found


def place_of(options: Options, used: Mapping[str, str]) -> Place:
    """Return what is looked at; `used` tells each port's backend."""
    values = options.values
    named = {"storage": "storage_endpoint", "vertex": "vertex_endpoint", "bigquery": "bigquery_endpoint"}
    stand_ins = {service: str(values.get(setting) or "") for service, setting in named.items()}
    theirs = {port: backend for port, backend in used.items() if backend != "local"}
    return Place(
        project=values["project"],
        region=values["region"],
        subscription=values["subscription"],
        intake_topic=values["intake_topic"],
        events_topic=values["events_topic"],
        dead_letter_topic=values["dead_letter_topic"],
        bucket=values["pipeline_bucket"].removeprefix("gs://").rstrip("/"),
        store=values["feature_store_name"] or _store(theirs),
        store_region=values["feature_store_region"] or values["region"],
        steps_account=values["vertex_service_account"],
        used=theirs | _beside(theirs, values),
        task=f"doctor-{options.owner}",
        stand_ins={service: address for service, address in stand_ins.items() if address},
    )


def _beside(used: Mapping[str, str], values: Mapping[str, Any]) -> dict[str, str]:
    """Return what of Vertex AI is used beside the ports."""
    serving = values["serving"] and "models" in used
    views = "features" in used and values.get("features_online", "views") == "views"
    return {name: "vertex" for name, wanted in (("serving", serving), ("online", views)) if wanted}


def _store(used: Mapping[str, str]) -> str:
    """Return what the feature store is called where no name is set."""
    if "features" not in used:
        return ""
    from worker.adapters.features.google.backend import NAME

    return NAME
