"""What a run's progress comes to: what may start, what is to be tried again, and the state of each step."""

from dataclasses import dataclass, field

from worker.engine.inputs import Bound
from worker.engine.policy import CachingOptions
from worker.engine.state import Status


@dataclass(frozen=True)
class Launch:
    """A step that may start now.

    Attributes:
        component: its component's name in the spec.
        task: its own name.
        wait_s: the back-off since its last attempt ended.
        sheltered: whether it runs on although the run is cancelled.
        caching: whether an earlier result may be taken instead.
    """

    path: str
    component: str
    task: str
    bound: Bound
    attempt: int
    wait_s: float
    sheltered: bool
    caching: CachingOptions


@dataclass(frozen=True)
class Again:
    """A failed DAG that is to be tried again as a whole, after a wait."""

    path: str
    attempt: int
    wait_s: float
    error: str


@dataclass(frozen=True)
class Leaf:
    """The derived state of one step (or of a group that will not run, or is not reached yet)."""

    path: str
    status: Status
    error: str | None = None


@dataclass(frozen=True)
class Progress:
    """Everything that follows from the records; `leaves` in the order in which a reader expects them."""

    status: Status
    error: str | None
    launches: tuple[Launch, ...]
    leaves: tuple[Leaf, ...]
    again: tuple[Again, ...] = ()
    outputs: Bound = field(default_factory=Bound)
