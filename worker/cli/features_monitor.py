"""`colony features monitor`: whether features are fresh, and as they were in the period before."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from worker.bee import DriftSpec, duration_text
from worker.cli.common import Time, json_option, opened, print_json, print_table, short
from worker.cli.common import publish as publish_waiting
from worker.cli.monitor import Span
from worker.errors import Rejected
from worker.features.port import Definition

if TYPE_CHECKING:
    from worker.monitor.features import FeatureState


@click.command("monitor")
@click.argument("names", nargs=-1)
@click.option("--window", type=Span(), default="1d", show_default=True, help="Look at so long, and as long before.")
@click.option("--as-of", type=Time(), help="By what was known then (default: now).")
@click.option("--expect", type=Span(), help="How old the newest value may be where a definition has no ttl.")
@click.option("--min-rows", type=click.IntRange(2), default=100, show_default=True,
              help="Fewer values are evidence of nothing.")  # fmt: skip
@click.option("--publish", is_flag=True, help="Tell the colony: `feature.drifted`, `feature.stale`.")
@json_option
def monitor(
    names: tuple[str, ...], *, window: timedelta, as_of: datetime | None, publish: bool, as_json: bool, **more: Any
) -> None:
    """Look at ingested features (all, or those named): freshness, volume, missing values, range, distribution.

    Findings come first. Freshness is expected within the definition's ttl. With --publish each finding is one event
    per feature and window, however often it is asked for.
    """
    with opened() as app:
        now = app.clock()
        if as_of is not None and as_of > now:
            raise Rejected("lies in the future", field="--as-of", mend="give a time that has passed")
        found = _states(app, names, as_of or now, window, DriftSpec(min_rows=more["min_rows"]), more["expect"])
        if as_json:
            print_json(_shown(state) for state in found)
        else:
            _print(found)
        if publish:
            told = _publish(app, found, now)
            click.echo(f"{told} findings are told", err=True)


def _states(
    app: Any, names: Sequence[str], end: datetime, window: timedelta, spec: DriftSpec, expected: timedelta | None
) -> "list[FeatureState]":
    from worker.monitor.features import observe, states
    from worker.monitor.period import Period

    middle, start = end - window, end - 2 * window
    # Who was seen is told by all features of an entity, whichever are asked for.
    wanted = _named(app, names)
    entities = {item.entity for item in wanted}
    chosen = {item.name for item in wanted}
    all_ = [item for item in app.features.definitions() if item.source == "ingested" and item.entity in entities]
    seen = [observe(app.features, item, start, middle, end) for item in all_]
    newest = {one.feature: one.newest_event for one in app.features.facts()}
    seen = [_with_newest(one, newest.get(one.definition.name), end) for one in seen]
    found = states(seen, Period(middle, end), spec, expected)
    return [state for state in found if state.definition.name in chosen]


def _with_newest(one: Any, newest: datetime | None, end: datetime) -> Any:
    """Take the store's newest event where it had happened by then and the window has none."""
    from dataclasses import replace

    return replace(one, newest=newest) if one.newest is None and newest is not None and newest < end else one


def _named(app: Any, names: Sequence[str]) -> list[Definition]:
    from worker.features.definition import unknown_feature

    defined = {item.name: item for item in app.features.definitions()}
    for name in names:
        if name not in defined:
            raise unknown_feature(name, list(defined))
        if defined[name].source != "ingested":
            reason = f"{name} is computed: nothing of it comes in"
            raise Rejected(reason, field="NAMES", mend="name the features that it is computed from")
    return [item for name, item in defined.items() if item.source == "ingested" and (not names or name in names)]


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


def _publish(app: Any, found: "Sequence[FeatureState]", now: datetime) -> int:
    from worker.monitor.features import drifted_data, stale_data

    events = [("feature.drifted", state, drifted_data(state)) for state in found if state.findings]
    events += [("feature.stale", state, stale_data(state)) for state in found if state.stale]
    with app.ledger.begin() as transaction:
        for type_, state, data in events:
            subject = f"features/{state.definition.name}"
            transaction.outbox.add(subject, type_, f"{subject}/{state.window.id}", 1, now, data)
    publish_waiting(app)
    return len(events)
