"""Typed reading of a run's frozen parameters; what is absent or malformed is named by its path."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from worker.bee import BeeSpec
from worker.clock import parse_time
from worker.errors import Rejected
from worker.models.port import Artifact
from worker.steps.step import StepContext


@dataclass(frozen=True)
class Champion:
    """The model in production as the run was launched against it; no `trained_until` means that nobody knows."""

    version: str
    artifact: Artifact
    trained_until: datetime | None
    baseline: Mapping[str, Any]
    features: tuple[str, ...]


def bee_of(context: StepContext) -> BeeSpec:
    """Return the run's bee. Raises Rejected if the run has none."""
    if context.bee is None:
        raise Rejected("this step needs a bee", field="run.bee", mend="trigger the pipeline with a beeId")
    return context.bee


def as_of(run: Mapping[str, Any]) -> datetime:
    """Return the moment that bounds everything the run may know."""
    return _time(run.get("asOf"), "run.asOf")


def new_rows_since(run: Mapping[str, Any]) -> datetime | None:
    """Return when the champion's snapshot was taken, or None."""
    value = run.get("newRowsSince")
    return None if value is None else _time(value, "run.newRowsSince")


def seed_of(run: Mapping[str, Any]) -> int:
    """Return the seed, in the range that random generators take (JSON structs may carry it as a float)."""
    value = run.get("seed")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise Rejected(f"{value!r} is not a whole number", field="run.seed", mend="launch the run with an integer seed")
    return int(value) % 2**32


def champion_of(run: Mapping[str, Any]) -> Champion | None:
    """Return the model in production, or None for a bee without one."""
    champion = run.get("champion")
    if champion is None:
        return None
    for name in ("version", "uri", "sha256"):
        if not champion.get(name):
            raise Rejected("is missing", field=f"run.champion.{name}", mend="launch the run again")
    until = champion.get("trainedUntil")
    return Champion(
        version=str(champion["version"]),
        artifact=Artifact(uri=str(champion["uri"]), sha256=str(champion["sha256"])),
        trained_until=None if until is None else _time(until, "run.champion.trainedUntil"),
        baseline=champion.get("baseline") or {},
        features=tuple(champion.get("features") or ()),
    )


def _time(value: Any, field: str) -> datetime:
    try:
        return parse_time(value)
    except (TypeError, ValueError) as error:
        raise Rejected(str(error), field=field, mend="write it as 2002-09-28T00:00:00Z") from error
