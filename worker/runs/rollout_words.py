"""A rollout as `colony why` tells it: where it stands, and its steps in order with their numbers."""

from worker.clock import to_text
from worker.ledger import Transaction
from worker.models.trials import TrialKind
from worker.rollout.encoding import decoded
from worker.rollout.machine import Rollout, State
from worker.runs.explanation import Line, Section


def rollouts_of(transaction: Transaction, bee: str, run: str | None = None) -> list[Rollout]:
    """Return a bee's rollouts, oldest first; those of what a run made if one is named."""
    found = [decoded(trial) for trial in transaction.trials.list(bee, TrialKind.ROLLOUT)]
    return [rollout for rollout in found if run is None or rollout.run == run]


def rollout_words(rollout: Rollout) -> str:
    """Return in a sentence or two where a rollout stands, and what it waits for."""
    step, of = rollout.step + 1, len(rollout.plan.planned)
    held = ", held until there is evidence," if rollout.state is State.HELD else ""
    said = (
        f"Version {rollout.version} is being rolled out{held}: {rollout.percent} % of the traffic, step {step} of {of}"
    )
    newest = rollout.newest
    seen = f" Newest evidence, as of {to_text(newest.as_of)}: {newest.primary.words()}." if newest else ""
    return f"{said}, since {to_text(rollout.step_at)}.{seen}"


def rollout_section(rollout: Rollout) -> Section:
    """Return what happened to a rollout, oldest first."""
    lines = [Line(str(entry["at"]), str(entry["what"]), str(entry["reason"])) for entry in rollout.story]
    return Section(f"The rollout of version {rollout.version} over version {rollout.champion} ({rollout.id})", lines)
