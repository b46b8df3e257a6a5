"""`colony incident`: an incident's story as a time line, and what a person does to it."""

from typing import Any

import click

from worker.cli.common import bee_option, json_option, opened, print_json, print_table, publish, short
from worker.cli.operating import by_option, operator, print_story, reason_option


class _Stories(click.Group):
    """Takes what is no command for the incident whose story is to be told."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Put `show` before an incident's id."""
        return super().resolve_command(ctx, args if args and args[0] in self.commands else ["show", *args])


@click.group("incident", cls=_Stories, invoke_without_command=True, subcommand_metavar="[ID | close ID | retry ID]")
@bee_option
@json_option
@click.pass_context
def command(ctx: click.Context, bee: str | None, *, as_json: bool) -> None:
    """Tell the story of incident ID as a time line, or without one list them; close one, or have it tried again."""
    if not ctx.invoked_subcommand:
        list_incidents(bee, None, as_json=as_json)


def list_incidents(bee: str | None, state: str | None, *, as_json: bool) -> None:
    """List incidents, the newest last."""
    from handlers.commands.show_incident import shown_incident
    from worker.cli.pauses import tell_pauses

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = [one for one in reversed(transaction.incidents.list(bee)) if state in {None, one.state}]
        if as_json:
            print_json(shown_incident(one, transaction, app.policy) for one in found)
            return
        tell_pauses(app, transaction, bee)
        columns = ("incident", "bee", "version", "state", "attempts", "opened", "changed", "waits for", "until")
        rows = [
            (i.id, i.bee, i.version, i.state, i.attempt, short(i.opened_at), short(i.changed_at),
             i.waiting.why if i.waiting else "", short(i.waiting.until) if i.waiting else "")
            for i in found
        ]  # fmt: skip
        print_table(columns, rows, empty="no incidents")


@command.command("show", hidden=True)
@click.argument("incident_id")
@json_option
@click.pass_context
def show(ctx: click.Context, incident_id: str, *, as_json: bool) -> None:
    """Tell an incident's story as a time line."""
    from handlers.commands.show_incident import shown_incident
    from handlers.commands.tend_incident import find_incident

    as_json = as_json or bool(ctx.parent and ctx.parent.params["as_json"])
    with opened() as app, app.ledger.begin(write=False) as transaction:
        incident = find_incident(transaction, incident_id)
        if as_json:
            print_json([shown_incident(incident, transaction, app.policy)])
        else:
            _tell(app, transaction, incident)


def _tell(app: Any, transaction: Any, incident: Any) -> None:
    from handlers.commands.show_incident import cost_of, story_of
    from worker.cli.cost_lines import sums_line
    from worker.cli.pauses import tell_pauses

    tell_pauses(app, transaction, incident.bee)
    entries, following = story_of(incident, transaction, app.policy)
    attempts = "no attempt yet" if not incident.attempt else f"attempt {incident.attempt}"
    state = click.style(incident.state, bold=True)
    click.echo(f"Incident {incident.id}: {incident.bee} version {incident.version}, {state}, {attempts}")
    click.echo()
    print_story(entries)
    click.echo()
    sums = cost_of(incident, transaction)
    if sums.runs:
        click.echo(f"Cost of {sums.runs} run{'' if sums.runs == 1 else 's'}: {sums_line(sums)}")
    click.echo(f"Next: {following}")


@command.command("close")
@click.argument("incident_id")
@reason_option
@by_option
def close(incident_id: str, *, reason: str, by: str | None) -> None:
    """Close an incident by hand; the next bad evaluation opens another."""
    from handlers.commands.tend_incident import close_incident

    with opened() as app:
        incident = close_incident(operator(app, by), incident_id, reason)
        publish(app)
        click.echo(f"incident {incident.id} of {incident.bee} is closed")


@command.command("retry")
@click.argument("incident_id")
@reason_option
@by_option
def retry(incident_id: str, *, reason: str, by: str | None) -> None:
    """Have another attempt, whatever the limit of attempts and the back-off say.

    A pause, a cooldown, a breaker or a budget still holds it back; then it waits, and says so.
    """
    from handlers.commands.tend_incident import retry_incident

    with opened() as app:
        incident, run = retry_incident(operator(app, by), incident_id, reason)
        publish(app)
        waiting = incident.waiting.why if incident.waiting else ""
        click.echo(f"run {run.id} begins" if run else f"attempt {incident.attempt + 1} waits: {waiting}")
