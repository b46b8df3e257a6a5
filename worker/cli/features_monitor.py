"""`colony features monitor`: whether features are fresh, as before, as models learned them, and served as they are."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from worker.bee import duration_text
from worker.cli.common import Time, json_option, opened, print_json, print_table, short
from worker.cli.common import publish as publish_waiting
from worker.cli.monitor import Span
from worker.errors import Rejected

if TYPE_CHECKING:
    from worker.monitor.feature_look import Seen
    from worker.monitor.features import FeatureState

_BOTH = ("previous", "training")


@click.command("monitor")
@click.argument("names", nargs=-1)
@click.option("--window", type=Span(), default="1d", show_default=True, help="Look at so long, and as long before.")
@click.option("--as-of", type=Time(), help="By what was known then (default: now).")
@click.option("--reference", type=click.Choice([*_BOTH, "both"]), default="both", show_default=True,
              help="Compare with the period before, with what models in production were trained on.")  # fmt: skip
@click.option("--expect", type=Span(), help="How old the newest value may be where a definition has no ttl.")
@click.option("--min-rows", type=click.IntRange(2), default=100, show_default=True,
              help="Fewer values are evidence of nothing.")  # fmt: skip
@click.option("--publish", is_flag=True, help="Tell the colony, and keep findings and profiles.")
@click.option("--history", "feature", metavar="FEATURE", help="Show what one was like in the windows kept so far.")
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="With --history: so many windows.")
@json_option
def monitor(names: tuple[str, ...], *, feature: str | None, limit: int, as_json: bool, **asked: Any) -> None:
    """Look at ingested features (all, or those named): freshness, volume, missing values, range, distribution, skew.

    Findings come first. Freshness is expected within the definition's ttl. With --publish each finding is one event
    per feature and window, however often it is asked for; policies go by what was found in the newest window.
    """
    with opened() as app:
        if feature is not None:
            if names:
                raise click.UsageError("--history shows one feature; leave the others out")
            _history(app, feature, limit, as_json=as_json)
            return
        _look(app, names, as_json=as_json, **asked)


def _look(
    app: Any, names: Sequence[str], *, publish: bool, as_json: bool, as_of: datetime | None, **asked: Any
) -> None:
    now = app.clock()
    if as_of is not None and as_of > now:
        raise Rejected("lies in the future", field="--as-of", mend="give a time that has passed")
    seen = _seen(app, names, as_of or now, **asked)
    # Of one that is computed nothing comes in: only what is wrong with it is news.
    shown = [state for state in seen.states if state.all or state.definition.source == "ingested"]
    if as_json:
        print_json(_shown(state) for state in shown)
    else:
        _print(shown)
    if publish:
        click.echo(f"{_publish(app, seen, as_of or now, now)} findings are told", err=True)


def _seen(app: Any, names: Sequence[str], end: datetime, **asked: Any) -> "Seen":
    from worker.bee import DriftSpec
    from worker.monitor.feature_look import Look
    from worker.monitor.feature_schedule import champions, kept_in
    from worker.monitor.feature_spec import FeatureGroup, FeatureMonitorSpec
    from worker.monitor.period import Period

    _check(app, names)
    spec = FeatureMonitorSpec(
        window=asked["window"],
        expect=asked["expect"],
        reference=_BOTH if asked["reference"] == "both" else (asked["reference"],),
        keep=max(2 * asked["window"], timedelta(days=400)),
        drift=DriftSpec(min_rows=asked["min_rows"]),
    )
    group = FeatureGroup("", spec, tuple(names) or None)
    window = Period(end - asked["window"], end)
    if not app.has_ledger:
        return Look(app.features, group, window, end).see()
    return Look(app.features, group, window, end, kept_in(app.ledger), champions(app.ledger, app.bees)).see()


def _check(app: Any, names: Sequence[str]) -> None:
    from worker.features.definition import unknown_feature

    defined = {item.name: item for item in app.features.definitions()}
    for name in names:
        if name not in defined:
            raise unknown_feature(name, list(defined))
        if defined[name].source != "ingested":
            reason = f"{name} is computed: nothing of it comes in"
            raise Rejected(reason, field="NAMES", mend="name the features that it is computed from")


def _print(found: "Sequence[FeatureState]") -> None:
    rows = [
        (
            state.definition.name,
            short(state.newest),
            "" if state.fresh_within is None else duration_text(state.fresh_within),
            f"{state.counts[0]:,} → {state.counts[1]:,}",
            _missing(state),
            "" if math.isnan(state.column.psi) else f"{state.column.psi:.3f}",
            "; ".join((*(["it is stale"] if state.stale else []), *state.findings)),
        )
        for state in found
    ]
    columns = ("feature", "newest event", "expected within", "values", "missing", "PSI", "finding")
    print_table(columns, rows, empty="no feature comes in; `colony features define` takes those of config/features")


def _missing(state: "FeatureState") -> str:
    before, now = state.column.missing
    return "" if math.isnan(before) or math.isnan(now) else f"{before:.1%} → {now:.1%}"


def _shown(state: "FeatureState") -> dict[str, object]:
    from worker.monitor.features import drifted_data, stale_data

    stale = stale_data(state) if state.fresh_within is not None else {}
    told = {name: stale.get(name) for name in ("newestEvent", "expectedEvery")}
    return {**drifted_data(state), **told, "stale": state.stale}


def _publish(app: Any, seen: "Seen", as_of: datetime, now: datetime) -> int:
    from worker.monitor.feature_schedule import champions
    from worker.monitor.feature_tell import reports, tell

    with app.ledger.begin() as transaction:
        told = tell(seen, transaction, now)
    publish_waiting(app)
    models = champions(app.ledger, app.bees)
    for event in reports(seen, models, app.policy, app.features.definitions(), as_of):
        app.tell_intake(event)
    return told


def _history(app: Any, feature: str, limit: int, *, as_json: bool) -> None:
    from worker.cli.features_history import print_history, shown_profile

    _check(app, [feature])
    with app.ledger.begin(write=False) as transaction:
        profiles = transaction.features.history(feature, limit=limit)
    if as_json:
        print_json(shown_profile(profile) for profile in profiles)
    else:
        print_history(feature, profiles)
