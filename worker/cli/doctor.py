"""`colony doctor`: every part checked with a real call."""

from collections.abc import Callable
from typing import Any

import click

from worker.cli.common import json_option, opened, print_json
from worker.errors import ColonyError


@click.command("doctor")
@click.option("--webhook", is_flag=True, help="Send a test message to COLONY_WEBHOOK, where people see it.")
@json_option
def command(*, webhook: bool, as_json: bool) -> int:
    """Check every part with a real call; what is wrong is told with its mend. Exits with 3 if something is.

    COLONY_WEBHOOK is only reached, not called, unless --webhook says so.
    """
    with opened() as app:
        if not as_json:
            for name, value in app.settings.shown().items():
                click.echo(f"  {name:<24} {value}")
        results = [_checked(name, check) for name, check in app.checks(webhook=webhook).items()]
    if as_json:
        print_json(results)
    else:
        width = max(len(result["part"]) for result in results)
        for result in results:
            mark = click.style("✓", fg="green") if result["ok"] else click.style("✗", fg="red")
            click.echo(f"{mark} {result['part']:<{width}}  {result['detail']}")
    return 0 if all(result["ok"] for result in results) else 3


def _checked(name: str, check: Callable[[], Any]) -> dict[str, Any]:
    try:
        detail = check()
    except ColonyError as error:
        return {"part": name, "ok": False, "detail": str(error)}
    except Exception as error:  # noqa: BLE001 - a doctor tells what is wrong, whatever it is
        return {"part": name, "ok": False, "detail": f"{type(error).__name__}: {error}"}
    return {"part": name, "ok": True, "detail": detail if isinstance(detail, str) else "works"}
