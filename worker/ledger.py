"""The ledger as its users see it: one transaction with a part for each stage; the parts' ports belong to the stages."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from worker.access.port import TokenLedger
from worker.decide.port import DecisionLedger, MemoryLedger
from worker.incidents.port import ApprovalLedger, IncidentLedger
from worker.intake.port import Inbox
from worker.models.port import ModelLedger
from worker.models.projection import ProjectionLedger
from worker.models.trials import TrialLedger
from worker.monitor.port import FeatureLedger
from worker.publish.notice import NoticeLedger
from worker.publish.port import Outbox
from worker.runs.port import RequestKeys, RunLedger, ScheduleLedger


class Transaction(Protocol):
    """All that one transaction can read and change; it commits when its context ends well."""

    #: names this installation, as `Ledger.installation`.
    installation: str
    inbox: Inbox
    decisions: DecisionLedger
    memories: MemoryLedger
    incidents: IncidentLedger
    approvals: ApprovalLedger
    runs: RunLedger
    models: ModelLedger
    trials: TrialLedger
    features: FeatureLedger
    projections: ProjectionLedger
    outbox: Outbox
    notices: NoticeLedger
    request_keys: RequestKeys
    schedules: ScheduleLedger
    tokens: TokenLedger

    def lock(self, bees: Sequence[str]) -> None:
        """Take the bees' locks, in the order of their names, until the transaction ends."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """Isolate what follows: an error inside undoes only that, and is raised on."""
        ...


class NotInBatch(Exception):
    """What was asked for cannot be done inside a batch; nothing of the event has been written."""


class Batch(Transaction, Protocol):
    """A transaction for many events: it has read what deciding about them needs, and writes at its end."""

    def directly(self) -> AbstractContextManager[Transaction]:
        """Give an ordinary transaction inside this one for an event that raised `NotInBatch`; it is a savepoint."""
        ...


class Ledger(Protocol):
    """The truth: one SQL database."""

    #: names this installation; part of run ids, so that two of them never share a run on one project.
    installation: str

    def begin(self, *, write: bool = True) -> AbstractContextManager[Transaction]:
        """Begin a transaction. Raises TryLater if the database is busy, full, read-only or away."""
        ...

    def batch(self, keys: Sequence[tuple[str, str]], bees: Sequence[str]) -> AbstractContextManager[Batch]:
        """Begin the transaction of a batch, the bees' locks taken.

        Args:
            keys: (source, id) of the events that will be handled.
            bees: those that the events are about.

        Raises:
            TryLater: as `begin`. Any other error while it writes: nothing was changed, handle the events one by one.
        """
        ...

    def verify(self) -> None:
        """Make a real write. Raises TryLater."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
