"""`colony ab list|status|look|report|stop`: what becomes of tests."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from worker.cli.common import Time, bee_option, json_option, opened, print_json, print_table, publish, short
from worker.cli.operating import by_option, operator


@click.command("list")
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


@click.command("status")
@click.argument("test_id", metavar="[TEST]", required=False)
@json_option
def status(test_id: str | None, *, as_json: bool) -> None:
    """Show what the newest look has found of TEST (default: each that is under way)."""
    from handlers.commands.ab_tests import find_test, list_tests, shown_trial

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = [find_test(transaction, test_id)] if test_id else list_tests(transaction, active=True)
    _print([shown_trial(one) for one in found], as_json=as_json)


@click.command("look")
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


@click.command("report")
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


@click.command("stop")
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
