"""The composition root: settings → App, wired by hand; `ports` alone names adapters."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from config.settings import Settings
from handlers.commands.predict import PredictionServer
from handlers.events import event_handlers
from handlers.events.context import EventContext
from worker.access.link import SignedLinks
from worker.app.checks import Checks
from worker.app.configured import Configured
from worker.app.expiry import Expiry
from worker.app.packages import check_packages
from worker.app.policy_watch import PolicyWatch
from worker.app.predictions import logging_rules
from worker.app.retention import Retention, keep_as_set
from worker.app.upkeep import Upkeep
from worker.checkup import Check
from worker.clock import Clock, wall_clock
from worker.features.maintenance import Maintained
from worker.features.port import Following
from worker.features.skew import Guard
from worker.instruments import Instruments
from worker.intake.consume import Consumer, Limits
from worker.intake.own import hand_over
from worker.intake.port import Subscription
from worker.intake.receive import EventHandler, NowFor, Received
from worker.loops import Loop
from worker.models.desired import Rules
from worker.models.project import Projector
from worker.monitor.feature_schedule import FeatureWatch
from worker.monitor.schedule import Watch
from worker.publish.accessed import Accesses
from worker.publish.notify import Notifier
from worker.publish.port import Outgoing
from worker.publish.relay import Relay
from worker.runs.ab_watch import AbWatch
from worker.runs.advance import Advancer
from worker.runs.billing import Corrections
from worker.runs.follow import Around
from worker.runs.fresh import FreshLabels
from worker.runs.launch import Launcher
from worker.runs.schedule import Scheduler
from worker.runs.settle import Settler
from worker.runs.timers import Timers
from worker.runs.verify import Verifier
from worker.runs.watch import Watcher
from worker.serving.log import PredictionLog


class App(Configured):
    """The whole system, each part built when first used; close it when done."""

    def __init__(self, settings: Settings, clock: Clock, *, source: str | None = None) -> None:
        """`source` is what a local subscription reads: a file, `-` for standard input, or None for nothing."""
        check_packages()
        super().__init__(settings, clock, source=source)
        #: lets the loop over runs of this process, if there is one, see at once what has changed.
        self.wake_runs: Callable[[], None] = lambda: None

    @cached_property
    def instruments(self) -> Instruments:
        """What is counted."""
        return Instruments(self.metrics)

    @cached_property
    def handlers(self) -> Mapping[str, EventHandler]:
        """Event type -> handler."""
        # Read now: a fault in the configuration stops the worker, it must not turn messages away.
        bees, _ = self.bees, self.policy
        context = EventContext(
            lambda: bees,
            lambda: self.policy,
            self.ledger.installation,
            self.new_labels,
            self._bee_of_run,
            self.pricing.typical,
        )
        return event_handlers(context)

    def _bee_of_run(self, run_id: str) -> str | None:
        with self.ledger.begin(write=False) as transaction:
            run = transaction.runs.get(run_id)
        return run.bee if run else None

    def consumer(
        self,
        tell: Callable[[Received], None] = lambda _: None,
        now_for: NowFor | None = None,
        subscription: Subscription | None = None,
    ) -> Consumer:
        """Return the intake, from the bus unless told otherwise; without `now_for` it is the clock's time."""
        limits = Limits(attempts=self.settings.attempts, outbox=self.settings.max_outbox)

        def told(item: Received) -> None:
            self.instruments.received(item)
            if (item.result or {}).get("runId"):
                self.wake_runs()
            tell(item)

        now_for = now_for or (lambda _: self.clock())
        return Consumer(subscription or self.subscription, self.ledger, self.handlers, now_for, told, limits=limits)

    @cached_property
    def advancer(self) -> Advancer:
        """The loop over runs."""
        settings, remote = self.settings, not self.engine.local
        stall = timedelta(hours=settings.stalled_hours) if settings.stalled_hours else None
        return Advancer(
            ledger=self.ledger,
            launcher=Launcher(self.ledger, self.engine, self.frozen, self.pricing.typical),
            watcher=Watcher(self.ledger, self.engine, stall),
            settler=Settler(
                self.ledger,
                self.outcomes,
                lambda: self.bees,
                lambda: self.policy,
                self.pricing.prices,
            ),
            clock=self.clock,
            owner=self.owner,
            # Here every moment counts; elsewhere a message tells of each end, and looking is the net below that.
            poll_s=settings.reconcile_seconds if remote else settings.poll_seconds,
            together=remote,
            told=self.instruments.settled,
            lease_s=self.settings.lease_seconds,
        )

    @cached_property
    def scheduler(self) -> Scheduler:
        """The loop over schedules."""
        # Read now: a fault in the configuration is told at the start, by whoever starts the loops.
        scheduled = self.configuration.scheduled
        return Scheduler(self.ledger, lambda: scheduled, lambda: self.bees, self.clock)

    @cached_property
    def timers(self) -> Timers:
        """The loop over what waits for time."""
        typical = self.pricing.typical
        return Timers(self.ledger, lambda: self.bees, lambda: self.policy, self.clock, self.new_labels, typical)

    @cached_property
    def verifier(self) -> Verifier:
        """The loop over rollouts under way."""
        around = partial(Around, self.bees, self.new_labels, self.pricing.typical)
        return Verifier(
            self.ledger, lambda: self.bees, lambda: self.policy, lambda: self.rollout_outcomes, self.clock, around
        )

    @cached_property
    def rollout_outcomes(self) -> Any:
        """What rollouts go by where labels come in (`worker.rollout.outcomes.Outcomes`; it loads much)."""
        from worker.rollout.outcomes import Outcomes
        from worker.rollout.scoring import Scorers

        return Outcomes(Scorers(lambda: self.features, self.artifacts, self.model_format))

    @cached_property
    def new_labels(self) -> FreshLabels:
        """Counts what the last attempt has not seen."""
        return FreshLabels(lambda: self.features)

    @cached_property
    def relay(self) -> Relay:
        """The loop over the outbox."""
        told, lease_s = self.instruments.published, self.settings.lease_seconds
        return Relay(self.ledger, self.topic, self.clock, self.owner, told, lease_s)

    @cached_property
    def signed_links(self) -> SignedLinks:
        """Links under which people answer questions."""
        settings = self.settings
        return SignedLinks(settings.link_secret.get_secret_value(), settings.reached_at, self.ledger.installation)

    @cached_property
    def notifier(self) -> Notifier:
        """The loop that tells people."""
        links = self.signed_links
        link = links.url if links.possible else lambda _id, _expires: None
        return Notifier(self.ledger, self.hook, self.clock, self.owner, link)

    @cached_property
    def accesses(self) -> Accesses:
        """The loop that announces how often features are read."""
        told, share = self.instruments.published, self.settings.features_accessed
        return Accesses(self.features, self.topic, self.clock, share, told)

    @cached_property
    def predictions(self) -> PredictionServer:
        """Predictions from what is live."""
        guard = Guard(self.settings.skew)
        return PredictionServer(
            self.ledger, self.features, self.artifacts, self.model_format, skew=guard, predictions=self.prediction_log
        )

    @cached_property
    def prediction_log(self) -> PredictionLog:
        """Where predictions are logged: the feature store."""
        # Opened first, to be closed last: what waits is stored when the log is closed.
        features, rules = self.features, logging_rules(self.settings, remote=isinstance(self.features, Following))
        log: PredictionLog = self._kept(PredictionLog(features, rules, self.instruments))
        return log

    @cached_property
    def monitor(self) -> Any:
        """What judges models in production (`worker.monitor.judge.Monitor`; it loads much)."""
        from worker.monitor.judge import Monitor

        return Monitor(lambda: self.features, self.artifacts, self.model_format)

    @cached_property
    def watch(self) -> Watch:
        """The loop over bees that are watched by themselves."""
        claim = self.ledger_care.claim
        return Watch(
            self.ledger, lambda: self.bees, lambda: self.monitor, self.tell_intake, self.clock, claim, self.owner
        )

    @cached_property
    def feature_watch(self) -> FeatureWatch:
        """The loop over features that are watched by themselves."""
        return FeatureWatch(
            ledger=self.ledger,
            groups=lambda: self.configuration.feature_groups,
            bees=lambda: self.bees,
            policy=lambda: self.policy,
            store=lambda: self.features,
            publish=self.tell_intake,
            clock=self.clock,
            claim=self.ledger_care.claim,
            owner=self.owner,
        )

    @cached_property
    def ab_judge(self) -> Any:
        """What reads and analyses A/B tests (`worker.abtest.judge.Judge`; it loads much)."""
        from worker.abtest.judge import Judge

        return Judge(lambda: self.features, self.artifacts, self.model_format)

    @cached_property
    def ab_watch(self) -> AbWatch:
        """The loop over A/B tests."""
        return AbWatch(self.ledger, lambda: self.bees, lambda: self.ab_judge, self.clock)

    def tell_intake(self, event: Outgoing) -> Mapping[str, Any] | None:
        """Put an event on the intake bus; the local one handles it at once and returns what was concluded.

        Raises:
            TryLater: it could not be put there.
        """
        return hand_over(event, self.intake_topic, self.consumer)

    @cached_property
    def projector(self) -> Projector | None:
        """The loop that shows models in a registry elsewhere, None where there is none."""
        if self.registry is None:
            return None
        # A container that acts as nobody in particular may not read what it is told.
        told = bool(self.settings.serving_service_account)
        rules = Rules(self.settings.serving, told, timedelta(hours=self.settings.serving_hold_hours))
        return Projector(self.ledger, self.registry, self.clock, self.owner, rules)

    @cached_property
    def corrections(self) -> Corrections | None:
        """The loop that corrects costs by the bill, None where there is no bill."""
        if not self.settings.billing_table:
            return None
        bill = self.bill(self.configuration.prices.currency)
        if bill is None:
            return None
        care, days = self.ledger_care, timedelta(days=self.settings.billing_days)
        return Corrections(
            ledger=self.ledger,
            bill=bill,
            clock=self.clock,
            owner=self.owner,
            days=days,
            claim=care.claim,
            postpone=care.postpone,
            told=self.instruments.corrected,
        )

    @cached_property
    def upkeep(self) -> Upkeep:
        """The loop that measures and tidies."""
        keep = timedelta(days=self.settings.request_key_days)
        return Upkeep(self.ledger, self.instruments, self.clock, keep)

    @cached_property
    def retention(self) -> Retention:
        """The loop that forgets what is old."""
        keep = keep_as_set(self.ledger_care, self.settings)
        return Retention(self.ledger_care, keep, Path(self.settings.runs_root), self.clock, self.owner)

    def lasting_loops(self) -> list[Loop]:
        """Return the loops of a worker that stays: what `loops` gives, and the one that forgets what is old."""
        forget = self.loop("retention", self.retention.turn, idle_s=15.0)
        # A worker that cannot forget still does its work.
        forget.vital = False
        care = getattr(self.features, "care", None)
        if not isinstance(care, Maintained):
            return [*self.loops(), forget]
        expiry = Expiry(care, self.ledger_care.claim, self.clock, self.owner)
        return [*self.loops(), forget, self.loop("expiry", expiry.turn, idle_s=60.0, vital=False)]

    def loops(self) -> list[Loop]:
        """Return the loops that drive everything after intake, not started."""
        idle_s = min(self.settings.poll_seconds, 1.0)
        runs = self.loop("runs", self.advancer.turn, idle_s=idle_s)
        self.wake_runs = runs.wake
        loops = [
            runs,
            self.loop("outbox", self.relay.turn, idle_s=idle_s),
            self.loop("upkeep", self.upkeep.turn, idle_s=15.0),
        ]
        if self.clock is wall_clock:
            # A replay's clock jumps over weeks: what a schedule would have done then is none of its business.
            loops.append(PolicyWatch(self.configuration, self.instruments.failed))
            loops.append(self.loop("timers", self.timers.turn, idle_s=max(idle_s, 1.0)))
            loops.append(self.loop("rollouts", self.verifier.turn, idle_s=max(idle_s, 5.0), vital=False))
            if self.settings.webhook.get_secret_value():
                loops.append(self.loop("webhook", self.notifier.turn, idle_s=max(idle_s, 1.0)))
            loops.append(self.loop("schedule", self.scheduler.turn, idle_s=max(idle_s, 5.0)))
            if self.projector:
                loops.append(self.loop("project", self.projector.turn, idle_s=max(idle_s, 2.0), vital=False))
            if isinstance(self.features, Following):
                loops.append(self.loop("freshness", self.measure_features, idle_s=60.0, vital=False))
            if any(bee.monitor.every for bee in self.bees.values()):
                loops.append(self.loop("monitor", self.watch.turn, idle_s=max(idle_s, 5.0), vital=False))
            if any(group.spec.every for group in self.configuration.feature_groups):
                loops.append(self.loop("features", self.feature_watch.turn, idle_s=max(idle_s, 5.0), vital=False))
            if self.corrections:
                loops.append(self.loop("billing", self.corrections.turn, idle_s=60.0, vital=False))
            loops.append(self.loop("ab tests", self.ab_watch.turn, idle_s=max(idle_s, 5.0), vital=False))
            if self.settings.features_accessed:
                loops.append(self.loop("accesses", self.accesses.turn, idle_s=15.0))
        return loops

    def measure_features(self) -> int:
        """Measure how far online features are behind the stored ones; return 0, for nothing was waiting."""
        if isinstance(self.features, Following):
            self.instruments.followed(self.features.freshness(self.clock()))
        return 0

    def loop(self, name: str, turn: Callable[[], int], *, idle_s: float, vital: bool = True) -> Loop:
        """Return a loop whose faults are counted, not started; one that is not vital leaves the process ready."""
        loop = Loop(name, turn, idle_s=idle_s, failed=self.instruments.failed)
        loop.vital = vital
        return loop

    def http(self, loops: Sequence[Loop], host: str | None = None) -> Any:
        """Return the HTTP API as an ASGI application, for listening on `host` (default: the setting).

        Raises:
            Rejected: others can reach the host, and there is neither a token nor an audience to let anyone in.
        """
        from handlers.http import build
        from handlers.http.access import access_for
        from handlers.http.google_identity import GoogleIdentity
        from handlers.http.push_sender import PushSender
        from handlers.http.services import Services

        access = access_for(host or self.settings.host, self.settings)
        services = Services(
            ledger=self.ledger,
            features=self.features,
            bees=lambda: self.bees,
            predictions=self.predictions,
            clock=self.clock,
            instruments=self.instruments,
            loops=loops,
            templates=lambda: self.templates,
            access=access,
            ready=self.configuration.check_reachable,
            identity=GoogleIdentity(access.audience) if access.audience else None,
            policy=lambda: self.policy,
            new_labels=self.new_labels,
            typical=self.pricing.typical,
            prices=lambda: self.configuration.prices,
            links=self.signed_links,
            intake=lambda subscription: self.consumer(subscription=subscription),
            sender=PushSender(self.settings.push_audience, self.settings.push_email)
            if self.settings.push_audience
            else None,
        )
        return build(services)

    def checks(self, *, webhook: bool = False, live: bool = False) -> Mapping[str, Check]:
        """Return what `doctor` asks: each part's real call; with `webhook` people get a test message."""
        told = bool(self.settings.webhook.get_secret_value())
        checks = Checks(self.configuration, self.frozen, partial(getattr, self), self.step_environment, told)
        asked: dict[str, Check] = {"webhook": checks.by_message()} if webhook else {}
        if self.settings.billing_table:
            asked["bill"] = self._bill_verified
        return {**checks.all(), **asked, **self.google_checks(live=live)}

    def _bill_verified(self) -> str:
        bill = self.corrections.bill if self.corrections else None
        return bill.verify() if bill else "no bill is read: COLONY_BILLING says so"

    def verify(self) -> None:
        """Check ledger, configuration and bus before work begins. Raises Rejected or TryLater."""
        for name in ("configuration", "ledger", "events in", "events out"):
            self.checks()[name]()
