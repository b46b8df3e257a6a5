"""What is being tried on a bee's live traffic, a rollout or an A/B test; one of them per bee at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class TrialKind(StrEnum):
    """What it is."""

    ROLLOUT = "rollout"
    AB_TEST = "ab_test"


@dataclass(frozen=True)
class Trial:
    """A trial as it is stored; what `detail` (JSON values) means is the business of its kind.

    Attributes:
        state: in its kind's words, up to 16 characters.
        active: it has a say in the bee's traffic; no second one may begin.
    """

    id: str
    bee: str
    kind: TrialKind
    state: str
    active: bool
    started_at: datetime
    changed_at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


class TrialLedger(Protocol):
    """The ledger's record of trials, inside one transaction; whoever changes one holds the bee's lock."""

    def get(self, trial_id: str) -> Trial | None:
        """Return one."""
        ...

    def active(self, bee: str) -> Trial | None:
        """Return the one that is under way for a bee."""
        ...

    def list(
        self, bee: str | None = None, kind: TrialKind | None = None, *, active: bool | None = None
    ) -> Sequence[Trial]:
        """Return trials, oldest first."""
        ...

    def save(self, trial: Trial) -> None:
        """Store a new one, or what became of it. Raises Conflict if another is active for the bee."""
        ...
