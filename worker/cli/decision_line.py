"""One decision as a person reads it on a terminal."""

from collections.abc import Mapping
from typing import Any

import click

_COLOURS = {
    "trigger": "red",
    "held": "yellow",
    "attached": "yellow",
    "none": "green",
    "refused": "magenta",
    "stale": "cyan",
    "duplicate": "cyan",
    "dead letter": "magenta",
}


def decision_line(result: Mapping[str, Any]) -> str:
    """Return when, who, what and why in one line."""
    action = str(result.get("action", "handled"))
    when = str(result.get("evaluatedAt") or "")[:16].replace("T", " ")
    who = f"{result['beeId']} v{result['modelVersion']}" if result.get("modelVersion") else result.get("beeId") or "–"
    styled = click.style(f"{action:<11}", fg=_COLOURS.get(action), bold=action == "trigger")
    return f"{when:<16}  {who:<16}  {styled} {result.get('reason', '')}"
