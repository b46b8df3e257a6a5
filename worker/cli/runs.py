"""`colony runs`: list, show, cancel."""

from typing import Any

import click

from worker.cli.common import bee_option, json_option, money, opened, print_json, print_table, short
from worker.cli.comparison import print_outcome
from worker.cli.follow import step_line, verdict_lines
from worker.cli.pauses import tell_pauses
from worker.errors import NotFound
from worker.runs.shown import shown_run


@click.group("runs", invoke_without_command=True)
@bee_option
@json_option
@click.pass_context
def command(ctx: click.Context, bee: str | None, *, as_json: bool) -> None:
    """List runs, the newest last; `runs show ID` tells one with its steps, `runs cancel ID` ends one."""
    if ctx.invoked_subcommand:
        return
    with opened() as app, app.ledger.begin(write=False) as transaction:
        runs = list(reversed(transaction.runs.list(bee=bee)))
        if as_json:
            print_json(shown_run(run, transaction.runs.steps(run.id)) for run in runs)
            return
        tell_pauses(app, transaction, bee)
        columns = ("run", "bee", "trigger", "as of", "status", "verdict", "estimate", "cost", "reason")
        rows = [
            (
                *(run.id, run.bee, run.trigger, short(run.as_of), run.status, run.verdict),
                *(money(run.estimate), money(run.cost), run.error or run.reason),
            )
            for run in runs
        ]
        print_table(columns, rows, empty="no runs yet")


@command.command("show")
@click.argument("run_id")
@json_option
def show(run_id: str, *, as_json: bool) -> None:
    """Show one run: its steps with the end of their logs where they failed, and its verdict."""
    with opened() as app, app.ledger.begin(write=False) as transaction:
        run: Any = transaction.runs.get(run_id)
        if run is None:
            raise NotFound(f"there is no run {run_id}; `colony runs` lists them")
        steps = transaction.runs.steps(run_id)
        if as_json:
            print_json([shown_run(run, steps)])
            return
        click.echo(f"{run.id}  {run.status}  (as of {short(run.as_of)}, {run.trigger}: {run.reason})")
        for step in steps:
            click.echo(step_line(step))
            if step.error and step.log_tail:
                click.echo("\n".join(f"          {line}" for line in step.log_tail.splitlines()[-12:]))
        if run.settled:
            click.echo("\n".join(verdict_lines(run)))
        click.echo("\n".join(_cost_lines(run)))
        print_outcome(run.outcome or {})


def _cost_lines(run: Any) -> list[str]:
    """Return what a run was thought to cost, what it cost, and what either stands on."""
    estimate = f"estimated {money(run.estimate) or 'not known'}"
    lines = [f"        {estimate}, spent {money(run.cost) or ('not known' if run.settled else '–')}"]
    lines += [f"        estimate: {run.estimate_basis}"] if run.estimate_basis else []
    if run.cost_basis:
        settled = "" if run.settled_cost is None else f"{money(run.settled_cost)} by "
        lines.append(f"        settled: {settled}{run.cost_basis}")
    if run.billed_cost is not None:
        lines.append(f"        corrected: {money(run.billed_cost)} by the bill of {short(run.billed_at)}")
    return lines


@command.command("cancel")
@click.argument("run_id")
def cancel(run_id: str) -> None:
    """Cancel a run: it ends as cancelled and deploys nothing, whatever it had reached."""
    from handlers.commands.cancel_run import cancel_run

    with opened() as app:
        run = cancel_run(run_id, app.ledger)
        click.echo(f"{run.id}: cancellation asked for; the worker that executes it carries it out")
