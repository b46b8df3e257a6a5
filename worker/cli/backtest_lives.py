"""The lives of a backtest: the first champion, the managed one's walk, the retrains by the calendar, the scores."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from worker.backtest.periods import next_boundary, periods
from worker.backtest.report import Arm, Change, Kind, Policy, Report
from worker.backtest.scoring import Point, curve, scores_of
from worker.backtest.serving import Serving
from worker.backtest.walk import live_until, walk
from worker.bee import BeeSpec
from worker.cli.backtest_arms import ManagedArm, changes_of, loader, retrain_all, settled, spent
from worker.cli.backtest_begin import MOMENT, History, history_of
from worker.cli.backtest_home import arm_in, place_of
from worker.clock import VirtualClock
from worker.models.port import ModelVersion, Predictor
from worker.runs.lifecycle import Run
from worker.steps.metrics import check

if TYPE_CHECKING:
    from worker.app import App
    from worker.cli.backtest import Options


def live(app: "App", bee: BeeSpec, options: "Options", told: Callable[[str], None]) -> Report:
    """Live through the history of a bee with each policy; `told` hears how that goes on.

    Raises:
        Rejected: there is no history, or no first model can be trained.
        NotFound: the version to begin with.
    """
    metric = options.metric or bee.metric
    check(metric, bee.task)
    with ExitStack() as stack:
        place, clock = stack.enter_context(place_of(app, bee.bee)), VirtualClock()
        managed = stack.enter_context(arm_in(place, "managed", app, bee, clock))
        history = history_of(app, managed, clock, bee, options, metric)
        told(
            f"{history.begin:%Y-%m-%d %H:%M}  version {history.first.version} is in production: {history.first.reason}"
        )
        weekly, runs = None, []
        if Policy.WEEKLY in options.policies:
            until = VirtualClock(history.until)
            weekly = stack.enter_context(arm_in(place, "weekly", app, bee, until, len(history.starts)))
            # They do not depend on each other: they run while the managed one lives.
            runs = retrain_all(weekly, bee, history.starts)
        if Policy.MANAGED in options.policies:
            _manage(ManagedArm(managed, clock, bee, told), history, options.every, told)
        arms = [_arm_of(name, history, managed, weekly, runs, told) for name in map(Policy, options.policies)]
    return _report(history, options.every, arms)


def _manage(arm: ManagedArm, history: History, every: timedelta, told: Callable[[str], None]) -> None:
    """Judge as often as the bee's monitor does, else each period."""
    spec = history.bee.monitor
    often = spec.every or every
    begin = next_boundary(history.begin + MOMENT, often)
    dues = (
        [one.start + spec.label_delay for one in periods(begin, history.until, often)] if begin < history.until else []
    )
    walk(arm, [due for due in dues if due < history.until], often / 2, told)
    live_until(arm, history.until)


def _arm_of(
    policy: Policy,
    history: History,
    managed: "App",
    weekly: "App | None",
    runs: Sequence[Run],
    told: Callable[[str], None],
) -> Arm:
    bee, first = history.bee, history.first
    with managed.ledger.begin(write=False) as transaction:
        versions = {one.version: one for one in transaction.models.versions(bee.bee)}
        deployments = transaction.models.deployments(bee.bee)
    load = loader(managed, versions)
    if policy is Policy.MANAGED:
        changes = changes_of(managed, bee.bee, history.begin)
        cost = spent(managed, bee.bee, history.begin)
        return Arm(policy, _points(history, Serving.of(deployments), load), tuple(changes), *cost)
    begun = [(history.begin, str(first.version))]
    if policy is Policy.NEVER or weekly is None:
        return Arm(policy, _points(history, Serving.whole(begun), load))
    settled(weekly, lambda left: told(f"retraining by the calendar: {left} of {len(runs)} left"))
    made = _made(weekly, runs)
    own = loader(weekly, {name: version for _, name, version in made if version})
    serving = Serving.whole([*begun, *((at, name) for at, name, version in made if version)])
    points = _points(history, serving, lambda name: load(name) if name == first.version else own(name))
    return Arm(policy, points, tuple(_by_calendar(made)), *spent(weekly, bee.bee))


def _made(weekly: "App", runs: Sequence[Run]) -> list[tuple[datetime, str, ModelVersion | None]]:
    """Return what each run made, under the name of its day."""
    with weekly.ledger.begin(write=False) as transaction:
        return [(run.as_of, f"{run.as_of:%Y-%m-%dT%H:%M}", transaction.models.for_run(run.id)) for run in runs]


def _by_calendar(made: Sequence[tuple[datetime, str, ModelVersion | None]]) -> list[Change]:
    found = []
    for at, name, version in made:
        found.append(Change(at, Kind.RETRAINED, reason="it is time again"))
        made_one = Change(at, Kind.DEPLOYED, name)
        found.append(made_one if version else Change(at, Kind.FAILED, reason="no model came of it"))
    return found


def _points(history: History, serving: Serving, load: Callable[[str], Predictor]) -> tuple[Point, ...]:
    scores = scores_of(history.rows, serving, load, history.bee)
    values = curve(scores, history.ends, history.metric, history.bee.task)
    return tuple(
        Point(value, so_far, serving.shown(period.start, period.end))
        for (value, so_far), period in zip(values, history.periods, strict=True)
    )


def _report(history: History, every: timedelta, arms: Sequence[Arm]) -> Report:
    from worker.metric import lower_is_better

    bee = history.bee
    direction = bee.metric_direction if history.metric == bee.metric else None
    return Report(
        bee=bee.bee,
        task=bee.task,
        metric=history.metric,
        lower_is_better=lower_is_better(history.metric, direction),
        every_s=every.total_seconds(),
        periods=history.periods,
        counts=tuple(_counts(history)),
        arms=tuple(arms),
        first=history.first,
    )


def _counts(history: History) -> list[tuple[int, int | None]]:
    bee = history.bee
    positive = None
    if bee.task == "binary":
        labels = history.rows.lists((bee.label,))[bee.label]
        positive = np.cumsum([0, *(label == bee.positive for label in labels)])
    begins = (0, *history.ends[:-1])
    return [
        (end - begin, None if positive is None else int(positive[end] - positive[begin]))
        for begin, end in zip(begins, history.ends, strict=True)
    ]
