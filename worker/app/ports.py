"""The ports' backends as the settings choose them: the only module that names adapters."""

import importlib
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from config.settings import Settings
from worker import adapters
from worker.adapters.options import Options
from worker.checkup import Check
from worker.clock import Clock, wall_clock
from worker.costs.port import Bill
from worker.errors import Rejected
from worker.features.port import FeatureStore
from worker.intake.port import Subscription
from worker.ledger import Ledger
from worker.models.port import ArtifactStore, Deployment, ModelFormat, ModelVersion
from worker.models.projection import Registry
from worker.pipelines.template import Template
from worker.publish.notify import Hook
from worker.publish.port import Topic
from worker.runs.port import PipelineEngine
from worker.runs.settle import Outcomes
from worker.telemetry import Metrics


class Ports:
    """What the system stands on, each opened when first used; close it when done."""

    def __init__(self, settings: Settings, clock: Clock, *, source: str | None = None) -> None:
        """`source` is what a local subscription reads: a file, `-` for standard input, or None for nothing."""
        self.settings = settings
        self.clock = clock
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._source = source
        self._closing: list[Callable[[], None]] = []

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, its schema brought up to date."""
        ledger: Ledger = self._kept(_sql().SqlLedger(self._database))
        return ledger

    @cached_property
    def ledger_care(self) -> Any:
        """What an operator does with the ledger; unlike `ledger` it does not open or change it before it is asked."""
        return self._kept(importlib.import_module("worker.adapters.ledger.care").LedgerCare(self._database))

    def version_history(self) -> tuple[list[ModelVersion], list[Deployment]]:
        """Return versions and deployments of the real ledger, empty where there is none yet."""
        if not self.has_ledger:
            return [], []
        with self.ledger.begin(write=False) as transaction:
            return list(transaction.models.versions()), list(transaction.models.deployments())

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger: opening one makes it."""
        return not self._database.sqlite or Path(self._database.url.database).exists()

    @cached_property
    def features(self) -> FeatureStore:
        """The feature store."""
        store: FeatureStore = self._kept(self._backend("features", google="google").from_options(self._options()))
        return store

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where model files are."""
        store: ArtifactStore = self._backend("models", google="vertex").from_options(self._options())
        return store

    @cached_property
    def registry(self) -> Registry | None:
        """Where models are shown and served beside this system, None where the ledger's record is all there is."""
        backend = self._backend("models", google="vertex")
        found: Registry | None = backend.registry_from(self._options(), self.ledger.installation, self.artifacts)
        return found if found is None else self._kept(found)

    def fetch_vertex_model(self, name: str, directory: Path) -> tuple[str, Path]:
        """Download a model that somebody registered on Vertex AI; return its full name and the file."""
        module = importlib.import_module("worker.adapters.models.vertex_import")
        fetched: tuple[str, Path] = module.fetch_vertex_model(self._options(), name, directory)
        return fetched

    @cached_property
    def model_format(self) -> ModelFormat:
        """How models become bytes."""
        format_: ModelFormat = importlib.import_module("worker.adapters.models.skops_format").SkopsFormat()
        return format_

    @cached_property
    def engine(self) -> PipelineEngine:
        """Where pipelines run."""
        # The local engine keeps its journal in the ledger's database; opening the ledger brings the schema up to date.
        _ = self.ledger
        engine: PipelineEngine = self._kept(self._backend("engine", google="vertex").from_options(self._options()))
        return engine

    @cached_property
    def outcomes(self) -> Outcomes:
        """Where runs leave what they concluded."""
        outcomes: Outcomes = importlib.import_module("worker.adapters.engine.outcomes").from_options(self._options())
        return outcomes

    @cached_property
    def subscription(self) -> Subscription:
        """Where events come from."""
        module = self._backend("bus", google="pubsub")
        if self._source is not None:
            module = importlib.import_module("worker.adapters.bus.local")
        subscription: Subscription = self._kept(module.subscription_from(self._options()))
        return subscription

    @cached_property
    def topic(self) -> Topic:
        """Where events go."""
        topic: Topic = self._kept(self._backend("bus", google="pubsub").topic_from(self._options()))
        return topic

    @cached_property
    def intake_topic(self) -> Topic | None:
        """Where events for our own intake go, None where the ledger itself takes them (the local bus)."""
        found: Topic | None = self._backend("bus", google="pubsub").intake_topic_from(self._options())
        return found if found is None else self._kept(found)

    @cached_property
    def hook(self) -> Hook:
        """Where people are told. Raises Rejected unless COLONY_WEBHOOK is an http(s) URL."""
        module = importlib.import_module("worker.adapters.webhook.http")
        hook: Hook = self._kept(module.HttpHook(self.settings.webhook.get_secret_value()))
        return hook

    @cached_property
    def metrics(self) -> Metrics:
        """Where metrics go."""
        metrics: Metrics = self._kept(self._backend("metrics", google="monitoring").from_options(self._options()))
        return metrics

    def bill(self, currency: str) -> Bill | None:
        """Return the export of the billing account, in a currency; None where there is none."""
        backend = self._backend("billing", google="bigquery")
        found: Bill | None = backend.from_options(self._options(), currency)
        return found if found is None else self._kept(found)

    def google_checks(self, *, live: bool) -> Mapping[str, Check]:
        """Return what of Google's stands beside the ports, nothing without a project; `live` ones write, too."""
        if not self.settings.project:
            return {}
        backends = {
            "bus": "pubsub",
            "engine": "vertex",
            "features": "google",
            "models": "vertex",
            "metrics": "monitoring",
        }
        used = {port: self.settings.backend(port, google) for port, google in backends.items()}
        module = importlib.import_module("worker.adapters.google_checks")
        place = module.place_of(self._options(), used)
        found: Mapping[str, Check] = {**module.checks(place), **(module.live_checks(place) if live else {})}
        return found

    def compile_template(self, template: Template) -> Mapping[str, Any]:
        """Return what kfp makes of a template. Raises Rejected if kfp is not installed."""
        compiler = importlib.import_module("worker.adapters.engine.kfp_compiler")
        spec: Mapping[str, Any] = compiler.compile_template(template)
        return spec

    def init_pubsub(self) -> tuple[Sequence[str], Sequence[str]]:
        """Make topics and subscriptions; return what was done, and the commands for the rights that remain to give."""
        setup, settings = importlib.import_module("worker.adapters.bus.pubsub_setup"), self.settings
        names = setup.Names(
            intake_topic=settings.intake_topic,
            intake_subscription=settings.subscription,
            dead_letter_topic=settings.dead_letter_topic,
            dead_letter_subscription=f"{settings.dead_letter_topic}-review",
            published_topic=settings.events_topic,
        )
        done = setup.init(settings.project, names)
        return done, setup.grants(settings.project, names, settings.push_email)

    def init_features(self) -> Sequence[str]:
        """Make what the feature store stands on and return what was made. Raises Rejected, TryLater."""
        backend = self._backend("features", google="google")
        if not hasattr(backend, "init"):
            mend = "set GOOGLE_CLOUD_PROJECT or COLONY_FEATURES=google if features are to be there"
            raise Rejected("this backend of the feature store needs nothing made", field="COLONY_FEATURES", mend=mend)
        made: Sequence[str] = backend.init(self._options())
        return made

    @property
    def step_environment(self) -> Mapping[str, str]:
        """What step processes must know: where the data is, what may be read, and the user's own step types."""
        environment = {
            "COLONY_HOME": str(self.settings.home.absolute()),
            "COLONY_IMPORT_DIRS": self.settings.import_dirs,
            "COLONY_FEATURES_SYNC": self.settings.features_sync,
            "COLONY_CHAT_URL": self.settings.chat_url,
            "COLONY_CHAT_KEY": self.settings.chat_key.get_secret_value(),
            "COLONY_CHAT_KEY_SECRET": self.settings.chat_key_secret,
            **self.settings.told_to_steps,
        }
        if self.settings.config is not None:
            environment["COLONY_CONFIG"] = str(self.settings.config.absolute())
        return environment

    def close(self) -> None:
        """Close what was opened, the last first."""
        while self._closing:
            self._closing.pop()()

    @cached_property
    def _database(self) -> Any:
        return _database(self.settings.ledger_url)

    def _backend(self, port: str, *, google: str) -> Any:
        name = self.settings.backend(port, google)
        table: Mapping[str, str] = importlib.import_module(f"{adapters.__name__}.{port}").BACKENDS
        if name not in table:
            mend = f"set COLONY_{port.upper()} to one of: {', '.join(sorted(table))}"
            raise Rejected(f"there is no backend {name!r}", field=f"COLONY_{port.upper()}", mend=mend)
        return importlib.import_module(table[name])

    def _options(self) -> Options:
        return Options(
            home=self.settings.home.absolute(),
            clock=wall_clock,
            owner=self.owner,
            values=self.settings.model_dump(exclude={"ledger", "chat_key"}),
            journal=importlib.import_module("worker.adapters.ledger.journal").SqlJournal(self._database),
            source=self._source,
            environment=self.step_environment,
        )

    def _kept(self, part: Any) -> Any:
        self._closing.append(part.close)
        return part


def _database(url: str) -> Any:
    return importlib.import_module("worker.adapters.ledger.database").Database(url)


def _sql() -> Any:
    return importlib.import_module(importlib.import_module("worker.adapters.ledger").BACKENDS["sql"])
