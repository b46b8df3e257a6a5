"""`colony incident`: an incident's story."""

import click

from worker.cli.common import bee_option, json_option, opened, print_json, print_table, short
from worker.clock import to_text
from worker.errors import NotFound
from worker.incidents.machine import Incident


@click.command("incident")
@click.argument("incident_id", required=False)
@bee_option
@json_option
def command(incident_id: str | None, bee: str | None, *, as_json: bool) -> None:
    """List incidents, or tell the story of INCIDENT_ID in order."""
    with opened() as app, app.ledger.begin(write=False) as transaction:
        if incident_id is None:
            found = list(reversed(transaction.incidents.list(bee)))
        else:
            one = transaction.incidents.get(incident_id)
            if one is None:
                raise NotFound(f"there is no incident {incident_id}; `colony incident` lists them")
            found = [one]
        if as_json:
            print_json(_shown(incident) for incident in found)
        elif incident_id is None:
            columns = ("incident", "bee", "version", "state", "attempts", "opened", "changed")
            rows = [
                (i.id, i.bee, i.version, i.state, i.attempt, short(i.opened_at), short(i.changed_at)) for i in found
            ]
            print_table(columns, rows, empty="no incidents")
        else:
            _tell(found[0])


def _tell(incident: Incident) -> None:
    click.echo(f"{incident.bee} version {incident.version}: {incident.state}, attempt {incident.attempt}")
    for entry in incident.story:
        run = f"  run {entry['run']}" if "run" in entry else ""
        click.echo(f"  {entry['at']}  {entry['what']:<10} {entry.get('reason', '')}{run}")


def _shown(incident: Incident) -> dict[str, object]:
    return {
        "incidentId": incident.id,
        "beeId": incident.bee,
        "modelVersion": incident.version,
        "state": incident.state.value,
        "attempt": incident.attempt,
        "openedAt": to_text(incident.opened_at),
        "changedAt": to_text(incident.changed_at),
        "story": list(incident.story),
    }
