"""`colony ab`: try registered versions side by side on live traffic."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from worker.cli.common import Time, bee_option, json_option, opened, print_json, print_table, publish, short
from worker.cli.operating import by_option, operator
from worker.errors import NotFound, Rejected

TEMPLATE = "ab-test"
#: Option -> parameter of the template.
_OPTIONS = ("metric", "minimum_effect", "max_duration", "exposure", "stratify", "horizon")


@click.group("ab")
def command() -> None:
    """Try registered versions side by side on live traffic, judged by outcomes that come in, at any time."""


def planned(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what a plan is made of to a command."""
    options = (
        click.argument("bee"),
        click.argument("versions", nargs=-1, required=True),
        click.option("--minimum-effect", type=float, required=True,
                     help="The smallest difference that would matter, in the metric's unit."),
        click.option("--metric", help="What decides: accuracy, recall, mae …, or a feature that is the outcome "
                     "(default: the bee's own, or what stands for it)."),
        click.option("--split", help="The percent of each version, as 50,50 (default: even)."),
        click.option("--max-duration", help="Then it ends, whatever was found, as 14d (default: 28d)."),
        click.option("--horizon", help="The mean of what comes so long after the first exposure is the outcome."),
        click.option("--guard", "guards", multiple=True, metavar="METRIC=MARGIN",
                     help="A metric that must not be worse by more than that (repeatable)."),
        click.option("--stratify", metavar="FEATURE", help="Adjust outcomes by the strata of a feature."),
        click.option("--exposure", type=click.Choice(["logged", "assigned"]), help="From the prediction log, or by the "
                     "split's hash where nothing is logged (default: logged)."),
        click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
                     help="Any other parameter of the template `ab-test` (repeatable)."),
    )  # fmt: skip
    # As decorators are: the last is applied first.
    for add in reversed(options):
        function = add(function)
    return function


@command.command("plan")
@planned
@click.option("--as-of", type=Time(), help="From the history before then (default: now).")
@json_option
def plan(bee: str, *, as_of: datetime | None, as_json: bool, **asked: Any) -> None:
    """Show how many entities a test would need and how long that takes; nothing is started.

    VERSIONS are registered ones, the control first.
    """
    from handlers.commands.ab_tests import versions_to_try
    from worker.abtest.shown import shown_plan

    with opened() as app:
        wanted, spec = _plan(app, asked), _bee(app, bee)
        versions_to_try(bee, wanted, app.ledger)
        with app.ledger.begin(write=False) as transaction:
            live = transaction.models.champion(bee)
            champion = transaction.models.get(bee, live.version)
        found = app.ab_judge.forecast(wanted, spec, champion, as_of or app.clock())
    shown = shown_plan(bee, wanted, found.as_json(), champion.version)
    if as_json:
        print_json([shown])
        return
    from worker.cli.ab_table import print_plan

    print_plan(shown)


@command.command("start")
@planned
@click.option("--force", is_flag=True, help="Although a version passed no gate; recorded and shown everywhere.")
@click.option("--reason", default="asked for by an operator", show_default=True, help="Why; recorded with the run.")
@click.option("--as-of", type=Time(), help="With --exposure assigned: since then (default: now).")
@click.option("--wait", is_flag=True, help="Execute the planning run here, so that the test has begun.")
@click.option("--key", help="Idempotency key: the same key again is the same test.")
def start(bee: str, *, force: bool, wait: bool, reason: str, key: str | None, **asked: Any) -> int:
    """Begin a test: the run plans it, and the versions share the traffic once it is settled."""
    from handlers.commands.ab_tests import force_versions, versions_to_try
    from handlers.commands.trigger_pipeline import TriggerPipeline, trigger_pipeline
    from worker.cli.follow import GOOD, Running, follow
    from worker.cli.root import RUN_FAILED
    from worker.runs.ab_test import test_id
    from worker.runs.lifecycle import run_id

    as_of = asked.pop("as_of")
    with opened() as app:
        wanted = _plan(app, asked)
        _bee(app, bee)
        if force:
            force_versions(bee, wanted, app.ledger, reason)
        key = key or secrets.token_hex(8)
        versions_to_try(bee, wanted, app.ledger, run_id(TEMPLATE, bee, app.ledger.installation, "key", key))
        if wait:
            app.engine.verify()
        command_ = TriggerPipeline(TEMPLATE, bee, as_of, key, reason, _parameters(app, asked))
        ready = app.configuration.check_reachable
        run = trigger_pipeline(command_, app.ledger, app.bees, app.templates, app.clock(), ready)
        click.echo(test_id(run.id))
        if not wait:
            click.echo(f"asked for by the run {run.id}; `colony run` or `colony drain` begins it", err=True)
            return 0
        with Running(app) as running:
            done = follow(app, run.id)
            running.settle(remote=not app.engine.local)
        with app.ledger.begin(write=False) as transaction:
            begun = transaction.trials.get(test_id(run.id)) is not None
        return 0 if begun and done.verdict in GOOD else RUN_FAILED


@command.command("list")
@bee_option
@click.option("--all", "everything", is_flag=True, help="With those that are over.")
@json_option
def list_(bee: str | None, *, everything: bool, as_json: bool) -> None:
    """List tests, newest first."""
    from handlers.commands.ab_tests import list_tests, shown_trial

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = [shown_trial(one) for one in list_tests(transaction, bee, active=None if everything else True)]
    if as_json:
        print_json(found)
        return
    columns = ("test", "bee", "versions", "state", "started", "ended", "winner", "because")
    rows = [
        (one["testId"], one["beeId"], ", ".join(one["versions"]), one["state"], one["startedAt"], one["endedAt"],
         one["winner"], one["reason"] or one["fault"])
        for one in found
    ]  # fmt: skip
    print_table(columns, rows, empty="no A/B test is under way; `--all` lists those that are over")


@command.command("status")
@click.argument("test_id", metavar="[TEST]", required=False)
@json_option
def status(test_id: str | None, *, as_json: bool) -> None:
    """Show what the newest look has found of TEST (default: each that is under way)."""
    from handlers.commands.ab_tests import find_test, list_tests, shown_trial

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = [find_test(transaction, test_id)] if test_id else list_tests(transaction, active=True)
    _print([shown_trial(one) for one in found], as_json=as_json)


@command.command("look")
@click.argument("test_id", metavar="[TEST]", required=False)
@json_option
def look(test_id: str | None, *, as_json: bool) -> None:
    """Look at the evidence of TEST now (default: of each that is under way), and end what is decided."""
    from handlers.commands.ab_tests import find_test, list_tests, shown_trial

    with opened() as app:
        with app.ledger.begin(write=False) as transaction:
            asked = [find_test(transaction, test_id)] if test_id else list_tests(transaction, active=True)
        for one in asked:
            app.ab_watch.catch_up(one.id, app.clock())
        publish(app)
        with app.ledger.begin(write=False) as transaction:
            found = [find_test(transaction, one.id) for one in asked]
    _print([shown_trial(one) for one in found], as_json=as_json)


@command.command("report")
@click.argument("test_id", metavar="TEST")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a page with plots, too.")
@click.option("--as-of", type=Time(), help="By what was known then (default: now; of one that is over, its last look).")
@json_option
def report(test_id: str, *, html: Path | None, as_of: datetime | None, as_json: bool) -> None:
    """Report a test: effect with its sequence, exposure, guards and slices; nothing is changed."""
    from handlers.commands.ab_tests import find_test, shown_trial

    with opened() as app:
        with app.ledger.begin(write=False) as transaction:
            trial = find_test(transaction, test_id)
        shown = shown_trial(trial)
        if as_of is not None or trial.active or not shown["results"]:
            shown["results"] = app.ab_watch.results(trial, as_of or app.clock())
    if html is not None:
        from worker.abtest.report import rendered

        html.write_text(rendered(shown), encoding="utf-8")
        click.echo(f"report: {html}", err=True)
    _print([shown], as_json=as_json)


@command.command("stop")
@click.argument("test_id", metavar="TEST")
@click.option("--reason", required=True, help="Why; recorded and published.")
@by_option
def stop(test_id: str, reason: str, by: str) -> None:
    """Stop a test: the champion serves everybody again."""
    from handlers.commands.ab_tests import stop_test

    with opened() as app:
        done = stop_test(operator(app, by), test_id, reason)
        publish(app)
    click.echo(f"{done.id}: stopped at {short(done.ended_at)}; version {done.champion} serves everybody")


def _print(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    from worker.cli.ab_table import print_test

    for one in found:
        print_test(one)
    if not found:
        click.echo("no A/B test is under way")


def _plan(app: Any, asked: Mapping[str, Any]) -> Any:
    """Return the plan that the options ask for. Raises Rejected."""
    from pydantic import ValidationError

    from worker.abtest.plan import AbPlan

    try:
        return AbPlan.model_validate(_parameters(app, asked))
    except ValidationError as error:
        fault = error.errors()[0]
        said, field = str(fault["msg"]).removeprefix("Value error, "), ".".join(map(str, fault["loc"]))
        raise Rejected(said, field=field or "plan", mend="`colony ab start --help`") from error


def _parameters(app: Any, asked: Mapping[str, Any]) -> dict[str, Any]:
    from worker.cli.trigger import parameters_of

    found: dict[str, Any] = parameters_of(app.templates.get_known(TEMPLATE).declared, asked["parameters"])
    found |= {_camel(name): asked[name] for name in _OPTIONS if asked.get(name) is not None}
    if asked["split"]:
        found["split"] = [_number(part, int, "--split") for part in asked["split"].split(",")]
    if asked["guards"]:
        pairs = [word.partition("=") for word in asked["guards"]]
        found["guards"] = {name: {"margin": _number(text, float, "--guard")} for name, _, text in pairs}
    return {**found, "versions": list(asked["versions"])}


def _number(text: str, kind: type[Any], option: str) -> Any:
    try:
        return kind(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {text!r} is not a number") from error


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _bee(app: Any, name: str) -> Any:
    if name not in app.bees:
        raise NotFound(f"there is no bee {name!r}; there are: {', '.join(sorted(app.bees))}")
    return app.bees[name]
