"""What the HTTP handlers need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from handlers.commands.predict import PredictionServer
from handlers.http.access import Access
from handlers.http.push_sender import Sender
from worker.access.link import SignedLinks
from worker.access.port import Identity
from worker.bee import BeeSpec
from worker.clock import Clock
from worker.costs.prices import PriceList
from worker.decide.policy import Policy
from worker.features.port import FeatureStore
from worker.instruments import Instruments
from worker.intake.consume import Consumer
from worker.intake.port import Subscription
from worker.ledger import Ledger
from worker.loops import Loop
from worker.pipelines.template import Template
from worker.runs.estimates import Typical, no_typical
from worker.runs.follow import NewLabels


@dataclass(frozen=True)
class Services:
    """The parts, and the loops of this process if it runs any.

    Attributes:
        templates: template name → template; a faulty one raises Rejected when it is looked up.
        access: who is let in.
        ready: checks that what a bee's trainer needs is configured; raises Rejected.
        identity: verifies Google ID tokens; None accepts none.
        policy: the one in force.
        new_labels: counts how many labels of a bee became known since its last attempt.
        typical: tells what a run will cost of which nothing is known.
        prices: the price list.
        links: makes and checks signed links; None: there are none.
        intake: makes the intake of messages that are pushed; None: none are taken.
        sender: judges the tokens of push deliveries; None: a token as any other is needed.
    """

    ledger: Ledger
    features: FeatureStore
    bees: Callable[[], Mapping[str, BeeSpec]]
    predictions: PredictionServer
    clock: Clock
    instruments: Instruments
    loops: Sequence[Loop] = ()
    templates: Callable[[], Mapping[str, Template]] = dict
    access: Access = field(default_factory=Access)
    identity: Identity | None = None
    ready: Callable[[BeeSpec], None] = lambda _: None
    policy: Callable[[], Policy] = Policy
    new_labels: NewLabels = lambda _bee, _since, _until: None
    typical: Typical = no_typical
    prices: Callable[[], PriceList] = lambda: PriceList(date.min)
    links: SignedLinks | None = None
    intake: Callable[[Subscription], Consumer] | None = None
    sender: Sender | None = None
