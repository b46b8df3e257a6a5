"""`colony ab`: try registered versions side by side on live traffic."""

import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import click

from worker.cli import ab_look
from worker.cli.common import Time, json_option, opened, print_json
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


for _one in (ab_look.list_, ab_look.status, ab_look.look, ab_look.report, ab_look.stop):
    command.add_command(_one)
