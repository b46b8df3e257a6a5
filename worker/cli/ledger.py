"""`colony ledger`: forget what is old, check, copy and put back; all but the last beside running workers."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json, print_table


@click.group("ledger")
def command() -> None:
    """Look after the ledger: prune, backup, restore and verify."""


_FAULTY = 1


def _days(name: str, words: str) -> Callable[[Any], Any]:
    text = f"{words}; 0 for ever. [default: COLONY_KEEP_{name.upper()}_DAYS]"
    return click.option(f"--{name}-days", type=click.FloatRange(min=0), help=text)


@command.command("prune")
@_days("inbox", "Forget which events came after so long, 31 days at least")
@_days("decisions", "Forget decisions after so long, those of incidents that are not closed excepted")
@_days("published", "Forget published events after so long")
@_days("run", "Remove the directories of settled runs after so long")
@click.option("--dry-run", is_flag=True, help="Count only.")
@json_option
def prune(*, dry_run: bool, as_json: bool, **days: float | None) -> None:
    """Forget what is older than it is kept, in small steps, while workers run.

    Long-lived workers (`colony run`, `serve --with-worker`) do so by themselves once an hour, as the settings say.
    """
    from worker.app.retention import keep_as_set

    with opened() as app:
        app.ledger.verify()
        care, asked = app.ledger_care, {name.removesuffix("_days"): of for name, of in days.items()}
        keep = keep_as_set(care, app.settings, **asked)
        found = care.prune(keep, app.clock(), Path(app.settings.runs_root), dry_run=dry_run)
    if as_json:
        print_json([found])
        return
    verb = "would be forgotten" if dry_run else "forgotten"
    print_table(("what", verb), list(found.items()), empty="nothing is to be forgotten, everything is kept for ever")


@command.command("verify")
@json_option
def verify(*, as_json: bool) -> int:
    """Check the schema, the file, and what must hold between the tables. Exits with 1 if something is wrong."""
    with opened() as app:
        found = app.ledger_care.faults()
    if as_json:
        print_json({"fault": fault} for fault in found)
    else:
        print_table(("fault",), [(fault,) for fault in found], empty="the ledger is sound")
    return _FAULTY if found else 0


@command.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Copy the ledger as it is now into a new FILE, while workers run (PostgreSQL: with pg_dump)."""
    with opened() as app:
        app.ledger_care.back_up(file)
    click.echo(f"{file}: {file.stat().st_size:,} bytes")


@command.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Replace the ledger that is there.")
def restore(file: Path, *, yes: bool) -> int:
    """Put a backup in the ledger's place; refused while anything uses the ledger.

    What happened since the backup is lost: events that came since are decided again when the bus sends them again.
    """
    with opened() as app:
        if not yes:
            raise click.UsageError(f"this replaces the ledger at {app.ledger_care.where}; say --yes")
        app.ledger_care.restore(file)
        found = app.ledger_care.faults()
    click.echo(f"restored from {file}" + "".join(f"\n{fault}" for fault in found))
    return _FAULTY if found else 0
