"""What the HTTP handlers need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from handlers.commands.predict import PredictionServer
from handlers.http.access import Access
from worker.access.port import Identity
from worker.bee import BeeSpec
from worker.clock import Clock
from worker.features.port import FeatureStore
from worker.instruments import Instruments
from worker.ledger import Ledger
from worker.loops import Loop
from worker.pipelines.template import Template


@dataclass(frozen=True)
class Services:
    """The parts, and the loops of this process if it runs any.

    Attributes:
        templates: template name → template; a faulty one raises Rejected when it is looked up.
        access: who is let in.
        ready: checks that what a bee's trainer needs is configured; raises Rejected.
        identity: verifies Google ID tokens; None accepts none.
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
