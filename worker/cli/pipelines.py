"""`colony pipelines`: list, validate, compile and show templates."""

from pathlib import Path
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json, print_table
from worker.cli.pipelines_look import show, validate
from worker.cli.pipelines_run import clear_cache, run
from worker.errors import Rejected


@click.group("pipelines")
def command() -> None:
    """List, validate, compile and show pipeline templates (config/pipelines)."""


command.add_command(validate)
command.add_command(show)
command.add_command(run)
command.add_command(clear_cache)


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the templates, their steps, and whether their compiled spec is fresh."""
    with opened() as app:
        rows = [_row(app, name) for name in sorted(app.templates)]
    if as_json:
        print_json(rows)
        return
    cells = [(row["name"], row["trigger"], " → ".join(row["steps"]), row["state"]) for row in rows]
    print_table(("template", "trigger", "steps", "compiled"), cells, empty="no templates")


def _row(app: Any, name: str) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "trigger": "", "steps": []}
    try:
        template = app.templates.get_known(name)
        row |= {"trigger": template.trigger, "steps": [step.id for step in template.steps]}
        app.frozen.spec(name)
    except Rejected as error:
        return row | {"state": str(error)}
    return row | {"state": "fresh"}


@command.command("compile")
@click.argument("names", nargs=-1)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path),
              help="The configuration layer that gets them (default: COLONY_CONFIG, else the shipped).")  # fmt: skip
@click.option("--check", is_flag=True, help="Write nothing; exit with 2 if one is stale.")
def compile_(names: tuple[str, ...], into: Path | None, *, check: bool) -> None:
    """Compile templates (default: all) with kfp, which needs the extra `compile`; the running worker needs no kfp."""
    with opened() as app:
        for name in names or sorted(app.templates):
            if check:
                app.frozen.spec(name)
                click.echo(f"{name}: fresh")
            else:
                click.echo(f"{name}: {app.compile(name, into)}")
