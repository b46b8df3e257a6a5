"""`colony doctor`: every part checked with a real call."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from worker.checkup import Finding, Severity, finding
from worker.cli.common import json_option, opened, print_json

#: Severity → exit code and sign, the worst first.
SEVERITIES: dict[Severity, tuple[int, str, str]] = {
    Severity.BROKEN: (1, "✗", "red"),
    Severity.WRONG: (2, "✗", "red"),
    Severity.AWAY: (3, "…", "yellow"),
    Severity.WARNING: (0, "!", "yellow"),
    Severity.OK: (0, "✓", "green"),
}


@click.command("doctor")
@click.option("--webhook", is_flag=True, help="Send a test message to COLONY_WEBHOOK, where people see it.")
@click.option("--live", is_flag=True, help="Write, too, on Google Cloud: a message, an object, a point; plan a query.")
@click.option("--strict", is_flag=True, help="Take a warning for something to be mended.")
@json_option
def command(*, webhook: bool, live: bool, strict: bool, as_json: bool) -> int:
    """Check every part with a real call; what is wrong is told with the command that mends it.

    Exits with 0 if everything works (warnings are told), 2 if something has to be mended, 3 if something is only away,
    1 if a check itself failed. COLONY_WEBHOOK is only reached, not called, unless --webhook says so; what --live writes
    it takes away again.
    """
    found: list[Finding] = []
    with opened() as app:
        if not as_json:
            for name, value in app.settings.shown().items():
                click.echo(f"  {name:<24} {value}")
        checks = app.checks(webhook=webhook, live=live)
        width = max(map(len, checks))
        for part, check in checks.items():
            found.append(finding(part, check))
            _tell(found[-1], width, as_json=as_json)
    return exit_code(found, strict=strict)


def exit_code(found: Sequence[Finding], *, strict: bool) -> int:
    """Return the code of the worst finding."""
    severities = {each.severity for each in found}
    if strict and Severity.WARNING in severities:
        severities.add(Severity.WRONG)
    return next((code for severity, (code, _, _) in SEVERITIES.items() if severity in severities), 0)


def _tell(found: Finding, width: int, *, as_json: bool) -> None:
    if as_json:
        print_json([_shown(found)])
        return
    _, sign, color = SEVERITIES[found.severity]
    click.echo(f"{click.style(sign, fg=color)} {found.part:<{width}}  {found.detail}")
    if found.mend:
        click.echo(f"  {'':<{width}}  → {found.mend}")


def _shown(found: Finding) -> dict[str, Any]:
    return {"ok": found.severity in {Severity.OK, Severity.WARNING}, **asdict(found)}
