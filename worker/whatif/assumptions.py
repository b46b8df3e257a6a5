"""What is taken for granted where nothing happened: how runs end, how long they take, what they cost, who answers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from worker.bee import duration_text
from worker.incidents.machine import State


class Outcome(StrEnum):
    """How each run that never happened would have ended."""

    REFUSED = "refused"
    FAILED = "failed"
    DEPLOYED = "deployed"
    RECOVERED = "recovered"

    @property
    def state(self) -> State:
        """Return what becomes of the run's incident."""
        return _STATES[self]


_STATES = {
    Outcome.REFUSED: State.REFUSED,
    Outcome.FAILED: State.FAILED,
    Outcome.DEPLOYED: State.DEPLOYED,
    Outcome.RECOVERED: State.DEPLOYED,
}

_MEANING = {
    Outcome.REFUSED: "each run ends refused by the gate: production stays as the recording has it",
    Outcome.FAILED: "each run fails: production stays as the recording has it",
    Outcome.DEPLOYED: (
        "each run deploys a model, and the recorded evaluations that follow are taken as that model's: "
        "where the recording stays bad, the deployment did not help"
    ),
    Outcome.RECOVERED: (
        "each run deploys a model that is well: until the recording names another version, what follows is judged as "
        "if each metric were its baseline and there were no drift"
    ),
}


@dataclass(frozen=True)
class Assumptions:
    """The stated assumptions of a what-if.

    Attributes:
        outcome: how each run ends.
        lasts: how long a run takes, in event time.
        cost: of one run; None takes `costs`.
        costs: bee -> what its runs are estimated to cost; 0 where nothing is known.
        bases: bee -> what that estimate stands on; of a bee without one, why there is none.
        trusted: versions, and bees that are not configured, are taken from the recording itself.
        installation: goes into the ids of runs.
    """

    outcome: Outcome = Outcome.REFUSED
    lasts: timedelta = timedelta(0)
    cost: Decimal | None = None
    costs: dict[str, Decimal] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)
    trusted: bool = False
    installation: str = "what-if"

    def cost_of(self, bee: str) -> Decimal:
        """Return what a run of a bee costs."""
        return self.cost if self.cost is not None else self.costs.get(bee, Decimal(0))

    def estimate_of(self, bee: str) -> tuple[Decimal | None, str]:
        """Return what a decision says that a run of a bee will cost, and what that stands on."""
        unknown = self.cost is None and bee in self.bases and bee not in self.costs
        return None if unknown else self.cost_of(bee), "" if self.cost is not None else self.bases.get(bee, "")

    def sentences(self) -> Iterator[str]:
        """Yield what is assumed, as a person reads it."""
        yield f"{_MEANING[self.outcome]}."
        yield "Runs end at once." if not self.lasts else f"A run takes {duration_text(self.lasts)} of event time."
        if self.cost is not None:
            yield f"A run costs {self.cost:.2f}."
        else:
            yield "A run costs what a decision now would estimate, by the ledger's newest runs; 0 without a ledger."
        yield "A bad period lasts from an evaluation that the policy itself calls bad to the next that it calls well."
        yield "Nobody answers a question, pauses or resumes: questions end as the policy says of silence."
        if self.outcome.state is State.DEPLOYED:
            yield "A model that goes into production in steps is taken for verified at once, which closes its incident."
        yield "How many labels are new is not known, so no retrain is held back for learning nothing new."
        if self.trusted:
            yield (
                "The recording is trusted: a bee's first named version is in production, another takes its place when "
                "it first appears with a later time; what an event lacks of a baseline is the version's first one."
            )
            yield (
                "A bee that is not configured is judged by the first metric of its events whose direction is known; "
                "all samples count."
            )
        else:
            yield "A version of the ledger's history is in production from the first event that names it."
