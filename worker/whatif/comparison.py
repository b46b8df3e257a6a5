"""Two policies over one recording: which evaluations they decide differently."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from worker.clock import to_text
from worker.decide.decision import Action
from worker.whatif.simulation import Judged
from worker.whatif.stream import Item

#: So many differences are kept one by one; all of them are counted.
MAX_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One evaluation that two policies decide differently; `place` is its message's in the recording."""

    place: int
    bee: str
    version: str
    at: str
    event_id: str
    source: str
    action: Action
    reason: str
    was: Action
    was_reason: str

    def as_json(self) -> Mapping[str, Any]:
        """Return it as JSON values."""
        return {
            "eventId": self.event_id,
            "source": self.source,
            "beeId": self.bee,
            "modelVersion": self.version,
            "evaluatedAt": self.at,
            "action": self.action.value,
            "reason": self.reason,
            "against": {"action": self.was.value, "reason": self.was_reason},
        }


@dataclass(slots=True)
class Differences:
    """What is decided differently, counted by (against, new), and the first of them one by one."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    kept: list[Difference] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Return how many evaluations are decided differently."""
        return sum(self.counts.values())

    def compare(self, item: Item, new: Judged, old: Judged, place: int) -> None:
        """Take one evaluation under both policies; a difference is another action, not another sentence."""
        evaluation = item.evaluation
        if evaluation is None or new.decision.action is old.decision.action:
            return
        self.counts[old.decision.action.value, new.decision.action.value] += 1
        if len(self.kept) < MAX_KEPT:
            at = to_text(evaluation.evaluated_at)
            one, two = new.decision, old.decision
            found = (place, evaluation.bee, evaluation.version, at, item.event_id, item.source)
            self.kept.append(Difference(*found, one.action, one.reason, two.action, two.reason))
