"""`colony models verify | split | history`: what is on its way into production, who is served by what, and what was."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from worker.cli.common import Time, json_option, opened, print_json, print_table, publish, short
from worker.clock import parse_time
from worker.errors import NotFound, Rejected

AWAY = 3


@click.command("split")
@click.argument("bee")
@click.option("--entity", help="Tell which version serves this one.")
@json_option
def split(bee: str, entity: str | None, *, as_json: bool) -> None:
    """Tell who is served by what for BEE, by which salt, and where a rollout stands."""
    from worker.rollout.shown import shown_split

    with opened() as app:
        check_bee(app, bee)
        with app.ledger.begin(write=False) as transaction:
            champion, trial = transaction.models.champion(bee), transaction.trials.active(bee)
    if champion is None:
        raise NotFound(f"{bee} has no model in production")
    found = shown_split(champion, trial, entity)
    if as_json:
        print_json([found])
    else:
        _print_split(found)


def _print_split(found: Mapping[str, Any]) -> None:
    trial = found["trial"]
    shadow = [(version, "scored beside it") for version in found["shadow"]]
    shares = [(version, f"{percent} %") for version, percent in found["trafficSplit"].items()]
    rows = [
        (version, share, "champion" if version == found["version"] else "challenger")
        for version, share in (*((v, s) for v, s in shares if v not in found["shadow"]), *shadow)
    ]
    print_table(("version", "serves", "is the"), rows, empty="")
    if trial:
        click.echo(f"{trial['kind'].replace('_', ' ')} {trial['id']}, {trial['state']} since {_moment(found['since'])}")
        click.echo(f"salt: {found['salt'] or 'none'}")
    if trial and "steps" in trial:
        click.echo(f"steps: {steps_told(trial['steps'], trial['step'])}")
    if "entity" in found:
        one = found["entity"]
        click.echo(f"{one['entityId']} is served by version {one['version']} (place {one['place']} of 100)")


def steps_told(steps: Sequence[Mapping[str, Any]], at: int) -> str:
    """Return a plan's steps in words, the one that it is at in brackets."""
    told = (f"{step['percent']} % ({step['minTime']}, {step['minOutcomes']} outcomes)" for step in steps)
    return " → ".join(f"[{one}]" if number == at else one for number, one in enumerate(told, 1))


@click.command("history")
@click.argument("bee")
@json_option
def history(bee: str, *, as_json: bool) -> None:
    """List every change of what BEE is served by: why, by whom, and the numbers that it was changed on."""
    from worker.rollout.shown import shown_change

    with opened() as app:
        check_bee(app, bee)
        with app.ledger.begin(write=False) as transaction:
            found = [shown_change(change) for change in transaction.models.deployments(bee)]
    if as_json:
        print_json(found)
        return
    rows = [
        (one["epoch"], _moment(one["at"]), one["version"], _shares(one), _who(one),
         _numbers(one["numbers"]), one["reason"])
        for one in found
    ]  # fmt: skip
    columns = ("change", "at", "champion", "serves", "by", "numbers", "reason")
    print_table(columns, rows, empty=f"{bee} never had a model in production")


def _who(change: Mapping[str, Any]) -> str:
    """Return who changed it: a person, a rollout by its evidence, or the run that made the version."""
    evidence = change["numbers"].get("source") not in {None, "gate"}
    said = change["by"] or ("the rollout" if evidence else change["runId"])
    return said or ("the rollout" if change["salt"] else "")


def _shares(change: Mapping[str, Any]) -> str:
    split, shadow = change["trafficSplit"], change["shadow"]
    told = [f"{version}: {percent} %" for version, percent in split.items() if version not in shadow]
    return ", ".join([*told, *(f"{version}: shadow" for version in shadow)])


def _numbers(numbers: Mapping[str, Any]) -> str:
    if not numbers:
        return ""
    name, before, after = numbers.get("metric"), numbers.get("champion"), numbers.get("challenger")
    ends = " to ".join(_number(numbers.get(end)) for end in ("lower", "upper"))
    count = numbers.get("count", numbers.get("rows"))
    return f"{name} {_number(before)} → {_number(after)} (gain {ends}, n {count})"


@click.command("verify")
@click.argument("bee", required=False)
@click.option("--as-of", type=Time(), help="By what was known then, as if it were then (default: now).")
@json_option
def verify(bee: str | None, as_of: datetime | None, *, as_json: bool) -> int:
    """Look at the rollout of BEE (default: at each) now: advance it, hold it, or go back, by what is known.

    Tells its step, both versions on the outcomes so far with the interval of the gain, and what is missing.
    """
    with opened() as app:
        now = app.clock()
        if as_of is not None and as_of > now:
            raise Rejected("lies in the future", field="--as-of", mend="give a time that has passed")
        if bee is not None:
            check_bee(app, bee)
        names = [one.bee for one in app.verifier.active() if bee in {None, one.bee}]
        found, faults = _looks(app, names, as_of or now)
        publish(app)
    if as_json:
        print_json(shown_look(one) for one in found)
    else:
        for one in found:
            print_look(one)
        if not names:
            click.echo(f"no rollout of {bee} is under way" if bee else "no rollout is under way")
    for fault in faults:
        click.echo(fault, err=True)
    return AWAY if faults else 0


def _looks(app: Any, names: Sequence[str], as_of: datetime) -> tuple[list[Any], list[str]]:
    """Look at each; what is away does not keep the others from being looked at."""
    from worker.errors import TryLater

    found, faults = [], []
    for name in names:
        try:
            looked = app.verifier.look(name, as_of)
        except TryLater as error:
            faults.append(f"{name}: {error}")
        else:
            found += [looked] if looked else []
    return found, faults


def shown_look(looked: Any) -> dict[str, Any]:
    """Return a look as one JSON object."""
    from worker.rollout.shown import shown_rollout

    told = {"move": looked.conclusion.move.value, "reason": looked.conclusion.reason, "fault": looked.fault or None}
    return {**shown_rollout(looked.after), "look": told}


def print_look(looked: Any) -> None:
    """Print a look as a person reads it."""
    from worker.rollout.shown import shown_evidence

    before, after = looked.before, looked.after
    head = f"{before.bee}: version {before.version} instead of {before.champion}, {before.plan.strategy}"
    since = short(before.step_at)
    click.echo(f"{click.style(head, bold=True)}, step {before.step + 1} of {len(before.plan.planned)}, since {since}")
    serves = f"serves {before.percent} %" if before.percent else "serves nobody, it is scored beside the champion"
    click.echo(f"version {before.version} {serves}; {before.state}")
    found = shown_evidence(before, looked.evidence)
    print_table(_COLUMNS, list(_rows(found)), empty="")
    least = before.at_step.min_outcomes
    click.echo(f"outcomes since the step began: {found['stepOutcomes']} of {least}")
    if looked.fault:
        click.echo(f"no rows could be read: {looked.fault}")
    word = "advanced" if after.step != before.step else str(after.state).replace("_", " ")
    reason = after.reason if looked.moved or not after.active else looked.conclusion.reason
    click.echo(f"→ {click.style(word, bold=True) if looked.moved or not after.active else 'waits'}: {reason}")


_COLUMNS = ("metric", "champion", "challenger", "gain", "interval", "n", "from", "challenger is")


def _rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for kind, one in (("", found["primary"]), *(("guard ", guard) for guard in found["guards"].values())):
        interval = f"{_number(one['lower'])} to {_number(one['upper'])}" if one["count"] else ""
        values = (_number(one[name]) for name in ("champion", "challenger", "difference"))
        said = one["verdict"].replace("_", " ") if one["count"] else "not known yet"
        source = one["source"] if one["count"] else ""
        yield (f"{kind}{one['metric']}", *values, interval, one["count"], source, said)


def check_bee(app: Any, bee: str) -> None:
    """Raise NotFound if there is no such bee."""
    if bee not in app.bees:
        raise NotFound(f"there is no bee {bee!r}; there are: {', '.join(sorted(app.bees))}")


def _moment(text: str) -> str:
    return short(parse_time(text))


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
