"""`colony approvals`: what waits for a person's word, and the word."""

from typing import Any

import click

from worker.cli.common import bee_option, json_option, money, opened, print_json, print_table, publish, short
from worker.cli.operating import by_option, operator


@click.group("approvals", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List what waits for a person; approve it, or refuse it."""
    if not ctx.invoked_subcommand:
        _list(None, everything=False, as_json=False)


@command.command("list")
@bee_option
@click.option("--all", "everything", is_flag=True, help="With those that were answered, and how.")
@json_option
def list_(bee: str | None, *, everything: bool, as_json: bool) -> None:
    """List the runs and deployments that wait for a person."""
    _list(bee, everything=everything, as_json=as_json)


def _list(bee: str | None, *, everything: bool, as_json: bool) -> None:
    from handlers.commands.show_question import shown_question
    from worker.incidents.approval import Answer

    with opened() as app, app.ledger.begin(write=False) as transaction:
        found = transaction.approvals.list(bee=bee, answer=None if everything else Answer.WAITING)
    if as_json:
        print_json(shown_question(one) for one in reversed(found))
        return
    columns = ("approval", "bee", "what", "asked", "expires", "silence", "cost", "answer", "because")
    rows = [
        (one.id, one.bee, _what(one), short(one.asked_at), short(one.expires_at), one.on_expiry, _cost(one),
         f"{one.answer} by {one.by}" if one.by else one.answer, one.evidence.get("reason"))
        for one in reversed(found)
    ]  # fmt: skip
    print_table(columns, rows, empty="nothing waits for a person")


def _what(question: Any) -> str:
    return f"deploy version {question.version}" if question.version else f"attempt {question.attempt}"


def _cost(question: Any) -> str:
    spent, estimate = question.evidence.get("cost"), question.evidence.get("estimatedCost")
    return money(spent) if spent is not None else "" if estimate is None else f"about {money(estimate)}"


@command.command("show")
@click.argument("approval_id")
@json_option
def show(approval_id: str, *, as_json: bool) -> None:
    """Show one with its evidence."""
    from handlers.commands.answer_question import find_question
    from handlers.commands.show_question import shown_question
    from worker.cli.follow import gate_lines

    with opened() as app, app.ledger.begin(write=False) as transaction:
        question = find_question(transaction, approval_id)
    if as_json:
        print_json([shown_question(question)])
        return
    evidence = question.evidence
    click.echo(f"{question.id}: may {_what(question)} of {question.bee}? {question.answer}")
    click.echo(f"  because: {evidence.get('reason')}")
    for line in gate_lines(evidence["gate"]) if evidence.get("gate") else []:
        click.echo(f"  {line}")
    for check in evidence.get("checks", []):
        click.echo(f"  {check['name']}: {check['why']}")
    click.echo(f"  cost: {_cost(question) or 'not known'}")
    if question.incident_id:
        click.echo(f"  `colony incident {question.incident_id}` tells the whole story")
    if question.run_id:
        click.echo(f"  `colony runs show {question.run_id}` shows the run")
    click.echo(f"  asked {short(question.asked_at)}, until {short(question.expires_at)}; silence: {question.on_expiry}")
    if question.ruled_at is not None:
        why = f": {question.reason}" if question.reason else ""
        click.echo(f"  {question.answer} {short(question.ruled_at)} by {question.by or 'nobody'}{why}")


@command.command("approve")
@click.argument("approval_id")
@click.option("--reason", default="", help="Why; recorded.")
@by_option
def approve(approval_id: str, *, reason: str, by: str | None) -> None:
    """Approve: the run begins, or the version goes into production if that has not moved on since."""
    _answer(approval_id, by, reason, approve=True)


@command.command("refuse")
@click.argument("approval_id")
@click.option("--reason", required=True, help="Why; recorded.")
@by_option
def refuse(approval_id: str, *, reason: str, by: str | None) -> None:
    """Refuse: the run does not begin, or the version does not go into production."""
    _answer(approval_id, by, reason, approve=False)


def _answer(approval_id: str, by: str | None, reason: str, *, approve: bool) -> None:
    from handlers.commands.answer_question import answer_question

    with opened() as app:
        done = answer_question(operator(app, by), approval_id, approve=approve, reason=reason)
        publish(app)
        click.echo(f"{done.question.answer}: {done.said}")


@command.command("link")
@click.argument("approval_id")
def link(approval_id: str) -> None:
    """Print a signed link to the page where this can be answered once; whoever has the link may answer."""
    from handlers.commands.answer_question import find_question

    with opened() as app, app.ledger.begin(write=False) as transaction:
        question = find_question(transaction, approval_id)
        click.echo(app.signed_links.url(question.id, question.expires_at))
