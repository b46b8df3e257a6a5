"""`colony pipelines validate` and `show`: what is wrong with a template, and what its graph looks like."""

from pathlib import Path
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json, print_table
from worker.errors import Rejected
from worker.pipelines.load import Templates
from worker.pipelines.template import Template

_WRONG = 2


@click.command("validate")
@click.argument("names", nargs=-1, metavar="[NAME|FILE]...")
@json_option
def validate(names: tuple[str, ...], *, as_json: bool) -> int:
    """Check templates (default: all), named or as files: every fault with file, line, path and mend.

    Exits with 2 if one has faults. Nothing is compiled or stored.
    """
    with opened() as app:
        results = [_checked(app, word) for word in names or sorted(app.templates)]
    if as_json:
        print_json(results)
    else:
        for result in results:
            _tell(result)
    return _WRONG if any(result["faults"] for result in results) else 0


def _checked(app: Any, word: str) -> dict[str, Any]:
    templates, name = find(app, word)
    try:
        template = templates.get_known(name)
    except Rejected as error:
        ours = error.field == "template"
        faults = sorted(error.reason.splitlines(), key=_line) if ours else [" ".join(str(error).split())]
        return {"template": name, "faults": faults}
    faults = _schedule_faults(app, templates, template)
    return {"template": name, "faults": faults, "steps": len(template.steps), "compiled": _compiled(app, template)}


def _line(fault: str) -> tuple[str, int]:
    """Return where a fault stands, so that they can be told from the top to the bottom of a file."""
    file, _, rest = fault.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdigit() else 0


def _schedule_faults(app: Any, templates: Templates, template: Template) -> list[str]:
    bee = template.schedule.parameters.get("beeId") if template.schedule else None
    if bee is None or bee in app.bees:
        return []
    place = templates.at(template.name, ("schedule", "parameters", "beeId"))
    return [f"{place}: there is no bee {bee!r}; one of: {', '.join(sorted(app.bees))}"]


def _compiled(app: Any, template: Template) -> str:
    try:
        app.configuration.compiled(template)
    except Rejected as error:
        return f"{error.reason}; {error.mend}"
    return "its compiled spec is fresh"


def _tell(result: dict[str, Any]) -> None:
    if result["faults"]:
        click.echo(f"{click.style('✗', fg='red')} {result['template']}")
        for fault in result["faults"]:
            click.echo(f"    {fault}")
    else:
        mark = click.style("✓", fg="green")
        steps = "1 step" if result["steps"] == 1 else f"{result['steps']} steps"
        click.echo(f"{mark} {result['template']}: {steps}, {result['compiled']}")


@click.command("show")
@click.argument("name", metavar="NAME|FILE")
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write the drawing as SVG, too.")
def show(name: str, svg: Path | None) -> None:
    """Draw a template's graph: each step below all that it waits for. Then its parameters and steps."""
    from worker.pipelines.picture import as_svg, as_text, takes

    with opened() as app:
        templates, known = find(app, name)
        template = templates.get_known(known)
    click.echo(f"{template.name} version {template.version}, {_started(template)}")
    if template.description:
        click.echo(template.description)
    click.echo(f"\n{as_text(template)}\n")
    rows = [(step.id, step.type.name, ", ".join(takes(step)) or "nothing") for step in template.steps]
    print_table(("step", "type", "takes"), rows, empty="no steps")
    if template.declared:
        click.echo("")
        parameters = [
            (word, one.type, "must be given" if one.required else _shown(one.default), one.description)
            for word, one in template.declared.items()
        ]
        print_table(("parameter", "type", "default", "what it is"), parameters, empty="")
    if svg is not None:
        svg.write_text(as_svg(template), encoding="utf-8")
        click.echo(f"\nwritten: {svg}")


def find(app: Any, word: str) -> tuple[Templates, str]:
    """Return the templates and the name in them of what a person named: a template, or a file."""
    path = Path(word)
    if word in app.templates or (path.suffix not in {".yaml", ".yml"} and not path.is_file()):
        return app.templates, word
    return app.configuration.templates_with(path), path.stem


def _started(template: Template) -> str:
    if template.schedule is None:
        return f"trigger: {template.trigger}"
    return f"trigger: schedule ({template.schedule.cron}, {template.schedule.zone})"


def _shown(default: Any) -> str:
    return "none" if default is None else str(default)
