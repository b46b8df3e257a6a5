"""What commands share: building the app, printing JSON lines and tables, and the log's set-up."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import click

from worker.clock import Clock, parse_time, wall_clock
from worker.errors import TryLater

json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
bee_option = click.option("--bee", help="Only this bee.")


@contextmanager
def opened(
    *, local: bool = False, source: str | None = None, clock: Clock = wall_clock, level: str = "warning"
) -> Iterator[Any]:
    """Give the app of the environment, and close it; `level` is the log's where COLONY_LOG_LEVEL says none."""
    from config.settings import read_settings
    from worker.app import App
    from worker.telemetry import configure

    settings = read_settings(local=local)
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and bool(settings.project))
    configure(json=as_json, level=settings.log_level or level, project=settings.project)
    app = App(settings, clock, source=source)
    try:
        yield app
    finally:
        app.close()


def publish(app: Any) -> None:
    """Publish what waits; what cannot leave now is safe in the outbox and leaves with the next worker."""
    try:
        app.relay.turn()
    except TryLater as error:
        click.echo(f"recorded; it will be published later: {error}", err=True)


def print_json(rows: Iterable[Any]) -> None:
    """Print one object per line; of a text that is no Unicode (half a surrogate) its escapes."""
    for row in rows:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False)
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(row, allow_nan=False)
        click.echo(text)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, empty: str) -> None:
    """Print a table, or a sentence if there is nothing in it."""
    if not rows:
        click.echo(empty)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=any(columns))
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*("" if cell is None else str(cell) for cell in row))
    console().print(table)


def console() -> Any:
    """Return a console as wide as the terminal, or wide enough for a file."""
    from rich.console import Console

    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 160)


class Time(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    """A moment: RFC 3339, or a date for its midnight UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment."""
        if isinstance(value, datetime):
            return value
        text = f"{value}T00:00:00Z" if len(value) == len("2002-10-01") else value
        try:
            return parse_time(text)
        except ValueError:
            self.fail(f"{value!r} is not a time: write it as 2002-10-01, or 2002-10-01T12:00:00Z", param, ctx)


def money(amount: float | None) -> str:
    """Return an amount as a table shows it."""
    from worker.runs.cost import cost_text

    return "" if amount is None else cost_text(amount)


def short(moment: datetime | None) -> str:
    """Return a time as a table shows it."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"
