"""What event handlers need beside the transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.bee import BeeSpec
from worker.decide.policy import Policy


@dataclass(frozen=True)
class EventContext:
    """The configuration as it is now (asked anew for each event) and the installation's name."""

    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    installation: str
