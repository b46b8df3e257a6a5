"""What the HTTP handlers need."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from handlers.commands.predict import PredictionServer
from worker.bee import BeeSpec
from worker.clock import Clock
from worker.instruments import Instruments
from worker.ledger import Ledger
from worker.loops import Loop


@dataclass(frozen=True)
class Services:
    """The parts, and the loops of this process if it runs any."""

    ledger: Ledger
    bees: Callable[[], Mapping[str, BeeSpec]]
    predictions: PredictionServer
    clock: Clock
    instruments: Instruments
    loops: Sequence[Loop] = ()
