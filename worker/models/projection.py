"""What a model registry and its endpoints elsewhere show of the ledger, and what bringing them in line asks of both."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from worker.clock import to_text
from worker.models.port import ModelLedger, ModelVersion

CHAMPION, CHALLENGER, DEFAULT = "champion", "challenger", "default"


@dataclass(frozen=True)
class Entry:
    """One version as the registry lists it.

    Attributes:
        number: the registry's own number of it.
        version: ours; empty for one that is not from here.
    """

    number: str
    version: str
    aliases: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Deployed:
    """One model on an endpoint: the endpoint's id of it, our version (empty: not from here), its share of traffic."""

    id: str
    version: str
    percent: int = 0


@dataclass(frozen=True)
class Endpoint:
    """A bee's endpoint with what is deployed on it."""

    deployed: tuple[Deployed, ...] = ()


@dataclass(frozen=True)
class Told:
    """What model servers were told, None if nothing; `mark` tells it from all that was told before."""

    content: bytes | None = None
    mark: int = 0


class Phase(StrEnum):
    """How far a long-running operation is; LOST: nobody knows it any more."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True)
class Progress:
    """An operation's phase, and why it failed."""

    phase: Phase
    reason: str = ""


class Kind(StrEnum):
    """What is being done: its subject is a version (upload, deploy), nothing (open), or a deployed model's id."""

    UPLOAD = "upload"
    OPEN = "open"
    DEPLOY = "deploy"
    UNDEPLOY = "undeploy"
    IDLE = "idle"


@dataclass(frozen=True)
class Effort:
    """One thing that was begun and is not seen done; it is written before its call is made, so that none is forgotten.

    Attributes:
        since: when it was asked for, or (idle) first seen without traffic; None: it failed and is not in hand.
        operation: the name of the operation that does it; None while it is not known whether the call had an effect.
        faults: how often it has failed.
        error: why, the last time.
        again_at: not to be tried again before.
    """

    kind: Kind
    subject: str
    since: datetime | None = None
    operation: str | None = None
    faults: int = 0
    error: str | None = None
    again_at: datetime | None = None


def shown_effort(bee: str, effort: Effort) -> dict[str, Any]:
    """Return an effort in the published form."""
    return {
        "beeId": bee,
        "kind": effort.kind.value,
        "subject": effort.subject,
        "since": to_text(effort.since) if effort.since else None,
        "operation": effort.operation,
        "faults": effort.faults,
        "error": effort.error,
        "againAt": to_text(effort.again_at) if effort.again_at else None,
    }


class ProjectionLedger(Protocol):
    """The ledger's record of efforts, and the lease on each bee's."""

    def heads(self) -> Mapping[str, str]:
        """Return bee -> a text that changes with what should be shown of it, for every bee that has a version."""
        ...

    def efforts(self, bee: str | None = None) -> Mapping[str, Sequence[Effort]]:
        """Return bee -> its efforts."""
        ...

    def save(self, bee: str, effort: Effort) -> None:
        """Store an effort, or replace it."""
        ...

    def forget(self, bee: str, effort: Effort) -> None:
        """Remove an effort."""
        ...

    def claim(self, bee: str, owner: str, *, lease_s: float) -> int | None:
        """Lease a bee's projection and return the epoch; None if another process holds it."""
        ...

    def hold(self, bee: str, epoch: int, *, lease_s: float) -> None:
        """Extend the lease until the transaction's end and beyond. Raises LeaseLost if another has taken it over."""
        ...

    def release(self, bee: str, epoch: int) -> None:
        """Give the lease back."""
        ...


class Page(Protocol):
    """What the loop reads and writes in one transaction."""

    models: ModelLedger
    projections: ProjectionLedger


class Books(Protocol):
    """The ledger as the loop sees it."""

    def begin(self, *, write: bool = True) -> AbstractContextManager[Page]:
        """Begin a transaction. Raises TryLater."""
        ...


class Registry(Protocol):
    """A registry of models with endpoints. No call waits for an operation; each may be made again after a crash.

    Each raises TryLater if it is not known whether it had an effect; Rejected, NotFound or Conflict if it had none.
    """

    def entries(self, bee: str, versions: Sequence[str]) -> Sequence[Entry]:
        """Return what is registered of a bee, by the registry's numbers; `versions` are those that it may have."""
        ...

    def upload(self, version: ModelVersion) -> str:
        """Begin to register a version, not as the default, and return the operation."""
        ...

    def mark(self, bee: str, number: str, add: Sequence[str], remove: Sequence[str]) -> None:
        """Change the aliases of an entry; again changes nothing."""
        ...

    def endpoint(self, bee: str, versions: Sequence[str]) -> Endpoint | None:
        """Return the bee's endpoint, None if there is none."""
        ...

    def open(self, bee: str) -> str | None:
        """Begin to make the bee's endpoint and return the operation; None if there is one already."""
        ...

    def deploy(self, bee: str, entry: Entry, split: Mapping[str, int]) -> str:
        """Begin to deploy an entry; `split` is deployed id -> percent afterwards, "0" stands for the new one."""
        ...

    def route(self, bee: str, deployed_id: str) -> None:
        """Send all traffic to one of the deployed models; again changes nothing."""
        ...

    def told(self, bee: str) -> Told:
        """Return what the bee's model servers were told last."""
        ...

    def tell(self, bee: str, content: bytes, instead_of: Told) -> None:
        """Tell the bee's model servers what is live (`worker.models.live`). Raises TryLater if another told more."""
        ...

    def undeploy(self, bee: str, deployed_id: str) -> str:
        """Begin to undeploy a model that has no traffic, and return the operation."""
        ...

    def progress(self, operation: str) -> Progress:
        """Return how far an operation is."""
        ...

    def running(self, bee: str, kind: Kind) -> str | None:
        """Return an operation of this kind that is under way for the bee. Raises NotFound if they cannot be listed."""
        ...

    def verify(self) -> None:
        """Make a real call. Raises TryLater or Rejected with the mend."""
        ...

    def close(self) -> None:
        """Release connections."""
        ...
