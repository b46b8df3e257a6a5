"""What a backtest begins with: the rows of a bee, the periods that they fall into, and the first champion."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from worker.backtest.periods import ends, next_boundary, periods
from worker.backtest.report import Change, Kind
from worker.bee import BeeSpec
from worker.cli.follow import follow
from worker.clock import VirtualClock, from_us, parse_time, to_text
from worker.errors import NotFound, Rejected
from worker.features.spine import FIRST_US
from worker.models.port import Deployment, ModelVersion
from worker.monitor.period import Period
from worker.monitor.rows import Reading, Rows
from worker.runs.lifecycle import Verdict

if TYPE_CHECKING:
    from worker.app import App
    from worker.cli.backtest import Options

MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True)
class History:
    """What is to be lived through: the rows from the first champion on, in order of time, and their periods."""

    bee: BeeSpec
    rows: Rows
    periods: tuple[Period, ...]
    ends: tuple[int, ...]
    first: Change
    metric: str

    @property
    def begin(self) -> datetime:
        """When the first champion is there."""
        return self.periods[0].start

    @property
    def until(self) -> datetime:
        """When it is over."""
        return self.periods[-1].end

    @property
    def starts(self) -> list[datetime]:
        """When each period but the first begins."""
        return [one.start for one in self.periods[1:]]


def history_of(app: "App", arm: "App", clock: VirtualClock, bee: BeeSpec, options: "Options", metric: str) -> History:
    """Read all rows of a bee, and put the first champion into production on the arm's clock.

    Raises:
        Rejected: there is no history, or no first model can be trained.
        NotFound: the version to begin with.
    """
    rows = Reading(arm.features, bee, app.clock()).seen(from_us(FIRST_US)).labelled
    if not len(rows):
        mend = "import them: `colony features import`"
        raise Rejected(f"the store has no labels of {bee.bee}", field=bee.label, mend=mend)
    newest = from_us(int(rows.times_us[-1])) + MOMENT
    until = min(options.until or newest, newest)
    oldest = from_us(int(rows.times_us[0]))
    begin, first = (
        _train_first(arm, clock, bee, options, oldest, until)
        if options.champion is None
        else _take_over(app, arm, clock, bee, options, until)
    )
    found = periods(begin, until, options.every)
    inside = rows.within(begin, until)
    return History(bee, inside, tuple(found), tuple(ends(found, inside.times_us)), first, metric)


def _train_first(
    arm: "App", clock: VirtualClock, bee: BeeSpec, options: "Options", oldest: datetime, until: datetime
) -> tuple[datetime, Change]:
    """Train the first champion; return when that was, and what it is."""
    earliest = next_boundary(options.begin or oldest + bee.window, options.every)
    starts = [one.start for one in periods(earliest, until, options.every)]
    begin = _first_champion(arm, clock, bee, starts)
    with arm.ledger.begin(write=False) as transaction:
        deployed = transaction.models.champion(bee.bee)
    name = deployed.version if deployed else None
    return begin, Change(begin, Kind.DEPLOYED, name, "trained on the window before")


def _take_over(
    app: "App", arm: "App", clock: VirtualClock, bee: BeeSpec, options: "Options", until: datetime
) -> tuple[datetime, Change]:
    """Begin with a version of the real ledger, once it had seen all that it was trained on."""
    version = _wanted(app, bee, str(options.champion))
    trained = parse_time(str(version.lineage["trainedUntil"])) + MOMENT
    begin = next_boundary(max(trained, options.begin or trained), options.every)
    periods(begin, until, options.every)
    clock.advance(begin)
    _adopt(arm, version, app.artifacts.fetch(version.artifact), begin)
    return begin, Change(begin, Kind.DEPLOYED, version.version, "it was in production before")


def _wanted(app: "App", bee: BeeSpec, name: str) -> ModelVersion:
    with app.ledger.begin(write=False) as transaction:
        found = transaction.models.get(bee.bee, name)
    if found is None:
        raise NotFound(f"there is no version {name} of {bee.bee}")
    if not found.lineage.get("trainedUntil"):
        reason = f"it is not known until when version {name} was trained"
        raise Rejected(reason, field="--champion", mend="choose another, or let a first one be trained")
    return found


def _first_champion(arm: "App", clock: VirtualClock, bee: BeeSpec, boundaries: Sequence[datetime]) -> datetime:
    """Train the first champion as soon as there is enough to train one with, and return when that was.

    Raises:
        Rejected: it could not be trained at any time, or a run failed.
    """
    from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline

    reason = ""
    for moment in boundaries:
        clock.advance(moment)
        asked = TriggerPipeline(bee.pipeline, bee.bee, moment, f"first-{to_text(moment)}", "the first champion")
        run = trigger_pipeline(asked, arm.ledger, arm.bees, arm.templates, moment, arm.configuration.check_reachable)
        done = follow(arm, run.id, quiet=True)
        reason = str(done.error or (done.outcome or {}).get("reason") or done.verdict)
        if done.verdict is Verdict.FAILED:
            raise Rejected(f"the run {run.id} failed: {reason}", field=bee.pipeline, mend="see its steps")
        if done.verdict is Verdict.DEPLOYED:
            return moment
    mend = "see the bee's gate and its window, or begin later with --from"
    raise Rejected(f"no first model could be trained; at last: {reason}", field="--from", mend=mend)


def _adopt(arm: "App", version: ModelVersion, file: Path, moment: datetime) -> None:
    """Put a version of the user's ledger into production, as the first one."""
    artifact = arm.artifacts.put(file)
    with arm.ledger.begin() as transaction:
        transaction.lock([version.bee])
        transaction.models.add(replace(version, state="deployed", artifact=artifact, run_id=None))
        first = Deployment(version.bee, 1, version.version, None, moment, "the backtest begins with it", None)
        transaction.models.deploy(first)
