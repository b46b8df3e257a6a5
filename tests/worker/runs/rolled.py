"""A colony whose bee rolls its versions out in steps, and what its tests ask of the rollout."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from tests.worker import world
from tests.worker.runs.colony import Colony
from tests.worker.world import BEE
from worker.bee import BeeSpec
from worker.models.port import Deployment
from worker.rollout.encoding import decoded
from worker.rollout.evidence import Compared, Evidence
from worker.rollout.machine import Rollout
from worker.rollout_plan import RolloutSpec
from worker.runs.rollout import Looked, look
from worker.runs.trial import rollout_of

DAY = timedelta(days=1)
STEPS = [{"percent": 10, "minOutcomes": 50}, {"percent": 50, "minOutcomes": 50}, {"percent": 100, "minOutcomes": 50}]
PLAN = RolloutSpec.model_validate({"strategy": "canary", "steps": STEPS, "hold": "7d"})
STAGED = BEE.model_copy(update={"rollout": PLAN})
#: (lower, upper) of the gain in accuracy.
WELL, WORSE, UNSURE = (0.01, 0.09), (-0.2, -0.05), (-0.1, 0.1)


def compared(interval: tuple[float, float] = WELL, **changes: Any) -> Compared:
    """Return what is known of the accuracy of both."""
    lower, upper = interval
    middle = (lower + upper) / 2
    return replace(Compared("accuracy", 400, 0.9, 0.9 + middle, middle, lower, upper), **changes)


@dataclass
class Rolling:
    """A colony, and the rollouts of its bee."""

    colony: Colony
    bee: BeeSpec = STAGED

    def __post_init__(self) -> None:
        """Give the colony the bee."""
        self.colony.bees = {**self.colony.bees, self.bee.bee: self.bee}

    def begin(self) -> Rollout:
        """Let the bee fall ill, retrain it, and return the rollout that begins."""
        self.colony.evaluate()
        self.colony.end_run()
        return self.rollout

    @property
    def active(self) -> Rollout | None:
        """The rollout under way."""
        with self.colony.ledger.begin(write=False) as transaction:
            return rollout_of(transaction, self.bee.bee)

    @property
    def rollout(self) -> Rollout:
        """The newest rollout."""
        with self.colony.ledger.begin(write=False) as transaction:
            return decoded(transaction.trials.list(self.bee.bee)[-1])

    @property
    def serving(self) -> Deployment:
        """The newest change of what is served."""
        with self.colony.ledger.begin(write=False) as transaction:
            found = transaction.models.champion(self.bee.bee)
        assert found is not None
        return found

    def states(self) -> dict[str, str]:
        """Return version -> state."""
        with self.colony.ledger.begin(write=False) as transaction:
            return {one.version: one.state for one in transaction.models.versions(self.bee.bee)}

    def evidence(self, interval: tuple[float, float] = WELL, **changes: Any) -> Evidence:
        """Return what lets the rollout go on now, but for the changes."""
        rollout = self.rollout
        base = Evidence(rollout.id, rollout.step, self.colony.now, compared(interval), step_outcomes=60)
        return replace(base, **changes)

    def look(self, interval: tuple[float, float] = WELL, *, later: timedelta = DAY, **changes: Any) -> Looked | None:
        """Let time pass, and look at that evidence."""
        self.colony.now += later
        return self.take(self.evidence(interval, **changes))

    def take(self, found: Evidence) -> Looked | None:
        """Look at evidence as any replica does."""
        with self.colony.ledger.begin() as transaction:
            transaction.lock([self.bee.bee])
            return look(self.bee, self.colony.policy, transaction, found, self.colony.now)

    def add_version(self, number: str, **changes: Any) -> None:
        """Register a version."""
        with self.colony.ledger.begin() as transaction:
            transaction.models.add(world.version(number, self.bee.bee, **changes))

    def told(self) -> list[str]:
        """Return the types of what was told, in order, but for runs."""
        with self.colony.ledger.begin(write=False) as transaction:
            found = [event.type for event, _ in transaction.outbox.list(bee=self.bee.bee)]
        return [type_ for type_ in found if not type_.startswith("pipeline.")]
