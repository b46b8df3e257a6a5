"""`colony dead-letters`: what was turned away, why, and how to put it back."""

from typing import Any

import click

from worker.cli.common import json_option, opened, print_json, print_table, short
from worker.clock import to_text
from worker.errors import NotFound, Rejected
from worker.intake.port import DeadLetter, Message

#: How much of a body is shown.
_SHOWN = 4096


@click.group("dead-letters", invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, /, *, as_json: bool) -> None:
    """List, show and put back the messages that were turned away, each with the reason that names field and mend."""
    if context.invoked_subcommand is None:
        _list(as_json=as_json)


@command.command("list")
@json_option
def list_(*, as_json: bool) -> None:
    """List what was turned away, oldest first."""
    _list(as_json=as_json)


@command.command("show")
@click.argument("id_", metavar="ID")
@json_option
def show(id_: str, *, as_json: bool) -> None:
    """Show one message whole: its attributes and body, every attempt at it, and what became of a requeue.

    ID may be shortened to its beginning.
    """
    with opened() as app:
        letter = _found(app, id_)
    if as_json:
        print_json([{**_printed(letter), "body": letter.body.decode("utf-8", "replace")}])
        return
    rows: list[tuple[str, object]] = [
        ("id", letter.id),
        ("event", f"{letter.source} {letter.event_id}".strip()),
        ("turned away", f"{short(letter.received_at)}, came {letter.deliveries} times"),
        ("reason", letter.reason),
        *((f"attempt {number}", f"{short(one.at)} {one.reason}") for number, one in enumerate(letter.history, 1)),
        *([("put back", f"{short(letter.requeued_at)} {letter.requeued_as}")] if letter.requeued_at else []),
        *((f"attribute {name}", value) for name, value in letter.attributes.items()),
        ("body", letter.body[:_SHOWN].decode("utf-8", "replace")),
    ]
    print_table(("", ""), rows, empty="")


@command.command("requeue")
@click.argument("ids", metavar="ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every one that has not been put back with success.")
def requeue(ids: tuple[str, ...], *, everything: bool) -> int:
    """Put messages back through the intake as they came, once what was wrong is mended.

    The record stays, and says when it was put back and what became of it. Exits with 2 if one was turned away again.
    """
    if bool(ids) == everything:
        raise click.UsageError("name the messages, or say --all")
    with opened() as app:
        letters = [_found(app, id_) for id_ in ids]
        if everything:
            with app.ledger.begin(write=False) as transaction:
                letters = [one for one in transaction.inbox.dead_letters() if one.requeued_as != _ACCEPTED]
        outcomes = [_requeue(app, letter) for letter in letters]
    click.echo(f"{outcomes.count(_ACCEPTED)} of {len(outcomes)} messages were accepted")
    return 0 if all(outcome == _ACCEPTED for outcome in outcomes) else 2


_ACCEPTED = "accepted"


def _requeue(app: Any, letter: DeadLetter) -> str:
    from worker.intake.receive import Verdict, receive

    message = Message(letter.body, dict(letter.attributes), letter.message_id, letter.received_at)
    (received,) = receive([message], app.ledger, app.handlers, lambda _: app.clock())
    accepted = received.verdict is Verdict.ACK
    outcome = _ACCEPTED if accepted else f"{received.verdict}: {received.reason}"
    with app.ledger.begin() as transaction:
        transaction.inbox.requeued(letter.id, outcome, app.clock())
    result = received.result or {}
    said = f"{result.get('action', 'handled')}: {result.get('reason', received.reason)}" if accepted else outcome
    click.echo(f"{letter.id[:12]}  {said}")
    return outcome


def _found(app: Any, id_: str) -> DeadLetter:
    with app.ledger.begin(write=False) as transaction:
        exact: DeadLetter | None = transaction.inbox.dead_letter(id_)
        if exact is not None:
            return exact
        found = [letter for letter in transaction.inbox.dead_letters() if letter.id.startswith(id_)]
    if not found:
        raise NotFound(f"there is no dead letter {id_}; `colony dead-letters list` shows them")
    if len(found) > 1:
        raise Rejected(f"{len(found)} dead letters begin with {id_}", field="id", mend="give more of it")
    letter: DeadLetter = found[0]
    return letter


def _list(*, as_json: bool) -> None:
    with opened() as app, app.ledger.begin(write=False) as transaction:
        letters = transaction.inbox.dead_letters()
    if as_json:
        print_json(_printed(letter) for letter in letters)
        return
    columns = ("received", "id", "bytes", "came", "put back", "reason")
    rows = [
        (short(one.received_at), one.id[:12], len(one.body), one.deliveries, short(one.requeued_at), one.reason)
        for one in letters
    ]
    print_table(columns, rows, empty="nothing was turned away")


def _printed(letter: DeadLetter) -> dict[str, object]:
    return {
        "id": letter.id,
        "source": letter.source,
        "eventId": letter.event_id,
        "messageId": letter.message_id,
        "reason": letter.reason,
        "receivedAt": to_text(letter.received_at),
        "deliveries": letter.deliveries,
        "history": [{"at": to_text(one.at), "reason": one.reason} for one in letter.history],
        "requeuedAt": to_text(letter.requeued_at) if letter.requeued_at else None,
        "requeuedAs": letter.requeued_as or None,
        "attributes": dict(letter.attributes),
        "size": len(letter.body),
        "body": letter.body[:_SHOWN].decode("utf-8", "replace"),
    }
