"""The composition root: settings → App. The only module that names adapters; each part is built when first used."""

import importlib
import os
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

import structlog

from config import schema
from config.settings import Settings
from handlers.commands.predict import PredictionServer
from handlers.events import event_handlers
from handlers.events.context import EventContext
from worker import adapters
from worker.adapters.options import Options
from worker.bee import BeeSpec
from worker.clock import Clock, wall_clock
from worker.decide.policy import Policy
from worker.errors import Rejected
from worker.features.port import Definition, FeatureStore
from worker.instruments import Instruments
from worker.intake.consume import Consumer
from worker.intake.port import Subscription
from worker.intake.receive import EventHandler, NowFor, Received
from worker.ledger import Ledger
from worker.loops import Loop
from worker.models.port import ArtifactStore, Deployment, ModelFormat, ModelVersion
from worker.pipelines.cache import load_compiled, write_compiled
from worker.pipelines.load import Templates
from worker.pipelines.template import Template
from worker.pipelines.types import StepTypes
from worker.publish.port import Topic
from worker.publish.relay import Relay
from worker.runs.advance import Advancer
from worker.runs.launch import Launcher
from worker.runs.port import PipelineEngine
from worker.runs.schedule import Scheduler
from worker.runs.settle import Outcomes, Settler
from worker.runs.watch import Watcher
from worker.telemetry import Metrics

log = structlog.get_logger()


class App:
    """The whole system, wired by hand; close it when done."""

    def __init__(self, settings: Settings, clock: Clock, *, source: str | None = None) -> None:
        """`source` is what a local subscription reads: a file, `-` for standard input, or None for nothing."""
        check_packages()
        self.settings = settings
        self.clock = clock
        self.owner = f"{socket.gethostname()[:40]}-{os.getpid()}-{secrets.token_hex(3)}"
        self._source = source
        self._closing: list[Callable[[], None]] = []

    # configuration

    @cached_property
    def directories(self) -> list[Path]:
        """The configuration's layers, the shipped one first."""
        return schema.layers(self.settings.config)

    @cached_property
    def bees(self) -> Mapping[str, BeeSpec]:
        """Every bee's spec."""
        return schema.load_bees(self.directories)

    @cached_property
    def policy(self) -> Policy:
        """The policy in force."""
        return schema.load_policy(self.directories)

    @cached_property
    def templates(self) -> Templates:
        """Template name -> template; a faulty one says so when it is looked up."""
        return Templates(schema.load_templates(self.directories), self.step_types)

    @cached_property
    def step_types(self) -> StepTypes:
        """The step types: ours, those of `steps/` in the configuration's layers, and of installed packages."""
        return StepTypes(self.directories)

    def template(self, name: str) -> Template:
        """Return a validated template. Raises Rejected."""
        return self.templates.get_known(name)

    def templates_with(self, path: Path) -> Templates:
        """Return the templates, and with them that of a file which need not be a part of the configuration."""
        return Templates(schema.load_templates(self.directories, path), self.step_types)

    # ports

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, its schema brought up to date."""
        ledger: Ledger = self._kept(self._sql().SqlLedger(self._database))
        return ledger

    @cached_property
    def features(self) -> FeatureStore:
        """The feature store."""
        store: FeatureStore = self._kept(self._backend("features", google="local").from_options(self._options()))
        return store

    @cached_property
    def artifacts(self) -> ArtifactStore:
        """Where model files are."""
        store: ArtifactStore = self._backend("models", google="local").from_options(self._options())
        return store

    @cached_property
    def model_format(self) -> ModelFormat:
        """How models become bytes."""
        module = importlib.import_module("worker.adapters.models.skops_format")
        format_: ModelFormat = module.SkopsFormat()
        return format_

    @cached_property
    def engine(self) -> PipelineEngine:
        """Where pipelines run."""
        # The local engine keeps its journal in the ledger's database; opening the ledger brings the schema up to date.
        _ = self.ledger
        engine: PipelineEngine = self._kept(self._backend("engine", google="vertex").from_options(self._options()))
        return engine

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
    def metrics(self) -> Metrics:
        """Where metrics go."""
        metrics: Metrics = self._kept(self._backend("metrics", google="monitoring").from_options(self._options()))
        return metrics

    @cached_property
    def instruments(self) -> Instruments:
        """What is counted."""
        return Instruments(self.metrics)

    @cached_property
    def outcomes(self) -> Outcomes:
        """Where runs leave what they concluded."""
        outcomes: Outcomes = importlib.import_module("worker.adapters.engine.outcomes").OutcomeFiles()
        return outcomes

    # parts

    @cached_property
    def handlers(self) -> Mapping[str, EventHandler]:
        """Event type -> handler."""
        # Read now: a fault in the configuration stops the worker, it must not turn messages away.
        bees, policy = self.bees, self.policy
        return event_handlers(EventContext(lambda: bees, lambda: policy, self.ledger.installation))

    def consumer(self, tell: Callable[[Received], None] = lambda _: None, now_for: NowFor | None = None) -> Consumer:
        """Return the intake; without `now_for` every event is handled at the clock's time."""

        def told(item: Received) -> None:
            self.instruments.received(item)
            tell(item)

        return Consumer(self.subscription, self.ledger, self.handlers, now_for or (lambda _: self.clock()), told)

    @cached_property
    def advancer(self) -> Advancer:
        """The loop over runs."""
        poll_s = self.settings.poll_seconds if self.engine.local else max(self.settings.poll_seconds, 10.0)
        return Advancer(
            ledger=self.ledger,
            launcher=Launcher(self.ledger, self.engine, self.frozen),
            watcher=Watcher(self.ledger, self.engine),
            settler=Settler(self.ledger, self.outcomes),
            clock=self.clock,
            owner=self.owner,
            poll_s=poll_s,
            told=self.instruments.settled,
            lease_s=self.settings.lease_seconds,
        )

    @cached_property
    def scheduler(self) -> Scheduler:
        """The loop over schedules."""
        # Read now: a fault in the configuration is told at the start, by whoever starts the loops.
        scheduled = self._scheduled
        return Scheduler(self.ledger, lambda: scheduled, lambda: self.bees, self.clock)

    @cached_property
    def _scheduled(self) -> Sequence[Template]:
        # A faulty template stops only itself; `doctor` and its runs say why.
        found = []
        for name in self.templates:
            try:
                found.append(self.templates[name])
            except Rejected as error:
                log.warning("template is faulty", template=name, reason=str(error))
        return [template for template in found if template.trigger == "schedule"]

    @cached_property
    def frozen(self) -> "Frozen":
        """The configuration as launch reads it."""
        return Frozen(self)

    def compiled(self, template: Template) -> Mapping[str, Any]:
        """Return a template's compiled spec. Raises Rejected if it is stale or missing."""
        return load_compiled(template, self.directories, image=self.settings.image)

    def compile(self, name: str, into: Path | None) -> Path:
        """Compile a template with kfp into a configuration layer and return the file."""
        compiler = importlib.import_module("worker.adapters.engine.kfp_compiler")
        template = self.template(name)
        return write_compiled(template, compiler.compile_template(template), into or self.directories[-1])

    @cached_property
    def relay(self) -> Relay:
        """The loop over the outbox."""
        told, lease_s = self.instruments.published, self.settings.lease_seconds
        return Relay(self.ledger, self.topic, self.clock, self.owner, told, lease_s)

    @cached_property
    def predictions(self) -> PredictionServer:
        """Predictions from the champions."""
        return PredictionServer(self.ledger, self.features, self.artifacts, self.model_format)

    def loops(self) -> list[Loop]:
        """Return the loops that drive everything after intake, not started."""
        idle_s = min(self.settings.poll_seconds, 1.0)
        loops = [
            self.loop("runs", self.advancer.turn, idle_s=idle_s),
            self.loop("outbox", self.relay.turn, idle_s=idle_s),
            self.loop("metrics", self._measure, idle_s=15.0),
        ]
        if self.clock is wall_clock:
            # A replay's clock jumps over weeks: what a schedule would have done then is none of its business.
            loops.append(self.loop("schedule", self.scheduler.turn, idle_s=max(idle_s, 5.0)))
        return loops

    def loop(self, name: str, turn: Callable[[], int], *, idle_s: float) -> Loop:
        """Return a loop whose faults are counted, not started."""
        return Loop(name, turn, idle_s=idle_s, failed=self.instruments.failed)

    def _measure(self) -> int:
        self.instruments.look(self.ledger)
        self.metrics.flush()
        return 0

    def memory_ledger(self) -> Ledger:
        """Return a new ledger in memory, for what-if."""
        database = importlib.import_module("worker.adapters.ledger.database").Database("sqlite://")
        ledger: Ledger = self._kept(self._sql().SqlLedger(database))
        return ledger

    def version_history(self) -> tuple[list[ModelVersion], list[Deployment]]:
        """Return versions and deployments of the real ledger, empty where there is none yet."""
        if self._database.sqlite and not Path(self._database.url.database).exists():
            return [], []
        with self.ledger.begin(write=False) as transaction:
            return list(transaction.models.versions()), list(transaction.models.deployments())

    def check_reachable(self, bee: BeeSpec) -> None:
        """Check that what the bee's trainer asks is configured. Raises Rejected."""
        if bee.task == "generation" and not self.settings.chat_url:
            mend = "set it to the base URL of an OpenAI-compatible server, for example http://localhost:8000/v1"
            reason = f"{bee.bee} generates text, but no chat endpoint is configured"
            raise Rejected(reason, field="COLONY_CHAT_URL", mend=mend)

    def define_features(self) -> list[Definition]:
        """Bring the store's definitions in line with `config/features`; unchanged ones are left alone."""
        return [self.features.define(definition) for definition in schema.load_features(self.directories).values()]

    def http(self, loops: Sequence[Loop], host: str | None = None) -> Any:
        """Return the HTTP API as an ASGI application, for listening on `host` (default: the setting).

        Raises:
            Rejected: others can reach the host, and there is neither a token nor an audience to let anyone in.
        """
        from handlers.http import build
        from handlers.http.access import access_for
        from handlers.http.google_identity import GoogleIdentity
        from handlers.http.services import Services

        access = access_for(host or self.settings.host, self.settings)
        services = Services(
            ledger=self.ledger,
            bees=lambda: self.bees,
            predictions=self.predictions,
            clock=self.clock,
            instruments=self.instruments,
            loops=loops,
            templates=lambda: self.templates,
            access=access,
            ready=self.check_reachable,
            identity=GoogleIdentity(access.audience) if access.audience else None,
        )
        return build(services)

    def init_pubsub(self) -> Sequence[str]:
        """Make topics and subscriptions and return what was made."""
        setup = importlib.import_module("worker.adapters.bus.pubsub_setup")
        names = setup.Names(
            intake_topic=self.settings.intake_topic,
            intake_subscription=self.settings.subscription,
            dead_letter_topic=self.settings.dead_letter_topic,
            dead_letter_subscription=f"{self.settings.dead_letter_topic}-review",
            published_topic=self.settings.events_topic,
        )
        made: Sequence[str] = setup.init(self.settings.project, names)
        return made

    def checks(self) -> Mapping[str, Callable[[], Any]]:
        """Return what `doctor` asks: each part's real call."""
        ports = {
            "ledger": "ledger",
            "features": "features",
            "models": "artifacts",
            "engine": "engine",
            "events in": "subscription",
            "events out": "topic",
        }
        return {
            "configuration": self._configured,
            # Each part is built inside its check, so that one which cannot be built does not hide the others.
            **{name: partial(self._verified, part) for name, part in ports.items()},
            **{f"template {name}": partial(self._spec_state, name) for name in self.templates},
            **{f"bee {name}": partial(self._bee_state, bee) for name, bee in self.bees.items()},
        }

    def _verified(self, part: str) -> None:
        getattr(self, part).verify()

    def _configured(self) -> str:
        return f"{len(self.bees)} bees, {len(self.templates)} templates, policy {self.policy.version}"

    def _spec_state(self, name: str) -> str:
        self.frozen.spec(name)
        return "compiled spec is fresh"

    def _bee_state(self, bee: BeeSpec) -> str:
        self.template(bee.pipeline)
        self.frozen.definitions(bee)
        return f"{bee.mode}s by {bee.pipeline}, its features are defined"

    def verify(self) -> None:
        """Check ledger, configuration and bus before work begins. Raises Rejected or TryLater."""
        for name in ("configuration", "ledger", "events in", "events out"):
            self.checks()[name]()

    def close(self) -> None:
        """Close what was opened, the last first."""
        while self._closing:
            self._closing.pop()()

    # wiring

    @cached_property
    def _database(self) -> Any:
        return importlib.import_module("worker.adapters.ledger.database").Database(self.settings.ledger_url)

    def _sql(self) -> Any:
        return importlib.import_module(importlib.import_module("worker.adapters.ledger").BACKENDS["sql"])

    def _backend(self, port: str, *, google: str) -> Any:
        name = self.settings.backend(port, google)
        table: Mapping[str, str] = importlib.import_module(f"{adapters.__name__}.{port}").BACKENDS
        if name not in table:
            mend = f"set COLONY_{port.upper()} to one of: {', '.join(sorted(table))}"
            raise Rejected(f"there is no backend {name!r}", field=f"COLONY_{port.upper()}", mend=mend)
        return importlib.import_module(table[name])

    def _options(self) -> Options:
        journal = importlib.import_module("worker.adapters.ledger.journal").SqlJournal(self._database)
        return Options(
            home=self.settings.home.absolute(),
            clock=wall_clock,
            owner=self.owner,
            values=self.settings.model_dump(exclude={"ledger", "chat_key"}),
            journal=journal,
            source=self._source,
            environment=self._step_environment(),
        )

    def _step_environment(self) -> Mapping[str, str]:
        """Return what step processes must know: where the data is, and where the user's own step types are."""
        environment = {
            "COLONY_HOME": str(self.settings.home.absolute()),
            "COLONY_CHAT_URL": self.settings.chat_url,
            "COLONY_CHAT_KEY": self.settings.chat_key.get_secret_value(),
        }
        if self.settings.config is not None:
            environment["COLONY_CONFIG"] = str(self.settings.config.absolute())
        return environment

    def _kept(self, part: Any) -> Any:
        self._closing.append(part.close)
        return part


class Frozen:
    """The configuration as *launch* reads it (its port is `worker.runs.launch.Freezer`)."""

    def __init__(self, app: App) -> None:
        """Read from the app's configuration."""
        self._app = app

    def bee(self, name: str) -> BeeSpec:
        """Return the bee's spec. Raises Rejected if it is gone."""
        if name not in self._app.bees:
            raise Rejected(f"there is no bee {name!r} any more", field="bee", mend=f"add config/bees/{name}.yaml")
        return self._app.bees[name]

    def spec(self, template: str) -> Mapping[str, Any]:
        """Return the compiled spec. Raises Rejected if the template is unknown or its spec is stale."""
        return self._app.compiled(self._app.template(template))

    def template_parameters(self, template: str) -> Mapping[str, Any]:
        """Return the template's parameters with their defaults."""
        return self._app.template(template).parameters

    def definitions(self, bee: BeeSpec) -> Mapping[str, int]:
        """Return feature -> version for all that the bee reads. Raises Rejected if one is not defined."""
        defined = {item.name: item.version for item in self._app.features.definitions()}
        self._app.check_reachable(bee)
        wanted = list(bee.reads)
        missing = [name for name in wanted if name not in defined]
        if missing:
            raise Rejected(
                f"{bee.bee} reads {', '.join(missing)}, which the feature store does not know",
                field="features",
                mend="define them: `colony features define`, or a file in config/features",
            )
        return {name: defined[name] for name in wanted}

    def output_dir(self, run_id: str) -> str:
        """Return where the run's artifacts go."""
        return f"{self._app.settings.runs_root}/{run_id}"

    @property
    def policy_version(self) -> str:
        """The hash of the policy in force."""
        return self._app.policy.version

    @property
    def code_version(self) -> str:
        """The version of this program."""
        return version("colony-mlops")


def check_packages() -> None:
    """Check that `worker`, `handlers` and `config` are ours alone: such common names may be another package's, too.

    Raises:
        Rejected: another distribution installs one of the names here.
    """
    owners = packages_distributions()
    for name in ("worker", "handlers", "config"):
        others = sorted(set(owners.get(name, ())) - {"colony-mlops"})
        if others:
            mend = "install colony-mlops into a virtual environment of its own"
            raise Rejected(
                f"the package {name!r} is also installed by {', '.join(others)}", field="environment", mend=mend
            )
    try:
        version("colony-mlops")
    except PackageNotFoundError as error:
        raise Rejected("colony-mlops is not installed", field="environment", mend="run `pip install -e .`") from error
