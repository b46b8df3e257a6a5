"""`colony models`: list, promote, roll back, adopt; what is on its way into production."""

import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from worker.cli import models_rollout
from worker.cli.common import Time, bee_option, json_option, opened, print_json, print_table, publish, short
from worker.cli.operating import by_option, operator
from worker.errors import Rejected, TryLater
from worker.models.shown import shown_version


@click.group("models", invoke_without_command=True)
@bee_option
@json_option
@click.pass_context
def command(ctx: click.Context, bee: str | None, *, as_json: bool) -> None:
    """List model versions; * marks the champion, and shares of the traffic what is live beside it."""
    if not ctx.invoked_subcommand:
        _list(bee, as_json=as_json)


@command.command("list")
@bee_option
@json_option
def list_(bee: str | None, *, as_json: bool) -> None:
    """List model versions; * marks the champion, and shares of the traffic what is live beside it."""
    _list(bee, as_json=as_json)


def _list(bee: str | None, *, as_json: bool) -> None:
    with opened() as app, app.ledger.begin(write=False) as transaction:
        versions = transaction.models.versions(bee)
        newest = {item.bee: item for item in transaction.models.deployments()}
        champions = {name: item.version for name, item in newest.items()}
        if as_json:
            print_json(shown_version(version, champions.get(version.bee)) for version in versions)
            return
        rows = [
            (
                _mark(newest.get(item.bee), item.version),
                item.bee,
                item.version,
                item.state,
                "forced: " + item.forced if item.forced else "passed" if item.gate_passed else "no",
                ", ".join(f"{name} {value:.3f}" for name, value in item.metrics.items() if value is not None),
                short(item.created_at),
                item.artifact.sha256[:12],
                item.run_id,
            )
            for item in versions
        ]
        columns = ("", "bee", "version", "state", "gate", "metrics", "registered", "sha256", "run")
        print_table(columns, rows, empty="no models yet: `colony trigger auto-retrain --bee B --wait` makes the first")


def _mark(served: Any, version: str) -> str:
    """Return * for the champion, and how much of the traffic a version has while more than one is live."""
    if served is None:
        return ""
    mark = "*" if served.version == version else ""
    if served.divided is None:
        return mark
    share = served.divided.shares.get(version)
    told = "shadow" if version in served.divided.shadow else "" if share is None else f"{share} %"
    return f"{mark} {told}".strip()


@command.command("projections")
@bee_option
@json_option
def projections(bee: str | None, *, as_json: bool) -> None:
    """List what is being done so that Vertex AI's registry and endpoints show what the ledger says, and what failed."""
    from worker.models.projection import shown_effort

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = [shown_effort(name, one) for name, some in transaction.projections.efforts(bee).items() for one in some]
    if as_json:
        print_json(found)
        return
    columns = ("beeId", "kind", "subject", "since", "operation", "faults", "error", "againAt")
    rows = [[effort[name] for name in columns] for effort in found]
    print_table(columns, rows, empty="nothing is under way: what Vertex AI shows is what the ledger says")


bee_argument = click.argument("name", metavar="BEE", required=False)
bee_instead = click.option("--bee", help="The same as BEE.")
then_option = click.option("--as-of", type=Time(), help="Record it as if it were then, for history that is replayed.")


@command.command("promote")
@bee_argument
@bee_instead
@click.option("--version", "version_", required=True, help="Which version, as `colony models` lists it.")
@click.option("--reason", required=True, help="Why; recorded and published.")
@click.option("--force", is_flag=True, help="Although its gate was not passed; recorded and shown everywhere.")
@click.option("--immediate", is_flag=True, help="At once, whatever the bee's plan says; ends a rollout under way.")
@by_option
@then_option
def promote(
    name: str | None, bee: str | None, version_: str, by: str | None, as_of: datetime | None, **how: Any
) -> None:
    """Put a registered version into production: in the steps of the bee's plan, or at once where it has none."""
    from handlers.commands.promote_model import promote_model

    with opened() as app:
        bee = _only(name, bee)
        done = promote_model(_operator(app, by, as_of), bee, version_, app.artifacts, **how)
        publish(app)
        _show(app, bee)
        _tell_change(done, version_)


@command.command("rollback")
@bee_argument
@bee_instead
@click.option("--to", "to_version", help="A version that was in production before (default: the predecessor).")
@click.option("--reason", required=True, help="Why; recorded and published.")
@by_option
@then_option
def rollback(
    name: str | None, bee: str | None, to_version: str | None, reason: str, by: str | None, as_of: datetime | None
) -> None:
    """Go back: from a rollout under way to the champion, else to the version that was in production before."""
    from handlers.commands.rollback_model import rollback_model

    with opened() as app:
        bee = _only(name, bee)
        who = _operator(app, by, as_of)
        done = rollback_model(who, bee, app.artifacts, reason=reason, to_version=to_version)
        publish(app)
        _show(app, bee)
        _tell_change(done, done.version)


def _only(name: str | None, bee: str | None) -> str:
    if name and bee and name != bee:
        raise click.UsageError(f"{name} and {bee} are two bees")
    if not (name or bee):
        raise click.UsageError("say whose: BEE")
    return str(name or bee)


def _operator(app: Any, by: str | None, as_of: datetime | None) -> Any:
    """Return who acts, and when. Raises Rejected."""
    found = operator(app, by)
    if as_of is not None and as_of > found.now:
        raise Rejected("lies in the future", field="--as-of", mend="give a time that has passed")
    return found if as_of is None else replace(found, now=as_of)


def _tell_change(done: Any, version: str) -> None:
    if done.divided is None:
        click.echo(f"{done.bee}: version {done.previous or 'none'} → {done.version}")
        return
    served = ", ".join(f"version {name} serves {share} %" for name, share in done.divided.split)
    click.echo(f"{done.bee}: the rollout of version {version} begins: {served}; `colony models verify {done.bee}`")


@command.command("adopt")
@click.option("--bee", required=True, help="Whose model.")
@click.option("--version", "version_", required=True, help="The name its evaluations carry.")
@click.option("--artifact", type=click.Path(path_type=Path), help="The model, a .skops file.")
@click.option("--vertex-model", metavar="NAME[@VERSION]", help="Instead: a model of Vertex AI's registry, by its id.")
@click.option("--trained-until", type=Time(), required=True, help="Newest event time it was trained on.")
@click.option("--baseline", multiple=True, help="metric=value, what its evaluations are compared with; repeatable.")
def adopt(
    bee: str,
    version_: str,
    artifact: Path | None,
    vertex_model: str | None,
    trained_until: datetime,
    baseline: tuple[str, ...],
) -> None:
    """Take over a model that the colony already has in production: a file, or one of Vertex AI's registry."""
    from handlers.commands.adopt_model import AdoptModel, adopt_model

    if (artifact is None) == (vertex_model is None):
        raise click.UsageError("give either --artifact or --vertex-model")
    try:
        metrics = {name: float(value) for name, _, value in (item.partition("=") for item in baseline)}
    except ValueError as error:
        raise click.UsageError("--baseline: write it as metric=value, for example f1=0.91") from error
    with opened() as app, tempfile.TemporaryDirectory(prefix="colony-adopt-") as directory:
        origin: str | None = None
        if vertex_model:
            origin, artifact = app.fetch_vertex_model(vertex_model, Path(directory))
        asked = AdoptModel(bee, version_, artifact or Path(), metrics, trained_until, origin)
        done = adopt_model(asked, app.ledger, app.artifacts, app.model_format, app.bees, app.clock())
        publish(app)
        _show(app, bee)
        click.echo(f"{bee}: version {done.version} is in production ({done.artifact.sha256[:12]})")


for _command in (models_rollout.verify, models_rollout.split, models_rollout.history):
    command.add_command(_command)


def _show(app: Any, bee: str) -> None:
    """Bring registry and endpoint in line at once, as far as that takes no time; the workers do the rest."""
    try:
        if app.projector:
            app.projector.turn(bee)
    except TryLater as error:
        click.echo(f"recorded; the registry and the endpoint follow later: {error}", err=True)
