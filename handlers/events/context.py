"""What event handlers need beside the transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from worker.bee import BeeSpec
from worker.decide.policy import Policy
from worker.runs.estimates import Typical, no_typical
from worker.runs.follow import NewLabels


@dataclass(frozen=True)
class EventContext:
    """The configuration as it is now (asked anew for each event) and the installation's name.

    Attributes:
        new_labels: counts how many labels of a bee became known since its last attempt.
        typical: tells what a run will cost of which nothing is known.
        bee_of: names the bee of a run by the run's id, None where there is no such run. Raises TryLater.
    """

    bees: Callable[[], Mapping[str, BeeSpec]]
    policy: Callable[[], Policy]
    installation: str
    new_labels: NewLabels = lambda _bee, _since, _until: None
    bee_of: Callable[[str], str | None] = lambda _run_id: None
    typical: Typical = no_typical
