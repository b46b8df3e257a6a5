"""Who acts, on what: everything that an operator's commands need."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from worker.bee import BeeSpec
from worker.decide.policy import Policy
from worker.errors import NotFound, Rejected
from worker.ledger import Ledger
from worker.runs.estimates import Typical, no_typical
from worker.runs.follow import Around, NewLabels

MAX_REASON = 2000


@dataclass(frozen=True)
class Operator:
    """A person, or a program that acts for one, at a time.

    Attributes:
        name: recorded with everything that is done.
    """

    name: str
    ledger: Ledger
    bees: Mapping[str, BeeSpec]
    policy: Policy
    now: datetime
    new_labels: NewLabels = lambda _bee, _since, _until: None
    typical: Typical = no_typical

    @property
    def around(self) -> Around:
        """What judging a bee asks beside the ledger."""
        return Around(self.bees, self.new_labels, self.typical)

    def bee(self, name: str) -> BeeSpec:
        """Return a bee's spec. Raises NotFound."""
        if name not in self.bees:
            known = ", ".join(sorted(self.bees)) or "none"
            raise NotFound(f"there is no bee {name!r}; there are: {known}", field="beeId")
        return self.bees[name]


def checked_reason(reason: str) -> str:
    """Return a reason without the space around it. Raises Rejected if nothing is left, or it is too long."""
    said = reason.strip()
    if not said:
        raise Rejected("is empty", field="reason", mend="say why, for whoever is on call next")
    if len(said) > MAX_REASON:
        raise Rejected(f"is longer than {MAX_REASON:,} characters", field="reason", mend="say it shorter")
    return said
